"""From the plain values of a TOML file to an Experiment, with errors that say what to type."""

from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from schemas.errors import UsageError, did_you_mean, nearest
from schemas.experiment import Experiment
from schemas.redact import refuse_secret
from schemas.task_settings import (
    CopyingSettings,
    CountingSettings,
    SelectiveCountingSettings,
    Settings,
    StateMemorySettings,
    SyntheticTweetsSettings,
    TextSettings,
    TokensSettings,
)

TASK_SETTINGS: dict[str, type[Settings]] = {
    "counting": CountingSettings,
    "selective_counting": SelectiveCountingSettings,
    "state_memory": StateMemorySettings,
    "copying": CopyingSettings,
    "text": TextSettings,
    "synthetic_tweets": SyntheticTweetsSettings,
}


def parse_experiment(document: Mapping[str, object], source: str) -> Experiment:
    """The experiment that a document describes.

    Raises UsageError with one line that names the source, the key and, where one is near, the right word, or a
    setting that holds a secret.
    """
    for key, value in document.items():
        refuse_secret(value, f"{source}: {key}")
    try:
        return Experiment.model_validate(document)
    except ValidationError as error:
        problems = error.errors()
        forms = [problem for problem in problems if problem["loc"][:2] == problems[0]["loc"][:2]]
        raise UsageError(f"{source}: {_sentence(_meant(forms))}") from None


def _meant(forms: list[ErrorDetails]) -> ErrorDetails:
    """Which of the problems that a setting has with each form it may take is told.

    A word is compared with the words that it may be; else the last form is the general one: a list of signals
    rather than the word all, a number rather than the word torch.
    """
    words = (form for form in forms if form["type"] == "literal_error" and isinstance(form["input"], str))
    return next(words, forms[-1])


def _sentence(error: ErrorDetails) -> str:  # noqa: PLR0911  # one sentence a kind
    path = [part for place, part in enumerate(error["loc"]) if (place, error["loc"][0]) != (1, "task")]
    path = [
        part for part in path if not str(part).startswith(("literal[", "list[", "constrained"))
    ]  # which form of a union
    key = ".".join(str(part) for part in path)
    given = error["input"]

    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(list(map(str, path)), _fields_at(error["loc"]))
        case "union_tag_invalid":
            return _choice("task", str(given.get("name")), list(TASK_SETTINGS))
        case "union_tag_not_found":
            return f"{key} needs a name: one of {', '.join(TASK_SETTINGS)}"
        case "literal_error" if isinstance(given, str):
            choices = [word.strip(" '") for word in error["ctx"]["expected"].replace(" or ", ",").split(",")]
            return _choice(key, given, choices)
        case "string_pattern_mismatch" if key == "name":
            return f"a name has lower-case letters, digits, - and _, and begins with a letter, unlike {given!r}"
        case "missing":
            return f"{key} is missing"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            complaint = error["msg"].removeprefix("Input ")
            return f"{key} {complaint[0].lower()}{complaint[1:]}, not {given!r}"


def _unknown_key(path: list[str], known: list[str]) -> str:
    near = nearest(path[-1], known)
    hint = f"did you mean {'.'.join([*path[:-1], near])}? " if near else ""
    return f"unknown key {'.'.join(path)}: {hint}known here: {', '.join(known)}"


def _choice(kind: str, word: str, known: list[str]) -> str:
    return f"unknown {kind} {word!r}: {did_you_mean(word, known)}known: {', '.join(known)}"


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Experiment
    for place, part in enumerate(location[:-1]):
        if (place, location[0]) == (1, "task"):
            model = TASK_SETTINGS.get(str(part), TokensSettings)
        elif part in model.model_fields:
            model = section_of(model.model_fields[str(part)]) or model
    return list(model.model_fields)


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The settings class of a field that is a section, which may be left out altogether; else None."""
    for annotation in (field.annotation, *get_args(field.annotation)):
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
    return None
