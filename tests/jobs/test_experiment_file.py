"""Where the files of an experiment are looked for."""

from pathlib import Path

import pytest

from jobs.run.experiment_file import load_experiment
from schemas.task_settings import TextSettings


def files(toml: Path, *overrides: str) -> list[str]:
    task = load_experiment(str(toml), overrides).task
    assert isinstance(task, TextSettings)
    return task.files


def test_relative_files_are_found_from_wherever_a_worker_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    toml = tmp_path / "mine" / "mine.toml"
    named = '["texts", "../*.txt", "/whole.txt", "s3://bucket/**", "{stdlib}/*.py"]'
    toml.write_text(f'name = "mine"\n[task]\nname = "text"\nfiles = {named}\n')
    monkeypatch.chdir(tmp_path)
    beside = [f"{tmp_path}/mine/texts", f"{tmp_path}/mine/../*.txt"]
    assert files(toml) == [*beside, "/whole.txt", "s3://bucket/**", "{stdlib}/*.py"]
    assert files(toml, 'task.files=["other.txt"]') == [f"{tmp_path}/other.txt"]
