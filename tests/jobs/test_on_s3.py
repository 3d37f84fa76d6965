"""The whole run on S3, typed as a user would, ends in the same bytes as on a disk."""

import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from jobs.__main__ import main
from jobs.run.context import Run
from tests.jobs.toml_of import write_toml

# `runs` and `metrics` hold a clock reading each.
DIGESTS = "select path, blake3 from shards where coalesce(\"table\", '') not in ('runs', 'metrics') order by all"


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.long("on Ray every object goes through a server in one process")
@pytest.mark.parametrize("runner", ["local", "ray"])
def test_a_run_on_s3_gives_the_digests_of_one_on_disk(
    tmp_path: Path, s3_root: str, small_lake: Run, runner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = write_toml(tmp_path / "tiny.toml", small_lake.experiment)
    typed = ["run", str(toml), "--root", s3_root, "--runner", runner, "--workers", "2"]
    command = [sys.executable, "-m", "jobs", *typed]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert "Which neuron follows" in done.stdout
    lake = pipeline.open(s3_root)
    assert lake.fetch(DIGESTS).equals(pipeline.open(small_lake.root).fetch(DIGESTS))
    assert not [path for path in lake.folder.list("_meta") if "/lease/" in path or "/resume/" in path]
    assert main(typed) == 0  # where nothing is to do, in this process and without Ray
    assert "nothing to do" in capsys.readouterr().err
