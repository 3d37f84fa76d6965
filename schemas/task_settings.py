"""The `[task]` section: one class a task, every field with its meaning."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator


class Settings(BaseModel):
    """A section of an experiment: unknown keys are errors, and types are what they say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CountingSettings(Settings):
    """a^n X b^n."""

    name: Literal["counting"]
    maximum: PositiveInt = Field(10, description="n is 1..maximum")


class SelectiveCountingSettings(Settings):
    """n a's with X's mixed in, Y, n b's."""

    name: Literal["selective_counting"]
    maximum: PositiveInt = Field(10, description="n is 1..maximum")
    maximum_noise: int = Field(10, ge=0, description="X's mixed in among the a's: 0..maximum_noise")


class StateMemorySettings(Settings):
    """A or B, some x's, Y, then a or b."""

    name: Literal["state_memory"]
    maximum: PositiveInt = Field(10, description="x's between: 1..maximum")


class CopyingSettings(Settings):
    """Some letters of a, b, c, then X, then the same letters."""

    name: Literal["copying"]
    length: PositiveInt = Field(3, description="letters to copy")


class TextSettings(Settings):
    """Files as they are."""

    name: Literal["text"]
    files: list[str] = Field(min_length=1, description="globs or fsspec URIs; {stdlib} is Python's own library")
    include: list[str] = Field(["*"], description="keep files whose name matches one of these patterns")
    exclude: list[str] = Field([], description="then drop files whose name matches one of these patterns")
    maximum_bytes: PositiveInt = Field(50_000_000, description="read files in name order up to this many bytes")
    window: int = Field(128, ge=0, description="characters of a sequence, 2 or more; 0: a whole file is one")
    not_utf8: Literal["error", "replace", "skip"] = Field("error", description="what to do with such a file")
    not_ascii: Literal["keep", "replace", "skip"] = Field(
        "keep",
        description="replace: other characters become \N{REPLACEMENT CHARACTER}; skip: such files are left out",
    )

    @model_validator(mode="after")
    def _a_step_has_a_next(self) -> Self:
        if self.window == 1:
            raise ValueError("task.window is 0 or at least 2: one character has no next one to learn")
        return self


class TokensSettings(Settings):
    """Sequences that were given as tokens, in Python: see `jobs.dump_module`."""

    name: Literal["tokens"]


FINITE_TASKS = ("text", "tokens")  # the tasks that hold so many sequences and no more
TaskSettings = Annotated[
    CountingSettings
    | SelectiveCountingSettings
    | StateMemorySettings
    | CopyingSettings
    | TextSettings
    | TokensSettings,
    Field(discriminator="name"),
]
