"""What the neurons are measured against: hypotheses by name, and those of one's own."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.task_settings import Settings


class Definition(Settings):
    """A hypothesis of one's own: a Python function of the text, or an SQL expression over `steps`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    python: str = Field("", description="file.py:function, from a text to a number, bool or None a character")
    sql: str = Field("", description="an expression over the columns of steps, with a number or boolean a row")
    yes_no: bool = Field(default=False, description="whether it answers yes or no, and is scored by AUC too")
    source: str = Field("", description="of the Python file; it is read when the experiment is")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.python) == bool(self.sql):
            raise ValueError(f"score.define {self.name} needs one of python and sql")
        if self.python and ":" not in self.python:
            raise ValueError(f"score.define {self.name}: python is file.py:function, not {self.python!r}")
        return self


class ScoreSettings(Settings):
    """Which hypotheses the neurons are measured against."""

    hypotheses: list[str] = Field([], description="names of hypotheses; see docs/hypotheses.md")
    define: list[Definition] = Field([], description="hypotheses of one's own, scored besides")
    language: Literal["auto", "python", "c_like", "plain"] = Field(
        "auto",
        description="what hypotheses about code read the texts as: c_like is Java, C, Go and the like; auto goes "
        "by the suffix of the files",
    )
    headline: list[str] = Field(
        [],
        max_length=2,
        description="hypotheses that one neuron must follow together to be the run's answer; [] is the first",
    )

    @model_validator(mode="before")
    @classmethod
    def _what_is_defined_is_scored(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("define"), list):
            return values
        names = [
            definition["name"]
            for definition in values["define"]
            if isinstance(definition, dict) and isinstance(definition.get("name"), str)
        ]
        if len(set(names)) < len(names):
            raise ValueError(f"score.define has a name twice: {names}")
        listed = list(values.get("hypotheses", []))
        return {**values, "hypotheses": [*listed, *(name for name in names if name not in listed)]}

    def definition(self, name: str) -> Definition | None:
        """The definition of a name; None for a shipped hypothesis."""
        return next((definition for definition in self.define if definition.name == name), None)
