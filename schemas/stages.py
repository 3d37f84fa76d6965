"""The stages of a run, each declared once: what it writes, whose rows it reads, what it publishes.

STAGES names them in the order in which data flows; what else is asked of them follows from the declarations.
To add one, see CONTRIBUTING.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line reads the names and lines of help, and shall not wait for pydantic
    from schemas.experiment import Experiment, ImportedModel
    from schemas.manifest import RunRecord

    Units = Callable[[Experiment, ImportedModel | None], list[str]]

WHOLE = "whole"  # the unit of a stage that is published as one


def checkpoint_unit(model: str, checkpoint: int) -> str:
    """The unit of one checkpoint's dump."""
    return f"model={model}/checkpoint={checkpoint}"


def hypothesis_unit(hypothesis: str) -> str:
    """The unit of one hypothesis' annotations."""
    return f"hypothesis={hypothesis}"


def score_unit(hypothesis: str, model: str, checkpoint: int) -> str:
    """The unit of one hypothesis' scores of one checkpoint."""
    return f"{hypothesis_unit(hypothesis)}/{checkpoint_unit(model, checkpoint)}"


def _one(experiment: "Experiment", imported: "ImportedModel | None") -> list[str]:  # noqa: ARG001
    return [WHOLE]


def _checkpoints(experiment: "Experiment", imported: "ImportedModel | None") -> list[str]:
    models, checkpoints = experiment.models(imported), experiment.dumped_checkpoints
    return [checkpoint_unit(model.name, checkpoint) for model in models for checkpoint in checkpoints]


def _hypotheses(experiment: "Experiment", imported: "ImportedModel | None") -> list[str]:  # noqa: ARG001
    return [hypothesis_unit(name) for name in experiment.score.hypotheses]


def _scores(experiment: "Experiment", imported: "ImportedModel | None") -> list[str]:
    models, checkpoints = experiment.models(imported), experiment.dumped_checkpoints
    return [
        score_unit(hypothesis, model.name, checkpoint)
        for hypothesis in experiment.score.hypotheses
        for model in models
        for checkpoint in checkpoints
    ]


def _sized(experiment: "Experiment", imported: "ImportedModel | None") -> list[str]:
    from schemas.task_settings import UNSIZED_TASKS  # noqa: PLC0415  # see above

    return [] if imported or experiment.task.name in UNSIZED_TASKS else [WHOLE]


def _sampled(experiment: "Experiment", imported: "ImportedModel | None") -> list[str]:  # noqa: ARG001
    return [WHOLE] if experiment.sample.length else []


@dataclass(frozen=True)
class StageSpec:
    """What is known of a stage without doing it."""

    name: str  # a verb: of the job, of its folder in `_meta`, and on the command line
    help: str  # one line for `unrolled --help`
    tables: tuple[str, ...]  # that it writes; checkpoints are files rather than a table
    reads: tuple[str, ...]  # the stages whose output it reads
    units: "Units" = _one  # that a complete run has published


SPECS = (
    StageSpec("generate", "make the sequences", ("runs", "steps", "documents"), ()),
    StageSpec("train", "train every model of the grid", ("models", "metrics", "checkpoints"), ("generate",)),
    StageSpec(
        "dump",
        "write every signal of every neuron at every step",
        ("activations", "predictions"),
        ("generate", "train"),
        _checkpoints,
    ),
    StageSpec(
        "annotate",
        "compute each hypothesis at every step",
        ("annotations", "definitions"),
        ("generate",),
        _hypotheses,
    ),
    StageSpec("score", "measure every neuron against each hypothesis", ("scores",), ("dump", "annotate"), _scores),
    StageSpec("extrapolate", "try sizes beyond those trained on", ("extrapolation",), ("train",), _sized),
    StageSpec("sample", "have every checkpoint write", ("samples",), ("train",), _sampled),
)
STAGES = tuple(spec.name for spec in SPECS)
TABLES_OF = {spec.name: spec.tables for spec in SPECS}


def stage_and_readers(stage: str) -> tuple[str, ...]:
    """What must be made again when a stage is: the stage itself, and all that read what it wrote, in order."""
    again = {stage}
    for spec in SPECS:
        if again & set(spec.reads):
            again.add(spec.name)
    return tuple(name for name in STAGES if name in again)


def stage_of(path: str) -> str:
    """The stage that writes an object, by its path below the root."""
    table = path.split("/", maxsplit=1)[0]
    return next(spec.name for spec in SPECS if table in spec.tables)


def run_in(path: str) -> str:
    """The run in whose folder an object lies, by its path below the root."""
    return path.split("/")[1].removeprefix("run=")


def expected_units(stage: str, run: "RunRecord") -> list[str]:
    """The units that a complete run has published for a stage."""
    from schemas.experiment import Experiment  # noqa: PLC0415  # see above

    spec = next(spec for spec in SPECS if spec.name == stage)
    return spec.units(Experiment.model_validate(run.experiment), run.imported)
