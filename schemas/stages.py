"""The stages of a run, in the order in which data flows, and the units that each must publish."""

from schemas.experiment import Experiment
from schemas.manifest import RunRecord
from schemas.task_settings import UNSIZED_TASKS

STAGES = ("generate", "train", "dump", "annotate", "score", "extrapolate", "sample")
TABLES_OF = {
    "generate": ("runs", "steps", "documents"),
    "train": ("models", "metrics", "checkpoints"),  # checkpoints are files, not a table
    "dump": ("activations", "predictions"),
    "annotate": ("annotations",),
    "score": ("scores",),
    "extrapolate": ("extrapolation",),
    "sample": ("samples",),
}
# What must be made again when a stage is: the stage itself, and all that read what it wrote.
READERS_OF = {
    "generate": STAGES,
    "train": ("train", "dump", "score", "extrapolate", "sample"),
    "dump": ("dump", "score"),
    "annotate": ("annotate", "score"),
    "score": ("score",),
    "extrapolate": ("extrapolate",),
    "sample": ("sample",),
}
WHOLE = "whole"  # the unit of a stage that is published as one


def stage_of(path: str) -> str:
    """The stage that writes an object, by its path below the root."""
    table = path.split("/", maxsplit=1)[0]
    return next(stage for stage, tables in TABLES_OF.items() if table in tables)


def expected_units(stage: str, run: RunRecord) -> list[str]:
    """The units that a complete run has published for a stage."""
    experiment = Experiment.model_validate(run.experiment)
    dumped = [
        (model.name, checkpoint)
        for model in experiment.models(run.imported)
        for checkpoint in experiment.dumped_checkpoints
    ]
    match stage:
        case "dump":
            return [checkpoint_unit(model, checkpoint) for model, checkpoint in dumped]
        case "annotate":
            return [hypothesis_unit(name) for name in experiment.score.hypotheses]
        case "score":
            names = experiment.score.hypotheses
            return [f"{hypothesis_unit(n)}/{checkpoint_unit(m, c)}" for n in names for m, c in dumped]
        case "extrapolate":
            return [] if experiment.network or experiment.task.name in UNSIZED_TASKS else [WHOLE]
        case "sample":
            return [WHOLE] if experiment.sample.length else []
        case _:
            return [WHOLE]


def checkpoint_unit(model: str, checkpoint: int) -> str:
    """The unit of one checkpoint's dump."""
    return f"model={model}/checkpoint={checkpoint}"


def hypothesis_unit(hypothesis: str) -> str:
    """The unit of one hypothesis' annotations."""
    return f"hypothesis={hypothesis}"
