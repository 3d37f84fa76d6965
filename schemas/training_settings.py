"""How a network is trained."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from schemas.task_settings import Settings


class TrainingSettings(Settings):
    """Next-character cross-entropy with AdamW, which without decay is Adam."""

    steps: PositiveInt = Field(2_000, description="number of updates")
    batch_size: PositiveInt = Field(64, description="sequences, or chunks of sequences, in an update")
    learning_rate: PositiveFloat = Field(
        0.01, allow_inf_nan=False, description="Adam's learning rate at its highest"
    )
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "cosine", description="how the learning rate falls to 0"
    )
    warmup: int = Field(0, ge=0, description="updates over which the learning rate rises from 0")
    clip: PositiveFloat = Field(1.0, allow_inf_nan=False, description="largest gradient norm")
    truncate: int = Field(
        0,
        ge=0,
        description="longest stretch of steps learnt in one update. Longer sequences, such as whole documents "
        "(task.window = 0), are learnt in chunks of this length, each starting from the state that the one before "
        "ended with (truncated back-propagation through time); 0: whole sequences",
    )
    decay: NonNegativeFloat = Field(
        0.0, allow_inf_nan=False, description="what an update takes off each weight: this times the rate (AdamW)"
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of a layer's values that the next layer is not shown in an update"
    )
    accumulate: PositiveInt = Field(
        1, description="split each worker's share of a batch into this many parts, to need less memory"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="of matrix products in training; bfloat16 is mixed precision, which is quicker on a GPU",
    )
    patience: int = Field(
        0,
        ge=0,
        description="stop after this many evaluations without a lower validation loss; the remaining "
        "checkpoints then hold the best weights; 0: never",
    )
    checkpoints: PositiveInt = Field(
        3, description="weights kept: the first (untrained), the last, and evenly spaced ones between"
    )
    evaluations: PositiveInt = Field(10, description="number of evenly spaced evaluations on the valid split")

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
