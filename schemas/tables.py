"""Every table of a lake: the whole data model on one screen."""

from schemas.activations import ACTIVATIONS, PREDICTIONS
from schemas.corpus import DOCUMENTS, STEPS
from schemas.runs import METRICS, MODELS, RUNS
from schemas.samples import SAMPLES
from schemas.scores import ANNOTATIONS, DEFINITIONS, EXTRAPOLATION, SCORES
from schemas.table import Table

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        RUNS,
        MODELS,
        METRICS,
        STEPS,
        DOCUMENTS,
        PREDICTIONS,
        ACTIVATIONS,
        ANNOTATIONS,
        DEFINITIONS,
        SCORES,
        EXTRAPOLATION,
        SAMPLES,
    )
}
