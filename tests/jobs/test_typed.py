"""Every command that a message prints does, pasted into a shell, what was meant."""

import re
import shlex
import subprocess
from pathlib import Path
from shutil import copytree

import pytest

from jobs.__main__ import main
from jobs.run.context import Run
from schemas.command import Typed, command
from schemas.manifest import RunRecord
from tests.conftest import do_all, tiny_run
from tests.jobs.toml_of import write_toml

ODD = [
    "a b",
    "c#d",
    "it's",
    'say "hi"',
    "$HOME",
    "`ls`",
    "a;b&c|d",
    "*",
    "(x)",
    "~",
    "back\\slash",
    "é",
    "!1",
    "-x",
    "'\"$",
]


@pytest.mark.parametrize("root", ODD)
def test_a_shell_reads_the_words_that_were_meant(root: str) -> None:
    words = ["show", root, "select 'a' from \"b\"", "run = 'x'", ""]
    for shell in ("sh", "bash"):
        typed = command(*words, root=root, program="printf").replace("printf", r"printf '%s\0'", 1)
        done = subprocess.run([shell, "-c", typed], capture_output=True, check=True, text=True)
        got = done.stdout.split("\0")[:-1]
        assert got == [*words, *([f"--root={root}"] if root.startswith("-") else ["--root", root])]


def test_sql_is_printed_as_a_person_would_type_it() -> None:
    query = "select * from metrics where run = 'r-1'"
    assert command("sql", query, root="./lake") == f'unrolled sql "{query}" --root ./lake'


def test_what_began_a_run_is_typed_where_it_was_typed() -> None:
    typed = Typed(words=("/data/my two.toml", "--set", "score.hypotheses=['count_a']"), folder="/data/a b")
    assert typed.again("/lake #1", "--replace", "dump") == (
        "cd '/data/a b' && unrolled run '/data/my two.toml' --set \"score.hypotheses=['count_a']\" "
        "--root '/lake #1' --replace dump"
    )
    assert Typed(words=("counting",)).again("l", stage="train") == "unrolled train counting --root l"


def test_a_run_that_began_in_python_is_not_said_to_have_a_command() -> None:
    live = RunRecord(run="network-1", experiment={"network": {"weights": "live"}}, inputs=None)
    assert live.again("/l") == "dump it again, in Python or by `unrolled write … --dump`"
    assert "`unrolled runs rm network-1 --yes --root /l` and dump" in live.again("/l", "--replace", "dump")


def pasted(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, shell=True, cwd=folder, check=False, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["it's #1 $HOME"])
def test_the_next_commands_of_an_odd_root_run(
    name: str, tmp_path: Path, tiny_lake: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / name
    copytree(tiny_lake.root, lake)
    toml = str(write_toml(tmp_path / "other name.toml", tiny_lake.experiment))
    assert main(["run", toml, "--runner", "local", "--root", str(lake)]) == 0
    commands = [line for line in capsys.readouterr().out.split("Type next:")[1].splitlines() if line.strip()]
    assert len(commands) == 3
    done = pasted(" && ".join(commands), tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose name is not its experiment's, and the folder that it is typed in."""
    monkeypatch.chdir(tmp_path)
    run = tiny_run(tmp_path, model={"cell": ["rnn"], "layers": [1]}, sample={"length": 0})
    return write_toml(tmp_path / "two.toml", run.experiment)


def test_the_audit_says_how_to_make_a_run_again(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = ["two.toml", "--set", "training.steps=10"]
    assert main(["run", *changed, "--until", "dump", "--runner", "local", "--root", "my lake"]) == 0
    lake = two.parent / "my lake"
    shard = next(lake.glob("activations/**/*.parquet"))
    shard.write_bytes(shard.read_bytes() + b"x")
    assert main(["audit", "tiny", "--root", "my lake"]) == 3
    (again,) = re.findall(r"type `(.*?)` to make it again", capsys.readouterr().err)
    assert again == f"unrolled run {two} --set training.steps=10 --root '{lake}' --replace dump"
    assert main([*shlex.split(again)[1:], "--until", "dump", "--runner", "local"]) == 0
    assert main(["audit", "tiny", "--root", "my lake"]) == 0


def test_a_stage_that_was_not_asked_for_is_not_to_be_gone_on_with(
    two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "two.toml", "--until", "train", "--runner", "local", "--root", "lake"]) == 0
    assert main(["write", "tiny", "--stored", "--root", "lake"]) == 2
    (ask,) = re.findall(r"its experiment asks for none: type `(.*?)`", capsys.readouterr().err)
    assert main([*shlex.split(ask)[1:], "--runner", "local", "--until", "sample"]) == 0
    assert main(["write", "tiny", "--stored", "--root", "lake"]) == 0
    assert main(["show", "tiny", "rnn-1x5-seed0", "L0/N0", "--root", "lake"]) == 0


@pytest.mark.parametrize(
    "root", ["s3://", "s3:///", "s3:", "s3:/bucket", "s3:///lake", "gs://", "file://", "memory:"]
)
def test_a_root_that_is_cut_short_is_refused(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "counting", "--root", root, "--runner", "local"]) == 2
    assert f"the root {root!r}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "s3:", model={"cell": ["rnn"], "layers": [1]})
    assert do_all(run)
