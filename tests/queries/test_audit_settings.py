"""The audit of dumps that hold a part: layers, and a nonlinearity that most of the cells go without."""

from pathlib import Path

import pyarrow as pa
import pytest

import pipeline
from jobs.main_path import run_stages
from jobs.runners.local import LocalRunner
from tests.conftest import tiny_run


def audited(root: Path, model: dict[str, object], dump: dict[str, object]) -> pa.Table:
    run = tiny_run(root, model=model, dump=dump)
    run_stages(run, LocalRunner(), ["generate", "train", "dump"])
    return pipeline.open(run.root).audit(run.id)


@pytest.mark.parametrize("layers", [[0], [1]])
def test_some_layers_of_a_dump_are_all_that_is_asked_for(tmp_path: Path, layers: list[int]) -> None:
    found = audited(tmp_path / "lake", {"cell": ["lstm", "gru"], "layers": [2]}, {"layers": layers})
    lines = {line["invariant"]: line for line in found.to_pylist()}
    assert not any(line["violations"] for line in lines.values())
    assert lines["complete"]["rows_checked"] > 0
    assert (lines["gates"]["rows_checked"] > 0) == (0 in layers)


def test_a_relu_is_no_business_of_gated_cells(tmp_path: Path) -> None:
    model: dict[str, object] = {"cell": ["lstm", "gru", "rnn"], "layers": [1], "nonlinearity": "relu"}
    found = audited(tmp_path / "lake", model, {})
    assert not any(line["violations"] for line in found.to_pylist())
