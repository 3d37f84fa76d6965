"""`--plan` against what then happens."""

from pathlib import Path

import pytest

from jobs.main_path import STAGES, run_stages
from jobs.plan.cost import cost_table
from jobs.run.opening import open_run
from jobs.runners.local import LocalRunner
from pipeline.storage.manifests import read_manifest
from schemas.parse import parse_experiment
from schemas.stages import checkpoint_unit


@pytest.mark.parametrize("is_trained", [False, True])
def test_a_dumps_rows_and_bytes_are_told_within_a_quarter(tmp_path: Path, is_trained: bool) -> None:
    document = {
        "name": "told",
        "task": {"name": "counting", "maximum": 8},
        "corpus": {"train": 200, "valid": 20, "probe": 400},
        "model": {"cell": ["lstm", "gru"], "layers": [2], "hidden_size": [12]},
        "training": {"steps": 20, "evaluations": 1, "checkpoints": 2},
        "dump": {"sequences_per_shard": 120, "checkpoints": "all"},
    }
    run = open_run(parse_experiment(document, "test"), str(tmp_path / "lake"))
    if is_trained:
        run_stages(run, LocalRunner(), ["generate", "train"])
    (told,) = cost_table(run, ["dump"], 1).to_pylist()
    assert is_trained == Path(run.root).exists()
    assert not Path(run.root, "activations").exists()

    run_stages(run, LocalRunner(), [stage.name for stage in STAGES[:3]])
    units = [checkpoint_unit(model.name, checkpoint) for model in run.models for checkpoint in (0, 20)]
    manifests = [read_manifest(run.folder, run.id, "dump", unit) for unit in units]
    objects = [stored for manifest in manifests if manifest for stored in manifest.objects]
    assert told["rows"] == pytest.approx(sum(stored.rows for stored in objects), rel=0.25)
    number, unit = told["size"].split()
    size = float(number) * {"kB": 1e3, "MB": 1e6}[unit]
    assert size == pytest.approx(sum(stored.bytes for stored in objects), rel=0.25)
    assert told["pieces"] == 4 * len(units)
    assert told["memory"].endswith("a worker")
    assert all(residual.largest <= 1e-5 for stored in objects for residual in stored.residuals)
    assert sum(bool(stored.residuals) for stored in objects) == 2 * told["pieces"]
