"""Corpora: memory and speed of reading, cutting and training on a small text against a ten times larger one.

Each stage runs in a fresh process. Its peak is that of RssAnon, sampled: pages of a mapped file are the system's
to drop, and VmHWM would count them.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from jobs.main_path import run_stages
from jobs.run.opening import open_run
from jobs.run.reading import read_sequences
from jobs.runners.local import LocalRunner
from pipeline.models.recurrent_lm import make_model
from pipeline.training.trainer import Trainer
from schemas.experiment import Experiment
from schemas.parse import parse_experiment
from tests.benchmarks.measure import Theme, number

REPOSITORY = Path(__file__).parent.parent.parent
LIBRARY = Path(sysconfig.get_path("stdlib"))
STATUS = Path("/proc/self/status")
STAGES = ("survey", "generate", "train")
EVERY = 0.02  # seconds between two looks


class Sizes(NamedTuple):
    """How much is read."""

    megabytes: tuple[int, int]
    updates: int
    processes: bool  # a fresh one for each stage; they take seconds to start


FULL, QUICK = Sizes((100, 1_000), 50, processes=True), Sizes((1, 2), 2, processes=False)


def run(*, quick: bool) -> Theme:
    """Both sizes, stage by stage."""
    sizes = QUICK if quick else FULL
    work = _in_fresh_process if sizes.processes else _work
    found: dict[int, dict[str, tuple[float, float, float]]] = {}
    for megabytes in sizes.megabytes:
        with tempfile.TemporaryDirectory() as folder:
            _write_text(Path(folder, "text"), megabytes)
            found[megabytes] = {stage: work(stage, folder, sizes.updates) for stage in STAGES}
    few, many = sizes.megabytes
    return Theme(
        title="Corpora",
        method=(
            f"Python source, each file repeated with a distinguishing line: {few} MB and {many:,} MB. Survey: "
            "every document is read, cleaned, digested and counted. Generate: documents are read again, cut "
            "into windows of 512, encoded, and written as `steps` and `documents`. Train: the tokens are read "
            f"from there, then {sizes.updates} updates of a 1 x 32 LSTM on chunks of 128. One process, once "
            "each; memory is the largest RssAnon, in brackets what it was before (imports; for the other "
            "stages, the survey)."
        ),
        header=("stage", *(f"{size:,} MB: peak, MB; seconds" for size in sizes.megabytes), "peak / peak"),
        rows=[
            (
                stage,
                *(_told(found[size][stage]) for size in sizes.megabytes),
                number(found[many][stage][1] / found[few][stage][1]),
            )
            for stage in STAGES
        ],
        notes=[f"Survey and generate together: {number(many / sum(found[many][s][2] for s in STAGES[:2]))} MB/s."],
        raw={str(size): stages for size, stages in found.items()},
    )


def _told(stage: tuple[float, float, float]) -> str:
    imported, peak, seconds = stage
    return f"{number(peak)} ({number(imported)}); {number(seconds)}"


def _write_text(folder: Path, megabytes: int) -> None:
    """The standard library's files, over and over, until there is enough; no two are equal."""
    folder.mkdir()
    written, turn, texts = 0, 0, [path.read_bytes() for path in sorted(LIBRARY.glob("*.py"))]
    while written < megabytes * 1_000_000:
        for place, text in enumerate(texts):
            data = f"# copy {turn}\n".encode() + text
            (folder / f"{turn:04}-{place:04}.py").write_bytes(data)
            written += len(data)
            if written > megabytes * 1_000_000:
                break
        turn += 1


def _experiment(folder: str) -> Experiment:
    task = {"name": "text", "files": [f"{folder}/text"], "not_ascii": "replace", "not_utf8": "replace"}
    return parse_experiment(
        {
            "name": "corpora",
            "task": {**task, "window": 512},
            "corpus": {"train": 0, "valid": 50, "probe": 50},
            "training": {"batch_size": 32, "truncate": 128, "learning_rate": 0.005},
            "model": {"hidden_size": [32]},
        },
        "benchmark",
    )


def _in_fresh_process(stage: str, folder: str, updates: int) -> tuple[float, float, float]:
    """MB when the modules are imported, MB at the peak, and seconds."""
    command = [sys.executable, "-m", "tests.benchmarks.corpora", stage, folder, str(updates)]
    answer = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    imported, peak, seconds = json.loads(answer.stdout.splitlines()[-1])
    return imported, peak, seconds


def _work(stage: str, folder: str, updates: int) -> tuple[float, float, float]:
    """What the fresh process does."""
    root = f"{folder}/lake"
    found = open_run(_experiment(folder), root) if stage != "survey" else None
    imported, begun, peak = _anonymous(), time.perf_counter(), Peak()
    with peak:
        if found is None:
            open_run(_experiment(folder), root)
        elif stage == "generate":
            run_stages(found, LocalRunner(), ["generate"])
        else:
            spec = found.models[0]
            model = make_model(spec.architecture(len(found.vocabulary())), 0)
            Trainer(model, read_sequences(found, "train"), found.experiment.training, 0).advance(updates)
    return imported, peak.megabytes, time.perf_counter() - begun


class Peak:
    """The most anonymous memory of this process while it is open."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        """Begin to look."""
        self.megabytes = _anonymous()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """End."""
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(EVERY):
            self.megabytes = max(self.megabytes, _anonymous())


def _anonymous() -> float:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) / 1000  # the system counts in kB


if __name__ == "__main__":
    print(json.dumps(_work(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
