"""What a model did: every signal of every neuron at every step, and what it predicted.

The values at step t are those after the network has read the character at step t. The state before step 0 is 0.

| run | model | checkpoint | layer | neuron | sequence | step | token | input_gate | forget_gate | … | cell_state |
| …   | …     |       2000 |     0 |      4 |    21000 |    0 |     3 |      0.981 |       0.997 | … |      0.963 |
"""

import pyarrow as pa

from schemas.signals import SIGNALS
from schemas.table import CHECKPOINT, LAYER, MODEL, NEURON, RUN, SEQUENCE, STEP, TOKEN, Column, Table

_NOTES = {
    "input_gate": "(0, 1): how much of the candidate is saved",
    "forget_gate": "(0, 1): how much of the previous cell state is remembered",
    "output_gate": "(0, 1): how much of the cell state is shown",
    "reset_gate": "(0, 1): how much of the previous hidden state enters the candidate",
    "update_gate": "(0, 1): how much of the previous hidden state is kept",
    "candidate": "(-1, 1): what could be saved",
    "cell_state": "unbounded: the long-term memory",
    "hidden_state": "(-1, 1), or [0, inf) for a relu: the working memory",
}

ACTIVATIONS = Table(
    name="activations",
    row="a neuron at a step",
    columns=(
        RUN,
        MODEL,
        CHECKPOINT,
        LAYER,
        NEURON,
        SEQUENCE,
        STEP,
        TOKEN,
        *(Column(signal, pa.float32(), _NOTES[signal]) for signal in SIGNALS),
    ),
    partition_by=("run", "model", "checkpoint", "layer"),
    sort_by=("neuron", "sequence", "step"),
)

PREDICTIONS = Table(
    name="predictions",
    row="a model at a step",
    columns=(
        RUN,
        MODEL,
        CHECKPOINT,
        SEQUENCE,
        STEP,
        Column("loss", pa.float32(), "-log of the target's probability; NULL at the last step", "nats"),
        Column("probability", pa.float32(), "probability of the target; NULL at the last step"),
        Column("predicted", pa.string(), "the most probable next character"),
        Column("entropy", pa.float32(), "entropy of the prediction", "nats"),
    ),
    partition_by=("run", "model", "checkpoint"),
    sort_by=("sequence", "step"),
)
