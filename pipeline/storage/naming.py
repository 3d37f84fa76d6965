"""How the objects of a lake's tables are named: the form of a path, whatever it holds."""

import re

from schemas.manifest import AS_READ
from schemas.tables import TABLES

VALUE = r"[^/]+"  # of a partition
DATA = (*TABLES, "checkpoints")  # the folders that they lie in
_SHARDS = [
    re.compile("/".join([name, *(f"{key}={VALUE}" for key in table.partition_by), r"part-\d{5,}\.parquet"]))
    for name, table in TABLES.items()
]
_CHECKPOINT = re.compile(
    rf"checkpoints/run={VALUE}/model={VALUE}/checkpoint=\d+/(?:[a-z]+\.(?:safetensors|json)|{re.escape(AS_READ)})"
)


def is_data(path: str) -> bool:
    """Whether a path is named as a shard or a checkpoint's file is."""
    return any(form.fullmatch(path) for form in (*_SHARDS, _CHECKPOINT))
