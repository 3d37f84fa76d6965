"""What a dump's checkpoint says of it: the weights, and what layer 0 is given at a token. No torch."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from safetensors.numpy import load

from pipeline.queries.audit.dumps import Dump, checkpoint_objects
from pipeline.queries.audit.weights import INPUTS, SCHEMA, architecture_of, input_rows, weight_rows
from pipeline.queries.catalog import Catalog
from pipeline.storage.folder import Folder
from pipeline.storage.shards import read_verified
from schemas.errors import StorageError
from schemas.manifest import AS_READ


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as far as the audit needs it."""

    config: bytes = b""
    weights: pa.Table = field(default_factory=SCHEMA.empty_table)
    inputs: pa.Table = field(default_factory=INPUTS.empty_table)  # none for ours, whose input is the token itself
    missing: str = ""  # why there are no weights
    hidden: str = ""  # why the input of layer 0 is not known


def read_checkpoint(folder: Folder, catalog: Catalog, dump: Dump, cell: str) -> Checkpoint:
    """The checkpoint of a dump, verified, or why its weights are of no use."""
    objects = checkpoint_objects(catalog, dump)
    if "config.json" not in objects:
        return Checkpoint(missing="its weights are not in the lake")
    config = b""
    try:
        config = read_verified(folder, objects["config.json"])
        is_ours = architecture_of(config) is not None
        file = objects.get("model.safetensors" if is_ours else AS_READ)
        if file is None:
            why = "its weights are not in the lake as its network reads them: make it again with --replace train"
            return Checkpoint(config, missing=why)
        tensors = load(read_verified(folder, file))
    except StorageError:
        return Checkpoint(config, missing="its weights have changed")

    if is_ours:
        return Checkpoint(config, weight_rows(tensors, cell, "recurrent"))
    return _imported(config, tensors, cell)


def _imported(config: bytes, tensors: dict[str, np.ndarray], cell: str) -> Checkpoint:
    weights = weight_rows(tensors, cell)
    if "inputs" not in tensors:
        why = "what its network gives to layer 0 is not decided by the step's token alone, or too large to be kept"
        return Checkpoint(config, weights, hidden=why)
    return Checkpoint(config, weights, input_rows(tensors["inputs"], float(tensors["inputs_error"][0])))
