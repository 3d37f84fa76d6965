"""An experiment: what its TOML file says, as typed values. Every field has its unit and meaning.

`Experiment.identity` is what decides a run's models; it alone enters the run's fingerprint.
"""

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from schemas.score_settings import ScoreSettings
from schemas.signals import CELL_SIGNALS, KEEPING_GATE, SIGNALS
from schemas.start_settings import StartSettings
from schemas.task_settings import FINITE_TASKS, Settings, TaskSettings, TextSettings
from schemas.training_settings import TrainingSettings

CellName = Literal["feedforward", "rnn", "lstm", "gru", "peephole_lstm"]
SignalName = Literal[SIGNALS]  # type: ignore[valid-type]  # one list of the signals, in signals.py


# The sections that a network made elsewhere has no use for.
TRAINED = ("model", "training", "start", "extrapolate")


class CorpusSettings(Settings):
    """How many sequences, and from which seed.

    Splits follow one another: train, valid, probe. Each document of a text belongs to a single split, chosen by
    the seed. A text that is too short for these defaults has smaller splits: valid and probe take a tenth or less,
    train all that remains; what is set is held to. With a [network], train and valid are 0 unless set, and probe
    is 0 for text, which means every sequence in the files.
    """

    seed: int = Field(0, ge=0, description="seed for the sequences")
    train: int = Field(20_000, ge=0, description="sequences to train on; 0: all that remain of a text")
    valid: int = Field(1_000, ge=0, description="sequences to evaluate on during training")
    probe: int = Field(1_000, ge=0, description="sequences whose activations are dumped")


class Architecture(Settings):
    """One network's shape."""

    cell: CellName
    layers: int = Field(ge=1, le=4)
    hidden_size: PositiveInt
    vocabulary_size: PositiveInt
    nonlinearity: Literal["tanh", "relu"] = "tanh"


class ModelSpec(Settings):
    """One model: of the grid, or as it was found in a network that came ready."""

    cell: CellName
    layers: int
    hidden_size: int
    seed: int | None  # None: imported
    nonlinearity: Literal["tanh", "relu"]

    @property
    def name(self) -> str:
        """As lstm-1x10-seed0, or lstm-2x128-imported."""
        origin = "imported" if self.seed is None else f"seed{self.seed}"
        return f"{self.cell}-{self.layers}x{self.hidden_size}-{origin}"

    def architecture(self, vocabulary_size: int) -> Architecture:
        """The shape of this model for a vocabulary."""
        return Architecture(vocabulary_size=vocabulary_size, **self.model_dump(exclude={"seed"}))


class ModelSettings(Settings):
    """A grid: every combination of the lists and seeds is one model."""

    cell: list[CellName] = Field(["lstm"], min_length=1, description="feedforward, rnn, lstm, gru, peephole_lstm")
    layers: list[int] = Field([1], min_length=1, description="stacked layers, 1-4")
    hidden_size: list[PositiveInt] = Field([10], min_length=1, description="neurons in a layer")
    seeds: PositiveInt = Field(1, description="models of each shape, with seeds 0..seeds-1")
    nonlinearity: Literal["tanh", "relu"] = Field("tanh", description="for the rnn and feedforward cells")

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


class NetworkSettings(Settings):
    """A network that was trained elsewhere, in place of [model] and [training].

    It is called with tokens (batch, steps) and returns logits (batch, steps, vocabulary), or a tuple that begins
    with them. Python code is imported from the TOML file's folder, and paths are relative to it.
    """

    model: str = Field(
        description="package.module:factory, which is called without arguments and returns the torch.nn.Module"
    )
    weights: str = Field(
        min_length=1, description="its state_dict, as .safetensors, or as a .pt or .pth from torch.save"
    )
    vocabulary: str = Field(
        min_length=1,
        description='JSON: {"characters": "…"}, a list of texts in token order, or {"text": token}',
    )
    tokenizer: str = Field(
        "", description="package.module:function, which turns a text into tokens; empty: one token per character"
    )
    recurrent: str = Field("", description="path of the recurrent module within it, if there are several")
    checkpoint: int = Field(0, ge=0, description="updates after which the weights were saved, if known")


