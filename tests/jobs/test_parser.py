"""The command line itself: its words, those that are wrong, and its help."""

import subprocess
import sys
from pathlib import Path

import pytest

from jobs.__main__ import main
from jobs.commands.parser import make_parser
from jobs.run.context import Run


def test_help_answers_without_heavy_imports() -> None:
    """No timed assert: what would make it slow is that it imports torch, pyarrow and their like."""
    heavy = "{'torch', 'pyarrow', 'ray', 'duckdb', 'numpy', 'pydantic', 'fsspec', 'matplotlib'}"
    script = (
        "import sys\nfrom jobs.__main__ import main\n"
        "try:\n    main(['top', '--help'])\nexcept SystemExit:\n    pass\n"
        f"print('heavy:', sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "which neurons follow" not in done.stderr
    assert done.stdout.endswith("heavy: []\n")


def test_the_frozen_surface() -> None:
    """A word is added here on purpose, or not at all."""
    parser = make_parser()
    commands = next(action.choices for action in parser._actions if action.dest == "command")
    assert isinstance(commands, dict)
    stage = ["--debug", "--plan", "--replace", "--root", "--runner", "--set", "--wait", "--workers", "EXPERIMENT"]
    surface = {
        name: sorted(
            (action.option_strings or [action.metavar or action.dest])[-1] for action in command._actions[1:]
        )
        for name, command in commands.items()
    }
    stages = ("generate", "train", "dump", "annotate", "score", "extrapolate", "sample")
    common = ["--debug", "--root"]
    drawing = ["--prompt", "--length", "--temperature", "--greedy", "--top-k", "--samples", "--seed", "--line"]
    placement = ["--data-parallel", "--gpus-per-worker", "--save-every", "--tensorboard"]
    network = ["--model", "--weights", "--vocabulary", "--corpus", "--window", "--sequences", "--name"]
    network += ["--tokenizer", "--recurrent"]
    matching = ["OTHER_MODEL", "--other-checkpoint", "--other-run"]
    place = ["L0/N7", "MODEL", "RUN"]
    assert surface == {
        "run": sorted([*stage, *placement, "--until"]),
        **dict.fromkeys(stages, stage),
        "train": sorted([*stage, *placement]),
        "dump": sorted([*stage, *network]),
        "runs": sorted([*common, "--dry-run", "--json", "--older-than", "--yes", "RUN", "action"]),
        "gc": sorted([*common, "--dry-run", "--json", "--older-than"]),
        "sql": sorted([*common, "--file", "--format", "--questions", "--set", "--run", "--checkpoint", "SELECT"]),
        "top": sorted(
            [*common, "--checkpoint", "--hypothesis", "--json", "--limit", "--measure", "--signal", "RUN"]
        ),
        "roles": sorted([*common, "--all", "--checkpoint", "--json", "MODEL", "RUN"]),
        "claims": sorted([*common, "--checkpoint", "--json", "RUN"]),
        "write": sorted([*common, *drawing, "--checkpoint", "--json", "--model", "--stored", "--dump", "RUN"]),
        "doctor": sorted([*common, "--json"]),
        "audit": sorted([*common, "--checkpoint", "--json", "--model", "RUN"]),
        "match": sorted(
            [*common, *place[1:], *matching, "--checkpoint", "--json", "--layer", "--limit", "--signal"]
        ),
        "show": sorted(
            [*common, *place, "--checkpoint", "--json", "--limit", "--picture", "--sequence", "--signal"]
        ),
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["shwo", "tiny"], "unknown 'shwo': did you mean 'show'? known: run, "),
        (["runs", "lst"], "unknown 'lst': did you mean 'ls'? known: ls, show, rm, gc"),
        (["sql", "select 1", "--format", "jsn"], "--format: unknown 'jsn': did you mean 'json'?"),
        (["run", "counting", "--until", "zzz"], "--until: unknown 'zzz': known: generate, "),
        (["top", "tiny", "--hypothesis", "is_x", "--chekpoint", "1"], "(did you mean '--checkpoint'?)"),
        (["audit", "tiny", "more"], "unrecognized arguments: more\n"),
        (["top", "tiny", "--hypothesis", "is_x", "--limit", "0"], "--limit: 0 is less than 1"),
        (["show", "tiny", "m", "L0/N0", "--limit", "-1"], "--limit: -1 is less than 1"),
    ],
)
def test_a_wrong_word_is_told_with_the_right_one(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_the_root_may_stand_before_the_command(
    tiny_lake: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", tiny_lake.root, "runs"]) == 0
    assert tiny_lake.id in capsys.readouterr().out
    assert main(["--root", str(tmp_path), "runs", "--root", tiny_lake.root]) == 0, "the last one counts"
    assert main(["--debug", "--root", str(tmp_path), "runs"]) == 2
    assert capsys.readouterr().err.startswith("Traceback")
    assert make_parser().parse_args(["runs"]).root == "./lake"


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sql", "select 1", "--root", str(tmp_path), "--debug"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert "UsageError: there is no lake at" in told


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "unrolled run counting" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == "0.1.0"
