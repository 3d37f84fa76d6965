"""The `[task]` section: one class a task, every field with its meaning."""

import codecs
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator


class Settings(BaseModel):
    """A section of an experiment: unknown keys are errors, and types are what they say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        """Where it is printed: the settings that are not at their defaults."""
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            if name not in fields or value != fields[name].default:
                yield name, value


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
    """Documents as they are: files, members of archives, or lines or rows of files."""

    name: Literal["text"]
    files: list[str] = Field(
        min_length=1,
        description="paths, folders, globs, fsspec URIs or archives (.tar.gz, .zip); {stdlib} is Python's own "
        "library; archives in folders and in archives are opened if task.include names them",
    )
    include: list[str] = Field(
        ["*"], description="in folders, globs and archives, keep files whose name or path matches one of these"
    )
    exclude: list[str] = Field([], description="then drop files whose name or path matches one of these")
    documents: Literal["file", "line", "jsonl", "json", "csv"] = Field(
        "file",
        description="what a document is: a whole file, each of its lines, or each of its rows (json: a file is "
        "one list of records)",
    )
    column: str = Field(
        "text",
        description="for json, jsonl and csv: the field that holds the text; for JSON a path of keys too, as "
        "tweet.full_text",
    )
    delimiter: str | None = Field(
        None, description="for csv: the character between fields; null: a tab in .tsv files, else a comma"
    )
    quote: str | None = Field(
        None,
        description='for csv: the character around fields, "": there is none; null: ", and where tabs delimit, a '
        "field that begins with one is refused until this says what it means",
    )
    escape: str | None = Field(
        None,
        description='for csv: the character before one that is meant as such, as MySQL writes \\, "": there is '
        "none; null: none, and a backslash before a delimiter, a quote or a line end is refused until this says "
        "what it means",
    )
    encoding: str = Field(
        "utf-8", description="how files are encoded that do not begin with a byte order mark, which tells it"
    )
    maximum_characters: int = Field(0, ge=0, description="stop reading documents after this many; 0: read all")
    maximum_document: PositiveInt = Field(20_000_000, description="largest document allowed, in bytes")
    window: int = Field(
        128, ge=0, description="characters in a sequence, at least 2; 0: a sequence is a whole document"
    )
    not_utf8: Literal["error", "replace", "skip"] = Field(
        "error",
        description="what to do with a document that is not UTF-8 (or task.encoding), or that holds zero bytes as "
        "binary files do",
    )
    not_ascii: Literal["keep", "replace", "skip"] = Field(
        "keep",
        description="replace: other characters become \N{REPLACEMENT CHARACTER}; skip: documents with any are "
        "left out",
    )
    line_ends: Literal["unix", "keep"] = Field(
        "unix", description="unix: every line ending becomes a single newline"
    )
    tabs: int = Field(0, ge=0, le=16, description="expand tabs to multiples of this many columns; 0: keep them")
    rare: int = Field(
        0, ge=0, description="characters seen fewer times than this in all become \N{REPLACEMENT CHARACTER}"
    )
    maximum_vocabulary: PositiveInt = Field(
        1_000, description="refuse texts with more different characters than this"
    )
    duplicates: Literal["drop", "keep"] = Field(
        "drop", description="drop: of identical documents, only the first is kept"
    )
    minimum_length: int = Field(2, ge=2, description="leave out documents with fewer characters than this")

    @property
    def choice(self) -> str:
        """Which files are read, as a message tells it."""
        masks = {"include": self.include if self.include != ["*"] else [], "exclude": self.exclude}
        kept = (f", task.{name} = {patterns}" for name, patterns in masks.items() if patterns)
        return f"task.files = {self.files}{''.join(kept)}"

    @model_validator(mode="after")
    def _a_step_has_a_next(self) -> Self:
        if self.window == 1:
            raise ValueError("task.window is 0 or at least 2: one character has no next one to learn")
        return self

    @model_validator(mode="after")
    def _marks_of_csv_differ(self) -> Self:
        for name, least in (("delimiter", 1), ("quote", 0), ("escape", 0)):
            mark = getattr(self, name)
            if mark is not None and (not least <= len(mark) <= 1 or mark in ("\r", "\n", "\0")):
                raise ValueError(f"task.{name} is one character{'' if least else ', or empty'}, not {mark!r}")
        quote = '"' if self.quote is None else self.quote
        for delimiter in [self.delimiter] if self.delimiter else [",", "\t"]:  # it goes by the file's name
            marks = [mark for mark in (delimiter, quote, self.escape) if mark]
            if len(set(marks)) < len(marks):
                raise ValueError(
                    f"task.delimiter ({delimiter!r}), task.quote ({quote!r}) and task.escape "
                    f"({self.escape or ''!r}) are different characters; set those that are not as they should be"
                )
        return self

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, name: str) -> str:
        try:
            b"aa".decode(name, "replace")  # refuses what is none of text, as hex
        except (LookupError, UnicodeError):
            raise ValueError(f"{name!r} is no encoding that Python knows, as utf-16, latin-1 or gb18030") from None
        return codecs.lookup(name).name


class SyntheticTweetsSettings(Settings):
    """Lines in the manner of tweets, made up by rules."""

    name: Literal["synthetic_tweets"]
    maximum_length: int = Field(140, ge=80, description="characters in a line, including its newline")


class TokensSettings(Settings):
    """Sequences that were given as tokens, in Python: see `unrolled.dump_module`."""

    name: Literal["tokens"]


FINITE_TASKS = ("text", "tokens")  # the tasks that hold so many sequences and no more
UNSIZED_TASKS = (*FINITE_TASKS, "synthetic_tweets")  # the tasks that cannot be asked for larger sequences
TaskSettings = Annotated[
    CountingSettings
    | SelectiveCountingSettings
    | StateMemorySettings
    | CopyingSettings
    | TextSettings
    | SyntheticTweetsSettings
    | TokensSettings,
    Field(discriminator="name"),
]
