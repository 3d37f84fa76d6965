"""What the neurons are measured against: hypotheses by name, and those of one's own."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.languages import LANGUAGES, Language
from schemas.task_settings import Settings

Kind = Literal["number", "yes_no", "category"]  # what a hypothesis gives: yes is 1, no is 0; a category is text


class Definition(Settings):
    """A hypothesis of one's own: a Python function of the text, or an SQL expression over `steps`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    python: str = Field(
        "",
        description="file.py:function, which takes a text and returns a number, bool, text or None for each "
        "character",
    )
    sql: str = Field(
        "",
        description="an expression over the columns of steps that gives a number, boolean or VARCHAR for each row",
    )
    yes_no: bool = Field(default=False, description="whether it answers yes or no, and so is scored by AUC too")
    source: str = Field("", description="text of the Python file, filled in when the experiment is read")

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
    define: list[Definition] = Field([], description="your own hypotheses, scored as well")
    language: Literal["auto", Language] = Field(
        "auto",
        description="the language that hypotheses about code take the texts for, as in docs/hypotheses.md: "
        "python, java, cpp, plain …; auto goes by the file suffixes",
    )
    headline: list[str] = Field(
        [],
        max_length=2,
        description="hypotheses that a single neuron must follow to be the run's answer; []: the first hypothesis",
    )

    @field_validator("language", mode="before")
    @classmethod
    def _one_language(cls, value: Any) -> Any:
        if value == "c_like":
            raise ValueError(f"c_like is not one language: write auto, or which it is, of {', '.join(LANGUAGES)}")
        return value

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
