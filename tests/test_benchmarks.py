import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.tasks.sequences import Sequences
from tests.benchmarks.__main__ import PAGES, main
from tests.benchmarks.ngrams import ngram_bits
from tests.conftest import REPOSITORY

HEADINGS = {
    "capture": ("## Capture", "lstm 1 x 8", "## Not measured"),
    "corpora": ("## Corpora", "| generate |", "## Not measured"),
    "faults": ("## Faults", "| all |", "## Not measured"),
    "layouts": ("## Layouts", "ours, 12,800 x 8", "## Not measured"),
    "main-path": ("## Dumping", "## Reading", "## Memory", "## Not measured"),
    "networks": ("## Networks", "| state_memory |", "## Not measured"),
    "peers": ("## Peers", "ours, exact", "## Not measured"),
    "sql-on-s3": ("## SQL on S3", "one neuron, all steps, 20 ms", "## Not measured"),
    "quality": ("## Quality", "| peephole_lstm |", "| lstm, char-rnn's settings |", "## Not measured"),
    "precision": ("## Precision", "bfloat16", "## Not measured"),
    "training": ("## Training", "## Training together", "## Not measured"),
    "storage": ("## Committing", "## Resuming", "## Workers", "## Not measured"),
}
ON_RAY = ("training", "storage")
LONG = pytest.mark.long("starts four Rays, as the page compares them")


def test_every_page_is_run() -> None:
    assert HEADINGS.keys() == PAGES.keys()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.ray, LONG] if name in ON_RAY else []) for name in HEADINGS]
)
def test_every_benchmark_runs(name: str, tmp_path: Path) -> None:
    """On tiny sizes: that the tables are filled, not what they say."""
    main(["--page", name, "--quick", "--out", str(tmp_path)])
    (page,) = tmp_path.glob("*.md")
    assert page.name.split("_")[0] == name
    text = page.read_text()
    for heading in HEADINGS[name]:
        assert heading in text
    assert next(tmp_path.glob(f"{name}_*.json"))


@pytest.mark.slow
def test_a_page_is_made_by_the_command_that_it_names(tmp_path: Path) -> None:
    """In a process of its own, as `make bench` does it."""
    command = [sys.executable, "-m", "tests.benchmarks", "--page", "capture", "--quick"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (page,) = tmp_path.glob("capture_*.md")
    assert "Made by `python -m tests.benchmarks --page capture --quick`" in page.read_text()


def test_quick_figures_replace_no_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--page", "capture", "--quick"])
    assert "--quick needs --out" in capsys.readouterr().err


def test_an_n_gram_model_is_witten_and_bells_by_hand() -> None:
    """Of "0101 00" (two sequences) and the question "01", with a vocabulary of 2."""
    train = Sequences(np.arange(2), np.array([0, 4, 6]), np.array([0, 1, 0, 1, 0, 0]), np.zeros(6, bool))
    valid = Sequences(np.arange(1), np.array([0, 2]), np.array([0, 1]), np.zeros(2, bool))
    bits = ngram_bits(train, valid, 2, range(1, 3))
    one = (2 + 2 * 0.5) / (6 + 2)  # of six characters two are a 1; two kinds were seen
    assert bits[1] == pytest.approx(-np.log2(one))
    assert bits[2] == pytest.approx(-np.log2((2 + 2 * one) / (3 + 2)))  # after a 0: two 1s, one 0


def test_longer_contexts_are_worth_something_where_there_is_something_to_learn() -> None:
    tokens = np.tile([0, 1, 2, 0, 2, 1], 50)
    both = Sequences(np.arange(1), np.array([0, 300]), tokens, np.zeros(300, bool))
    bits = ngram_bits(both, both, 3, range(1, 5))
    assert bits[1] == pytest.approx(np.log2(3), rel=0.01)
    assert bits[4] < 0.1 < bits[2]
