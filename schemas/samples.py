"""Samples: what the models wrote by themselves.

| run                  | model            | checkpoint | temperature | prompt | text         | bits_per_char |
| java_source-3fa9c1d2 | lstm-3x512-seed0 |      20000 |         0.8 | pub    | lic void get |          1.21 |
"""

import pyarrow as pa

from schemas.table import CHECKPOINT, MODEL, RUN, Column, Table

SAMPLES = Table(
    name="samples",
    row="a text that a model wrote",
    columns=(
        RUN,
        MODEL,
        CHECKPOINT,
        Column("sample", pa.int32(), "its number among the samples at this temperature, from 0"),
        Column(
            "temperature", pa.float64(), "what the logits were divided by; 0: always the most probable character"
        ),
        Column("top_k", pa.int32(), "how many of the most probable characters were drawn from; NULL: all"),
        Column("seed", pa.int64(), "seed of the random numbers"),
        Column("prompt", pa.string(), "what the model read before it wrote"),
        Column("text", pa.string(), "what it wrote"),
        Column(
            "bits_per_char",
            pa.float64(),
            "how much the text surprised the model that wrote it, at temperature 1",
            "bits/char",
        ),
    ),
    partition_by=("run", "model", "checkpoint"),
    sort_by=("temperature", "sample"),
)
