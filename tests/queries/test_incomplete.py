"""What an answer lacks is said, each time, where it was asked; an earlier checkpoint is named as such."""

import warnings
from pathlib import Path
from shutil import copytree

import pytest

import pipeline
from jobs.__main__ import main
from jobs.run.context import Run
from pipeline.queries.catalog import read_catalog
from pipeline.queries.lake import Lake
from pipeline.storage.folder import Folder
from schemas.errors import IncompleteWarning

MODEL = "gru-2x5-seed0"
NEURON = {"model": MODEL, "layer": 0, "neuron": 0, "sequence": 140}


@pytest.fixture
def root(small_lake: Run, tmp_path: Path) -> Path:
    """A dump that stopped before the last checkpoint of one model."""
    root = Path(copytree(small_lake.root, tmp_path / "lake"))
    next(root.glob(f"_meta/run=*/dump/model={MODEL}/checkpoint=12/manifest.json")).unlink()
    return root


@pytest.fixture
def lake(root: Path) -> Lake:
    return pipeline.open(str(root))


def test_each_answer_warns_once_at_the_line_that_asked(lake: Lake) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")  # as Python does outside of tests
        for _ in range(3):
            answer = lake.sql("select count(*) from activations")
            assert answer.fetchall() == answer.fetchall()
        lake.run("tiny", "last").ask("neuron_trace", **NEURON)
        lake.fetch("from predictions limit 1")
        lake.sql("from steps limit 1").fetchall()
    assert [warning.category for warning in caught] == [IncompleteWarning] * 5
    assert {warning.filename for warning in caught} == {__file__}
    assert len({warning.lineno for warning in caught}) == 3


def test_a_warning_may_be_hidden_or_an_error_as_any(lake: Lake) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteWarning)
        lake.fetch("from predictions limit 1")
        warnings.simplefilter("error", IncompleteWarning)
        with pytest.raises(IncompleteWarning):
            lake.sql("from predictions limit 1")


@pytest.mark.parametrize(
    "words",
    [
        ["sql", "--run", "tiny", "--checkpoint", "last", "select avg(loss) from predictions group by model"],
        ["show", "tiny", MODEL, "L0/N0"],
        ["sql", "-f", "neuron_peaks", "--set", "run=tiny", "--set", f"model={MODEL}", "--set", "layer=0",
         "--set", "neuron=0"],
    ],
)  # fmt: skip
def test_what_is_taken_for_the_last_checkpoint_is_named(
    root: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--root", str(root)]) == 0
    out, err = capsys.readouterr()
    assert err.count(f"; {MODEL}: 12 is missing, 0 is taken for the last") == 1
    assert "lstm" not in err
    assert (
        words[0] != "show"
        or f"{MODEL} L0/N0 cell_state, checkpoint 0" in out
        or "hidden_state, checkpoint 0" in out
    )


def test_scores_and_many_models_are_told_too(root: Path) -> None:
    for manifest in root.glob("_meta/run=*/score/*/*/checkpoint=12/manifest.json"):
        manifest.unlink()
    (told,) = read_catalog(Folder(str(root))).incomplete(["scores"])
    assert told.endswith(f"; {MODEL}: 12 is missing, 0 is taken for the last; "
                         "lstm-2x5-seed0: 12 is missing, 0 is taken for the last")  # fmt: skip
    for manifest in root.glob("_meta/run=*/dump/*/checkpoint=0/manifest.json"):
        manifest.unlink()
    (told,) = read_catalog(Folder(str(root))).incomplete(["activations"])
    assert told.endswith("rows of it are missing"), "an earlier one that is missing is in no other's place"
