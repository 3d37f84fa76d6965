"""The languages of a text's documents: told before anything is made."""

from pathlib import Path

import pytest

from jobs.__main__ import main
from jobs.run.defined import hypothesis_settings
from jobs.run.experiment_file import load_experiment

EXPERIMENT = """
name = "mixed"
[task]
name = "text"
files = ["{}/*.*"]
[corpus]
train = 2
valid = 1
probe = 1
[score]
hypotheses = ["{}"]
"""


@pytest.mark.parametrize(("hypothesis", "told"), [("in_string", True), ("line_position", False)])
def test_code_that_is_not_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hypothesis: str, told: bool
) -> None:
    for number, suffix in enumerate(("py", "py", "rb", "php", "txt")):
        (tmp_path / f"{number}.{suffix}").write_text(f"a = {number}\n" * 9)
    experiment = tmp_path / "mixed.toml"
    experiment.write_text(EXPERIMENT.format(tmp_path, hypothesis).replace("*.*", "[0-9].*"))

    assert main(["run", str(experiment), "--root", str(tmp_path / "lake"), "--plan"]) == 0
    line = "plain text to hypotheses: PHP (.php), Ruby (.rb); in_string takes all of it for code"
    assert (line in capsys.readouterr().err) == told


def test_a_plan_knows_the_edition_of_its_hypothesis() -> None:
    experiment = load_experiment("counting", [])
    assert hypothesis_settings(experiment, "in_string") == {"language": "auto", "edition": 2}
    assert hypothesis_settings(experiment, "is_emoji") == {"edition": 2}
    assert hypothesis_settings(experiment, "count_a") == {}
