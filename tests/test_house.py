"""The house's own rules: sizes, fresh pages, and that what README says is true."""

import ast
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from contextlib import chdir
from pathlib import Path

import pytest

from jobs.__main__ import main
from jobs.run.experiment_file import load_experiment, shipped_experiments
from jobs.run.opening import open_run
from pipeline.annotation.hypotheses import HYPOTHESES
from pipeline.queries.question import questions
from pipeline.storage.folder import Folder
from schemas.tables import TABLES
from tests.conftest import REPOSITORY
from tests.python import run_python
from tests.regenerate import pages
from tests.s3 import s3_environment

SOURCES = sorted(path for top in ("schemas", "pipeline", "jobs") for path in (REPOSITORY / top).rglob("*.py"))
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])


@pytest.mark.parametrize("path", pages())
def test_generated_pages_are_fresh(path: str) -> None:
    assert (REPOSITORY / path).read_text() == pages()[path], "stale: run `make docs`"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_files_and_functions_are_small_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a file opens by saying what it is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name
            if not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_the_median_file_is_short() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in SOURCES)
    assert lengths[len(lengths) // 2] <= 150


def test_the_main_path_is_read_in_ten_minutes() -> None:
    story = [
        "jobs/main_path.py",
        "jobs/stages/dump.py",
        "pipeline/tasks/counting.py",
        "pipeline/models/cells.py",
        "pipeline/dumping/unroll.py",
        "schemas/activations.py",
        "pipeline/queries/top_neurons.sql",
    ]
    assert sum(len((REPOSITORY / path).read_text().splitlines()) for path in story) < 650


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_nothing_names_a_machine_or_a_registry() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    told = re.compile(
        r"/(work|root|home/\w+)/|pypi\.org|files\.pythonhosted|registry\.npm|deb\.debian", re.IGNORECASE
    )
    for name in tracked.stdout.split():
        path = REPOSITORY / name
        if path.suffix != ".png" and path.exists() and name != "tests/test_house.py":
            assert not told.search(path.read_text()), name


def test_every_word_is_in_the_docs() -> None:
    docs = "\n".join(page.read_text() for page in PAGES)
    for word in [*TABLES, *HYPOTHESES, *questions(), *shipped_experiments()]:
        assert f"`{word}`" in docs or f"## {word}\n" in docs, word


def test_every_shipped_experiment_loads() -> None:
    for name in shipped_experiments():
        experiment = load_experiment(name)
        assert experiment.name == name
        assert set(experiment.score.hypotheses) <= set(HYPOTHESES)


def test_constraints_pin_every_dependency_exactly() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=]", line)[0].lower() for line in wanted}
    pinned = dict(
        line.lower().split("==")
        for line in (REPOSITORY / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    assert names <= set(pinned)
    assert pinned["torch"] == "2.13.0"


def readme_commands() -> list[str]:
    return commands_of(REPOSITORY / "README.md")


def commands_of(page: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_the_first_pages_name_the_runs_that_their_commands_make(tmp_path: Path) -> None:
    """An id changes with the format version, and with a default."""
    ids = [
        open_run(load_experiment("counting", changes), str(tmp_path)).id
        for changes in ([], ["task.maximum=5", "model.seeds=1"])
    ]
    for page, named in (("README.md", ids[:1]), ("docs/tutorial.md", ids)):
        found = re.findall(r"counting-[0-9a-f]{8}", (REPOSITORY / page).read_text())
        assert sorted(set(found)) == sorted(named), page


def test_make_knows_the_targets_that_readme_names() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = [line.split()[1] for line in readme_commands() if line.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "unrolled run counting --root ./lake" in makefile


WORKING = ("run", "dump", "doctor")  # commands that start processes, import a user's code or look at their own


class Shell:
    """Types commands in a folder; what only reads is done in this process, which has everything imported."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        """What it prints; it ends well."""
        words = shlex.split(command)
        if words[0] == "unrolled" and words[1] not in WORKING:
            done = self._here(words)
        else:
            done = run_in_shell(command, self.folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done

    def _here(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        self._capsys.readouterr()
        with chdir(self.folder):
            code = main(words[1:])
        printed = self._capsys.readouterr()
        return subprocess.CompletedProcess(words, code, printed.out, printed.err)


def run_in_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make demo` has just run."""
    folder = tmp_path_factory.mktemp("demo")
    done = run_in_shell("unrolled run counting --root ./lake", folder)
    assert done.returncode == 0, done.stderr
    return folder


# What the pages' examples say is the reader's.
MODEL = """
import torch
from torch import nn

model, batch = nn.Module(), torch.zeros(2, 3, 4)
model.encoder = nn.Module()
model.encoder.lstm = nn.LSTM(4, 5, batch_first=True)
model.forward = lambda batch: model.encoder.lstm(batch)[0]
"""


def python_of(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text(), re.DOTALL)


def is_on_s3(command: str) -> bool:
    return "s3://" in command


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.long("trains the demo's four models, and three more")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_every_command_of_the_first_pages_runs(page: str, demo_folder: Path, shell: Shell) -> None:
    """After `make demo`, in order; each page in its own copy of what the demo has left."""
    shutil.copytree(demo_folder, shell.folder, dirs_exist_ok=True)
    commands = [line for line in commands_of(REPOSITORY / page) if not line.startswith("make ")]
    local = [command for command in commands if not is_on_s3(command)]
    assert len(local) > 5
    for command in local:
        assert shell.type(command).stdout, command
    done = run_python(MODEL + "\n".join(python_of(page)), shell.folder)
    assert done.returncode == 0, done.stderr


def test_the_python_of_the_capture_page_runs(tmp_path: Path) -> None:
    blocks = [*python_of("docs/capture.md"), "print(captured)"]
    done = run_python(MODEL + "\n".join(blocks), tmp_path)
    assert "'encoder.lstm': LSTM" in done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(300)
def test_the_demo_finds_a_neuron_that_counts(demo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(demo_folder, capsys)
    assert len(list(demo_folder.glob("lake/_meta/run=counting-*/answer.png"))) == 1
    counting = []
    for hypothesis, least in (("count_a", 0.97), ("remaining_b", 0.9)):
        asked = f"unrolled top counting --hypothesis {hypothesis} --signal cell_state --limit 200 --json"
        rows = json.loads(shell.type(asked).stdout)
        best = {(row["model"], row["layer"], row["neuron"]): abs(row["value"]) for row in rows}
        counting.append({place for place, r in best.items() if r >= least})
    assert counting[0] & counting[1], "no neuron of any seed counts"


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.long("a Ray starts twice; four models are dumped and scored")
@pytest.mark.timeout(300)
def test_every_command_of_readme_on_s3_runs(demo_folder: Path, shell: Shell, localbucket: str) -> None:
    """From the demo's trained models on; tests/jobs/test_on_s3.py trains there too."""
    commands = [command for command in readme_commands() if is_on_s3(command)]
    assert [command.split()[1] for command in commands] == ["doctor", "run", "top", "runs"]
    with s3_environment(localbucket, "my-bucket"):
        carry_trained(Folder(str(demo_folder / "lake")), Folder("s3://my-bucket/lake"))
        for command in commands:
            assert shell.type(command).stdout, command


def carry_trained(source: Folder, target: Folder) -> None:
    """Copy what a run's first two stages have made."""
    done = ("checkpoints/", "metrics/", "models/", "runs/", "steps/", "_meta/lake.json")
    paths = [
        path for path in source.list() if path.startswith(done) or re.search(r"/(generate|train|run\.json)", path)
    ]
    assert len(paths) > 50
    for path in paths:
        assert target.create(path, source.read(path))


@pytest.mark.slow
@pytest.mark.long("trains a network in torch and imports it twice")
@pytest.mark.timeout(300)
def test_the_example_of_other_networks_runs(tmp_path: Path, shell: Shell) -> None:
    """Its two files written as they stand there, its commands typed in order."""
    page = REPOSITORY / "docs" / "other-networks.md"
    for language, name in (("python", "char_rnn.py"), ("toml", "char_rnn.toml")):
        (block,) = re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
        (tmp_path / name).write_text(block)
    outputs = {command: shell.type(command) for command in commands_of(page)}
    assert len(outputs) == 8
    (ran,) = [done for command, done in outputs.items() if command.startswith("unrolled run")]
    assert "generate" not in ran.stderr, "the file is the run that the flags made"
    (bits,) = [done.stdout for done in outputs.values() if "bits_per_char\n" in done.stdout]
    assert float(bits.split()[-1]) < 4