class ImportedModel(Settings):
    """What an import found: the recurrent module's shape, and digests of what was read."""

    spec: ModelSpec
    weights: str  # of the tensors, whatever file they came in
    vocabulary: str  # of its texts, in order


class DumpSettings(Settings):
    """Which activations are written, and how exactly."""

    signals: Literal["all"] | list[SignalName] = Field("all", description="signals to write")
    layers: Literal["all"] | list[NonNegativeInt] = Field("all", description="layers to write, from 0")
    checkpoints: Literal["last", "all"] | list[int] = Field("last", description="checkpoints to dump")
    precision: Literal["exact", "half", "bfloat16"] = Field(
        "exact", description="mantissa bits kept: 23, 10 or 7; the column stays FLOAT"
    )
    sequences_per_shard: int = Field(0, ge=0, description="0: as many as give about 32 M values")
    tolerance: PositiveFloat = Field(
        1e-5,
        allow_inf_nan=False,
        description="largest residual of the cell's equations allowed; above it nothing is written",
    )


class ExtrapolateSettings(Settings):
    """How far beyond the sizes it was trained on a model is tried."""

    maximum: PositiveInt = Field(40, description="largest size")
    samples: PositiveInt = Field(20, description="sequences of each size; identical ones count once")


class Drawing(Settings):
    """What every checkpoint writes by itself."""

    length: int = Field(0, ge=0, description="characters in a sample; 0: nothing is written")
    prompt: str = Field("", description="what the model reads first; empty: a newline")
    temperature: list[NonNegativeFloat] = Field(
        [0.8], min_length=1, description="one for each group of samples; 0 takes the most probable character"
    )
    samples: PositiveInt = Field(2, description="texts at each temperature")
    top_k: int = Field(0, ge=0, description="draw from this many of the most probable characters; 0: from all")
    seed: int = Field(0, ge=0, description="seed for what is drawn")
    stop: str = Field(
        "", max_length=1, description='character that ends a text, e.g. "\\n" at the end of a line; empty: none'
    )

    @field_validator("temperature", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        values = value if isinstance(value, list) else [value]
        return [float(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in values]


class Experiment(Settings):
    """A whole experiment."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    revision: str = Field("", description="any word; a different word makes another run with the same settings")
    task: TaskSettings
    corpus: CorpusSettings = CorpusSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    start: StartSettings = StartSettings()
    network: NetworkSettings | None = None
    dump: DumpSettings = DumpSettings()
    score: ScoreSettings = ScoreSettings()
    extrapolate: ExtrapolateSettings = ExtrapolateSettings()
    sample: Drawing = Drawing()

    @model_validator(mode="before")
    @classmethod
    def _a_network_has_a_corpus_of_its_own(cls, document: Any) -> Any:
        """Nothing is trained, so all that the files hold is there to be dumped."""
        if not isinstance(document, dict) or not document.get("network"):
            return document
        task, corpus = document.get("task"), document.get("corpus", {})
        if isinstance(corpus, dict):
            ends = isinstance(task, dict) and task.get("name") in FINITE_TASKS
            return {**document, "corpus": {"train": 0, "valid": 0, **({"probe": 0} if ends else {}), **corpus}}
        return document

    @model_validator(mode="after")
    def _a_network_is_not_trained(self) -> Self:
        if self.network:
            for section in TRAINED:
                if section in self.model_fields_set:
                    raise ValueError(f"a [network] is dumped as it is: take [{section}] out")
            if not self.corpus.probe and self.task.name not in FINITE_TASKS:
                raise ValueError(f"the task {self.task.name} has no end: corpus.probe must be at least 1")
        else:
            for split in ("train", "valid", "probe"):
                if not getattr(self.corpus, split) and (self.task.name != "text" or split != self.last_split):
                    raise ValueError(f"corpus.{split} should be greater than 0, not 0")
        return self

    @model_validator(mode="after")
    def _checkpoints_exist(self) -> Self:
        if isinstance(self.dump.checkpoints, list):
            missing = set(self.dump.checkpoints) - set(self.kept_checkpoints)
            if missing:
                kept = "the network has" if self.network else "training keeps"
                raise ValueError(
                    f"dump.checkpoints {sorted(missing)} are not kept; {kept} {list(self.kept_checkpoints)}"
                )
        return self

    @model_validator(mode="after")
    def _every_cell_has_a_signal(self) -> Self:
        for cell in () if self.network else self.model.cell:
            self.check_signals(cell)
        return self

    @model_validator(mode="after")
    def _every_cell_knows_its_start(self) -> Self:
        strangers = [cell for cell in self.model.cell if cell not in KEEPING_GATE]
        if self.start.keep and strangers and not self.network:
            raise ValueError(
                f"start.keep is for cells with a gate that keeps the state, {', '.join(KEEPING_GATE)}, and "
                f"{strangers[0]} has none: take it out"
            )
        return self

    @model_validator(mode="after")
    def _training_fits_the_models(self) -> Self:
        if self.training.dropout and 1 in self.model.layers:
            raise ValueError("training.dropout lies between layers, and model.layers has 1: take it out")
        window = self.task.window if isinstance(self.task, TextSettings) else 0
        if 0 < window < self.training.truncate:
            raise ValueError(
                f"training.truncate {self.training.truncate} is longer than the sequences, of which task.window "
                f"{window} makes the length: lower it, or take it out to learn whole sequences"
            )
        return self

    @model_validator(mode="after")
    def _every_model_has_the_layers(self) -> Self:
        if not self.network:
            self.check_layers(min(self.model.layers))
        return self

    @model_serializer(mode="wrap")
    def _only_what_counts(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is written can be read again: the sections that a network has no use for are left out."""
        unused = TRAINED if self.network else ("network",)
        return {key: value for key, value in serialize(self).items() if key not in unused}

    def check_signals(self, cell: str) -> None:
        """Raise ValueError when none of the signals to dump is one of a cell's."""
        if self.dump.signals != "all" and not set(self.dump.signals) & set(CELL_SIGNALS[cell]):
            raise ValueError(
                f"dump.signals {self.dump.signals} holds none of {cell}: {', '.join(CELL_SIGNALS[cell])}"
            )

    def check_layers(self, layers: int) -> None:
        """Raise ValueError when the layers to dump are not all among so many."""
        asked = self.dump.layers
        if asked != "all" and not (asked and max(asked) < layers):
            raise ValueError(f"dump.layers {asked} are not layers of every model: the smallest has {layers}")

    def models(self, imported: ImportedModel | None) -> list[ModelSpec]:
        """Every model of a run: the one that was imported, or the grid."""
        return [imported.spec] if imported else list(self.model.grid())

    @property
    def last_split(self) -> str:
        """The split of a text that is filled last; of 0 sequences it gets all that the others leave."""
        return "probe" if self.network else "train"

    @property
    def identity(self) -> dict[str, object]:
        """What decides the models: task, corpus, revision, and how they are made. Files count by content.

        A setting at its default is left out, so that a setting that is added later changes no run's id.
        """
        decides = {"task", "corpus", "model", "training", "start", "network", "revision"}
        document = self.model_dump(include=decides, exclude_defaults=True)
        for where in ("files", "include", "exclude", "maximum_characters"):
            document["task"].pop(where, None)
        for where in ("weights", "vocabulary"):
            document.get("network", {}).pop(where, None)
        return document

    @property
    def kept_checkpoints(self) -> tuple[int, ...]:
        """The checkpoints that there are, as numbers of updates."""
        return (self.network.checkpoint,) if self.network else self.training.checkpoint_steps

    @property
    def dumped_checkpoints(self) -> tuple[int, ...]:
        """The checkpoints to dump, as numbers of updates."""
        kept = self.kept_checkpoints
        if self.dump.checkpoints == "all":
            return kept
        if self.dump.checkpoints == "last":
            return kept[-1:]
        return tuple(sorted(set(self.dump.checkpoints)))
