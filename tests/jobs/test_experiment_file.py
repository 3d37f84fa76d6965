"""Where the files of an experiment are looked for."""

import re
import tomllib
from pathlib import Path

import pytest

from jobs.__main__ import main
from jobs.run.experiment_file import load_experiment
from schemas.errors import UsageError
from schemas.task_settings import TextSettings
from tests.conftest import REPOSITORY


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


def test_the_smallest_experiment_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", (REPOSITORY / "docs" / "settings.md").read_text(), re.DOTALL)
    assert tomllib.loads(block)["task"] == {"name": "text", "files": ["texts"]}
    (tmp_path / "mine.toml").write_text(block)
    (tmp_path / "texts").mkdir()
    for number in range(12):
        (tmp_path / "texts" / f"{number}.txt").write_text(f"text {number}: " + "the cat sat on the mat. " * 40)
    monkeypatch.chdir(tmp_path)
    short = ["--set", "training.steps=3", "--runner", "local"]
    assert main(["run", "mine.toml", *short]) == 0
    told = capsys.readouterr()
    assert "train 64 sequences of 8 documents; valid 9 sequences of 2 documents; probe 9" in told.err
    assert main(["runs", "show", "mine"]) == 0
    assert '"train": 64' in capsys.readouterr().out


def test_a_hypothesis_that_needs_another_file_of_one_s_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of that file would not be noticed, and no worker has it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    define = "score.define=[{name='mine', python='mine.py:f'}]"
    toml = tmp_path / "mine" / "mine.toml"
    toml.write_text(
        "name = 'mine'\n[task]\nname = 'counting'\n[[score.define]]\nname = 'a'\npython = 'mine.py:f'\n"
    )
    (tmp_path / "mine" / "string").mkdir()  # of texts, and no module
    for place, name, args in (("mine", str(toml), []), (".", "counting", [define])):
        file = tmp_path / place / "mine.py"
        file.write_text("import string\nimport numpy\ndef f(text):\n    return [1] * len(text)\n")
        assert load_experiment(name, args).score.define
        for line, helper in (("import helper", "helper.py"), ("from words.more import x", "words/more.py")):
            other = tmp_path / place / helper
            other.parent.mkdir(exist_ok=True)
            other.write_text("x = 1\n")
            file.write_text(f"def f(text):\n    {line}\n    return [1] * len(text)\n")
            with pytest.raises(
                UsageError, match=rf"mine\.py imports {other.relative_to(tmp_path / place).parts[0][:5]}"
            ):
                load_experiment(name, args)
            other.unlink()
