import json

import pytest
import torch

from pipeline.models.checkpoint import FILES, read_checkpoint, write_checkpoint
from pipeline.models.recurrent_lm import make_model
from schemas.signals import CELL_SIGNALS
from tests.models.test_cells import architecture


@pytest.mark.parametrize("cell", CELL_SIGNALS)
def test_a_checkpoint_comes_back_as_it_was(cell: str) -> None:
    model = make_model(architecture(cell, 2), 4)
    files = write_checkpoint(model, "\nXabc")
    assert tuple(files) == FILES
    again, characters = read_checkpoint(files)
    assert characters == "\nXabc"
    assert again.architecture == model.architecture
    tokens = torch.tensor([[0, 1, 2, 3, 4]])
    assert torch.equal(again(tokens)[0], model(tokens)[0])
    assert write_checkpoint(again, characters) == files


def test_no_file_is_a_pickle() -> None:
    files = write_checkpoint(make_model(architecture("lstm"), 0), "\nXabc")
    header = int.from_bytes(files["model.safetensors"][:8], "little")
    assert "readout.weight" in json.loads(files["model.safetensors"][8 : 8 + header])
    for name in ("config.json", "vocabulary.json"):
        assert isinstance(json.loads(files[name]), dict)
