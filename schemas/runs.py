"""Runs, their models, and how training went.

| run               | model           | train_step | split | loss  | bits_per_char | accuracy | chars_per_second |
| counting-3fa9c1d2 | lstm-1x10-seed0 |        200 | valid | 0.412 |         0.594 |    0.731 |           310000 |
"""

import pyarrow as pa

from schemas.table import MODEL, RUN, SPLIT, Column, Table

RUNS = Table(
    name="runs",
    row="a run",
    columns=(
        RUN,
        Column("experiment", pa.string(), "its name"),
        Column("fingerprint", pa.string(), "digest of everything that determines its models"),
        Column("created", pa.timestamp("us", tz="UTC"), "when it was started; differs from lake to lake"),
        Column("git_commit", pa.string(), "commit of the code; NULL outside a checkout"),
        Column("versions", pa.string(), "versions of Python and of the packages that compute, as JSON"),
        Column(
            "config",
            pa.string(),
            "the experiment as it was begun, as JSON; what its own hypotheses are is in definitions",
        ),
    ),
)

MODELS = Table(
    name="models",
    row="a trained network",
    columns=(
        RUN,
        MODEL,
        Column("cell", pa.string(), "feedforward, rnn, lstm, gru or peephole_lstm"),
        Column("layers", pa.int32(), "stacked layers"),
        Column("hidden_size", pa.int32(), "neurons of a layer"),
        Column("seed", pa.int32(), "seed of the initial weights and of the order of batches; NULL: imported"),
        Column("parameters", pa.int64(), "number of trained parameters"),
    ),
    partition_by=("run", "model"),
)

METRICS = Table(
    name="metrics",
    row="one evaluation while training",
    columns=(
        RUN,
        MODEL,
        Column("train_step", pa.int64(), "updates made so far", "updates"),
        Column("split", SPLIT.type, "train: mean over the updates since the last row; valid: the whole split"),
        Column("loss", pa.float64(), "cross-entropy of the next character", "nats/char"),
        Column("bits_per_char", pa.float64(), "loss / ln 2", "bits/char"),
        Column(
            "accuracy",
            pa.float64(),
            "share of sequences whose determined steps are all predicted right; NULL if no step is determined",
        ),
        Column("chars_per_second", pa.float64(), "training speed since the last row, by the clock"),
        Column("workers", pa.int32(), "workers that shared every batch"),
        Column("gpu_bytes", pa.int64(), "peak memory on the first worker's GPU; NULL on a CPU", "bytes"),
    ),
    partition_by=("run", "model"),
    sort_by=("train_step", "split"),
)
