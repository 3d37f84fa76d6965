"""An experiment: what its TOML file says, as typed values. Every field has its unit and meaning.

`Experiment.identity` is what decides a run's models; it alone enters the run's fingerprint.
"""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from schemas.signals import CELL_SIGNALS, SIGNALS
from schemas.task_settings import Settings, TaskSettings

CellName = Literal["feedforward", "rnn", "lstm", "gru", "peephole_lstm"]
SignalName = Literal[SIGNALS]  # type: ignore[valid-type]  # one list of the signals, in signals.py


class CorpusSettings(Settings):
    """How many sequences, and from which seed.

    Splits follow one another: train, valid, probe. Files are put in an order that the seed decides and cut one by
    one, so that splits hold different files, but for one at each border.
    """

    seed: int = Field(0, ge=0, description="of the sequences")
    train: PositiveInt = Field(20_000, description="sequences to train on")
    valid: PositiveInt = Field(1_000, description="sequences to evaluate while training")
    probe: PositiveInt = Field(1_000, description="sequences whose activations are dumped")


class Architecture(Settings):
    """One network's shape."""

    cell: CellName
    layers: int = Field(ge=1, le=4)
    hidden_size: PositiveInt
    vocabulary_size: PositiveInt
    nonlinearity: Literal["tanh", "relu"] = "tanh"


class ModelSpec(Settings):
    """One model of the grid."""

    cell: CellName
    layers: int
    hidden_size: int
    seed: int
    nonlinearity: Literal["tanh", "relu"]

    @property
    def name(self) -> str:
        """As lstm-1x10-seed0."""
        return f"{self.cell}-{self.layers}x{self.hidden_size}-seed{self.seed}"

    def architecture(self, vocabulary_size: int) -> Architecture:
        """The shape of this model for a vocabulary."""
        return Architecture(vocabulary_size=vocabulary_size, **self.model_dump(exclude={"seed"}))


