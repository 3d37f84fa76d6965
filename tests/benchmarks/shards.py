"""Blocks to shards as the dump stage does it: audited, and packed beside the next block's computation."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from jobs.process.ahead import Ahead
from jobs.stages.dump import append_block
from pipeline.dumping.audit import ShardAudit
from pipeline.dumping.unroll import Block
from pipeline.storage.folder import Folder
from pipeline.storage.tiles import TileWriter
from schemas.activations import ACTIVATIONS
from schemas.signals import CELL_SIGNALS


def write_blocks(root: Path | str, blocks: Iterable[Block], layers: int, precision: str) -> int:
    """Bytes of the shards of every layer, committed."""
    with ExitStack() as stack:
        partition = {"run": "benchmark", "model": "lstm", "checkpoint": 0}
        shards = []
        for layer in range(layers):
            place = {**partition, "layer": layer}
            writer = TileWriter(Folder(str(root)), ACTIVATIONS, place, 0, "benchmark")
            shards.append((layer, stack.enter_context(writer), ShardAudit()))
        with Ahead() as ahead:
            for block in blocks:
                for layer, shard, audit in shards:
                    ahead.call(append_block, ahead, shard, block, layer, CELL_SIGNALS["lstm"], precision)
                    audit.add(block.layers[layer])
        for _, _, audit in shards:
            audit.require(1e-5, "the benchmark's network")
    return sum(shard.stored.bytes for _, shard, _ in shards)


def joined(blocks: Iterable[Block], layers: int) -> list[dict[str, np.ndarray]]:
    """For each layer, by signal: all steps, (neurons, N)."""
    parts = list(blocks)
    return [
        {name: np.concatenate([block.signal(layer, name) for block in parts], 1) for name in CELL_SIGNALS["lstm"]}
        for layer in range(layers)
    ]
