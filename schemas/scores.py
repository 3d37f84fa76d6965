"""Hypotheses about the text, how neurons follow them, and how models fare beyond the sizes they trained on.

| run | model           | checkpoint | layer | neuron | signal     | hypothesis | measure | split | value  | n    |
| …   | lstm-1x10-seed2 |       2000 |     0 |      4 | cell_state | count_a    | pearson | probe | -0.999 | 5489 |
"""

import pyarrow as pa

from schemas.table import (
    CHECKPOINT,
    HYPOTHESIS,
    LAYER,
    MODEL,
    NEURON,
    RUN,
    SEQUENCE,
    SPLIT,
    STEP,
    Column,
    Table,
)

ANNOTATIONS = Table(
    name="annotations",
    row="a hypothesis at a step",
    columns=(
        RUN,
        HYPOTHESIS,
        SEQUENCE,
        STEP,
        Column(
            "value",
            pa.float64(),
            "the number that it gives, yes is 1, no is 0; NULL where it says nothing, and if it names a category",
        ),
        Column(
            "category",
            pa.string(),
            "the name that it gives, of a hypothesis that names a category; NULL where it says nothing, and of "
            "one that gives numbers",
        ),
    ),
    partition_by=("run", "hypothesis"),
    sort_by=("sequence", "step"),
)

DEFINITIONS = Table(
    name="definitions",
    row="what a hypothesis was when it was annotated; more than one, where several shards of steps have a note",
    columns=(
        RUN,
        HYPOTHESIS,
        Column("origin", pa.string(), "shipped, or of one's own: python or sql"),
        Column("yes_no", pa.bool_(), "whether it answers yes or no, and so is scored by AUC too"),
        Column("definition", pa.string(), "file.py:function or the SQL expression; NULL if shipped"),
        Column("source", pa.string(), "text of the Python file; NULL unless it is by Python"),
        Column("digest", pa.string(), "of all that its values depend on; NULL if shipped"),
        Column(
            "note",
            pa.string(),
            "why it has no value in a shard of steps, or what else to know of it; NULL if nothing",
        ),
    ),
    partition_by=("run", "hypothesis"),
)

SCORES = Table(
    name="scores",
    row="a neuron's signal against a hypothesis",
    columns=(
        RUN,
        MODEL,
        CHECKPOINT,
        LAYER,
        NEURON,
        Column("signal", pa.string(), "one of the eight signals"),
        HYPOTHESIS,
        Column(
            "measure", pa.string(), "pearson, spearman, slope, r_squared, auc, eta_squared or mutual_information"
        ),
        Column("category", pa.string(), "the one that an auc tells from all others; NULL of other measures"),
        SPLIT,
        Column("value", pa.float64(), "the measure; NULL where it is undefined, e.g. for a constant signal"),
        Column(
            "chosen", pa.float64(), "the same over the half of the texts that chooses: neurons are ranked by it"
        ),
        Column("held_out", pa.float64(), "the same over the other half, which had no part in the choice"),
        Column("null", pa.string(), "what null_value and p_value come from: permuted, whole annotations of texts"),
        Column("null_value", pa.float64(), "what the measure reaches by chance one time in twenty, position kept"),
        Column("p_value", pa.float64(), "how often chance does as much, position taken out; 1 if nothing is left"),
        Column("n", pa.int64(), "number of steps where the hypothesis has a value", "steps"),
        Column("texts", pa.int64(), "number of distinct texts that those are of", "texts"),
        Column(
            "q_value",
            pa.float64(),
            "the share of false finds among those with a p as small, over all neurons, signals and hypotheses of "
            "a checkpoint by that measure (Benjamini and Hochberg 1995)",
            is_computed=True,
        ),
    ),
    partition_by=("run", "hypothesis", "model", "checkpoint"),
    sort_by=("layer", "neuron", "signal", "measure", "category"),
)

EXTRAPOLATION = Table(
    name="extrapolation",
    row="a size, within training or beyond it",
    columns=(
        RUN,
        MODEL,
        CHECKPOINT,
        Column("size", pa.int32(), "the size of the task, e.g. n in a^n X b^n"),
        Column("correct", pa.int32(), "number of sequences whose determined steps are all predicted right"),
        Column("total", pa.int32(), "number of different sequences tried"),
    ),
    partition_by=("run", "model", "checkpoint"),
    sort_by=("size",),
)
