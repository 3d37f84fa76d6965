"""A checkpoint as three files: model.safetensors, config.json (the architecture), vocabulary.json. No pickle.

That of an imported network has a fourth, as_read.safetensors: `pipeline.dumping.as_read` says what it holds.
"""

import json

from safetensors.torch import load, save
from torch import Tensor

from pipeline.models.recurrent_lm import RecurrentLM
from schemas.experiment import Architecture

WEIGHTS = "model.safetensors"
FILES = (WEIGHTS, "config.json", "vocabulary.json")


def write_checkpoint(model: RecurrentLM, characters: str) -> dict[str, bytes]:
    """The checkpoint's files by name; the same weights give the same bytes."""
    return {
        "model.safetensors": tensors_to_bytes(model.state_dict()),
        "config.json": (model.architecture.model_dump_json(indent=2) + "\n").encode(),
        "vocabulary.json": (json.dumps({"characters": characters}) + "\n").encode(),
    }


def read_checkpoint(files: dict[str, bytes]) -> tuple[RecurrentLM, str]:
    """The model, ready to evaluate, and the vocabulary's characters."""
    model = RecurrentLM(Architecture.model_validate_json(files["config.json"]))
    model.load_state_dict(bytes_to_tensors(files["model.safetensors"]))
    characters: str = json.loads(files["vocabulary.json"])["characters"]
    return model.eval(), characters


def tensors_to_bytes(tensors: dict[str, Tensor]) -> bytes:
    """Named tensors as one safetensors file."""
    return bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def bytes_to_tensors(data: bytes) -> dict[str, Tensor]:
    """The named tensors of a safetensors file."""
    tensors: dict[str, Tensor] = load(data)
    return tensors