class ModelSettings(Settings):
    """A grid: every combination of the lists and seeds is one model."""

    cell: list[CellName] = Field(["lstm"], min_length=1)
    layers: list[int] = Field([1], min_length=1, description="stacked layers, 1-4")
    hidden_size: list[PositiveInt] = Field([10], min_length=1, description="neurons of a layer")
    seeds: PositiveInt = Field(1, description="models of each shape, seeds 0..seeds-1")
    nonlinearity: Literal["tanh", "relu"] = Field("tanh", description="of the rnn and feedforward cells")

    @field_validator("cell", "layers", "hidden_size", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return value if isinstance(value, list) else [value]

    @model_validator(mode="after")
    def _layers_in_range(self) -> Self:
        if not all(1 <= layers <= 4 for layers in self.layers):
            raise ValueError(f"layers must be 1 to 4, not {self.layers}")
        return self

    def grid(self) -> Iterator[ModelSpec]:
        """Every model, in the order of the lists."""
        for cell in dict.fromkeys(self.cell):
            for layers in dict.fromkeys(self.layers):
                for hidden_size in dict.fromkeys(self.hidden_size):
                    for seed in range(self.seeds):
                        yield ModelSpec(
                            cell=cell,
                            layers=layers,
                            hidden_size=hidden_size,
                            seed=seed,
                            nonlinearity=self.nonlinearity,
                        )


class TrainingSettings(Settings):
    """Next-character cross-entropy with Adam."""

    steps: PositiveInt = Field(2_000, description="updates")
    batch_size: PositiveInt = Field(64, description="sequences of an update")
    learning_rate: PositiveFloat = Field(0.01, allow_inf_nan=False, description="Adam's, at its highest")
    schedule: Literal["constant", "linear", "cosine"] = Field("cosine", description="how the rate falls to 0")
    warmup: int = Field(0, ge=0, description="updates over which the rate rises from 0")
    clip: PositiveFloat = Field(1.0, allow_inf_nan=False, description="largest norm of the gradient")
    checkpoints: PositiveInt = Field(3, description="weights kept: first (untrained), evenly between, last")
    evaluations: PositiveInt = Field(10, description="evenly spaced evaluations on the valid split")

    @property
    def checkpoint_steps(self) -> tuple[int, ...]:
        """Updates after which weights are kept; one checkpoint is the last."""
        if self.checkpoints == 1:
            return (self.steps,)
        gaps = self.checkpoints - 1
        return tuple(sorted({round(index * self.steps / gaps) for index in range(self.checkpoints)}))

    @property
    def evaluation_steps(self) -> tuple[int, ...]:
        """Updates after which the model is evaluated: evenly spaced, and at every checkpoint."""
        even = {round(index * self.steps / self.evaluations) for index in range(1, self.evaluations + 1)}
        return tuple(sorted({0, *even, *self.checkpoint_steps}))


class DumpSettings(Settings):
    """Which activations are written, and how exactly."""

    signals: Literal["all"] | list[SignalName] = Field("all", description="signals to write")
    layers: Literal["all"] | list[NonNegativeInt] = Field("all", description="layers to write, from 0")
    checkpoints: Literal["last", "all"] | list[int] = Field("last", description="checkpoints to dump")
    precision: Literal["exact", "half", "bfloat16"] = Field(
        "exact", description="mantissa bits kept: 23, 10 or 7; the column stays FLOAT"
    )
    sequences_per_shard: int = Field(0, ge=0, description="0: as many as make about 32 M values")
    tolerance: PositiveFloat = Field(
        1e-5,
        allow_inf_nan=False,
        description="largest residual of the cell's equations; above it nothing is written",
    )


class ScoreSettings(Settings):
    """Which hypotheses the neurons are measured against."""

    hypotheses: list[str] = Field([], description="names of hypotheses; see docs/hypotheses.md")
    headline: list[str] = Field(
        [],
        max_length=2,
        description="hypotheses that one neuron must follow together to be the run's answer; [] is the first",
    )


class ExtrapolateSettings(Settings):
    """How far beyond its training sizes a model is asked."""

    maximum: PositiveInt = Field(40, description="largest size")
    samples: PositiveInt = Field(20, description="sequences of each size; equal ones count once")


class Experiment(Settings):
    """A whole experiment."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    revision: str = Field("", description="any word: another word makes another run of the same settings")
    task: TaskSettings
    corpus: CorpusSettings = CorpusSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    dump: DumpSettings = DumpSettings()
    score: ScoreSettings = ScoreSettings()
    extrapolate: ExtrapolateSettings = ExtrapolateSettings()

    @model_validator(mode="after")
    def _checkpoints_exist(self) -> Self:
        if isinstance(self.dump.checkpoints, list):
            missing = set(self.dump.checkpoints) - set(self.training.checkpoint_steps)
            if missing:
                raise ValueError(
                    f"dump.checkpoints {sorted(missing)} are not kept; training keeps "
                    f"{list(self.training.checkpoint_steps)}"
                )
        stray = set(self.score.headline) - set(self.score.hypotheses)
        if stray:
            raise ValueError(f"score.headline names {sorted(stray)}, which score.hypotheses lacks")
        return self

    @model_validator(mode="after")
    def _every_cell_has_a_signal(self) -> Self:
        for cell in self.model.cell:
            if self.dump.signals != "all" and not set(self.dump.signals) & set(CELL_SIGNALS[cell]):
                raise ValueError(
                    f"dump.signals {self.dump.signals} holds none of {cell}: {', '.join(CELL_SIGNALS[cell])}"
                )
        return self

    @model_validator(mode="after")
    def _every_model_has_the_layers(self) -> Self:
        layers = self.dump.layers
        if layers != "all" and not (layers and max(layers) < min(self.model.layers)):
            raise ValueError(
                f"dump.layers {layers} are not layers of every model: the smallest has {min(self.model.layers)}"
            )
        return self

    @property
    def identity(self) -> dict[str, object]:
        """What decides the models: task, corpus, model, training, revision. Files count by content."""
        document = self.model_dump(include={"task", "corpus", "model", "training", "revision"})
        for where in ("files", "include", "exclude", "maximum_bytes"):
            document["task"].pop(where, None)
        return document

    @property
    def dumped_checkpoints(self) -> tuple[int, ...]:
        """The checkpoints to dump, as numbers of updates."""
        kept = self.training.checkpoint_steps
        if self.dump.checkpoints == "all":
            return kept
        if self.dump.checkpoints == "last":
            return kept[-1:]
        return tuple(sorted(set(self.dump.checkpoints)))
