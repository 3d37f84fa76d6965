"""The shipped character models, end to end from one command each, on next to nothing."""

import zipfile
from pathlib import Path

import pytest

import pipeline
from jobs.__main__ import main
from jobs.main_path import run_stages
from jobs.run.experiment_file import load_experiment
from jobs.run.opening import open_run
from jobs.runners.local import LocalRunner
from jobs.runners.ray import RayRunner
from tests.conftest import digests

JAVA = """/*
 * Copyright (c) {0}, all rights reserved.
 */
package a.b{0};

/** What it is. */
public class Thing{0} {{
    private final String name = "thing {0}";  // a name

    @Override
    public String toString() {{
        return name + items[{0}];
    }}
}}
"""
SMALLER = {
    "training.steps": 6,
    "training.batch_size": 4,
    "training.truncate": 32,
    "training.evaluations": 2,
    "model.hidden_size": "[6]",
    "corpus.train": 20,
    "corpus.valid": 4,
    "corpus.probe": 6,
    "sample.length": 20,
}
TEXT = {"task.window": 128}


@pytest.fixture
def java(tmp_path: Path) -> Path:
    """A source archive, as a JDK has one."""
    path = tmp_path / "src.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(40):
            archive.writestr(f"java.base/a/b{number}/Thing{number}.java", JAVA.format(number))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["java_source", "python_source", "tweets"])
@pytest.mark.parametrize("variant", ["", "-small"])
def test_a_character_model_goes_from_one_command_to_scores(
    tmp_path: Path, java: Path, capsys: pytest.CaptureFixture[str], name: str, variant: str
) -> None:
    settings = SMALLER | (TEXT if name != "tweets" else {}) | {"model.layers": "[2]"}
    if name == "java_source":
        settings["task.files"] = f'["{java}"]'
    if name == "python_source":
        settings |= {"task.files": '["{stdlib}/a*.py"]'}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    root = str(tmp_path / "lake")
    assert main(["run", name + variant, "--root", root, "--runner", "local", *words]) == 0
    out, err = capsys.readouterr()
    assert "Which neuron follows each hypothesis best?" in out
    assert ("vocabulary: " in err) == (name != "tweets")
    lake = pipeline.open(root)
    (run,) = lake.fetch("select run, status from runs").to_pylist()
    assert run["status"] == "complete"
    scored = {row["hypothesis"] for row in lake.fetch("select distinct hypothesis from scores").to_pylist()}
    assert len(scored) >= 10
    assert not any(row["violations"] for row in lake.audit(run["run"]).to_pylist())
    written = lake.fetch("select distinct checkpoint, temperature, sample from samples order by all")
    assert len(written) == 3 * 2 * (4 if name == "tweets" else 2)  # checkpoints, temperatures, samples
    if name != "tweets":
        parted = lake.fetch("select name from documents group by name having count(distinct split) > 1")
        assert not len(parted)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(300)
def test_the_pieces_of_a_text_may_be_made_by_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.corpus.pieces.CHARACTERS_PER_PIECE", 100_000)
    monkeypatch.setattr("pipeline.corpus.pieces.SEQUENCES_PER_SHARD", 100)
    settings = ['task.files=["{stdlib}/[a-d]*.py"]', "corpus.valid=20", "corpus.probe=20"]
    experiment = load_experiment("python_source-small", settings)
    runs = [open_run(experiment, str(tmp_path / name)) for name in ("alone", "by_two")]
    run_stages(runs[0], LocalRunner(), ["generate"])
    with RayRunner(2) as runner:
        run_stages(runs[1], runner, ["generate"])
    alone, by_two = (digests(run.root) for run in runs)
    assert alone == by_two
    assert sum(path.startswith("steps") for path in alone) > 5
