"""Faults: the laboratory with all of its seeds; what was injected, and what was survived."""

import tempfile
from pathlib import Path
from statistics import median

import pytest

from tests.benchmarks.measure import Theme
from tests.faults.bench import Bench, open_bench
from tests.faults.laboratory import KINDS, Kind, Outcome, experience

Outcomes = list[Outcome]
QUICK = 1  # kinds, of one seed


def run(*, quick: bool) -> Theme:
    """Every kind and seed; what is not survived is told, and the rest goes on."""
    outcomes: dict[str, Outcomes] = {}
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", folder)  # Ray writes into it
        patch.setenv("RAY_AUTH_MODE", "disabled")
        with open_bench(Path(folder)) as bench:
            for kind in KINDS[:QUICK] if quick else KINDS:
                outcomes[kind.name] = _all_seeds(bench, kind, 1 if quick else kind.deep, notes)
    survived = [outcome for found in outcomes.values() for outcome in found]
    faults = sum(outcome.faults for outcome in survived)
    return Theme(
        title="Faults",
        method=(
            "Each scenario disturbs `unrolled run` of a small experiment (2-layer LSTM, two checkpoints, every "
            "stage) at a moment that its seed chooses, continues with the same command, and compares the lake "
            "with that of an undisturbed run: exactly the same objects, with the same bytes."
        ),
        header=("kind", "scenarios", "survived", "faults injected", "seconds, median"),
        rows=[
            *(_row(kind, outcomes[kind.name], quick=quick) for kind in KINDS if kind.name in outcomes),
            ("all", str(len(survived) + len(notes)), str(len(survived)), str(faults), ""),
        ],
        notes=notes or ["Not survived: none."],
        raw={name: [outcome.__dict__ for outcome in found] for name, found in outcomes.items()},
    )


def _all_seeds(bench: Bench, kind: Kind, count: int, notes: list[str]) -> Outcomes:
    found = []
    for seed in range(count):
        try:
            found.append(experience(bench, kind, seed))
            print(f"{kind.name}, seed {seed}: {found[-1].faults} survived, {found[-1].seconds:.1f} s", flush=True)
        except (AssertionError, TimeoutError, pytest.skip.Exception) as error:
            why = str(error).splitlines()[0]
            notes.append(f"Not survived, or not tried: {kind.name}, seed {seed}: {why}")
            print(f"{notes[-1]}\n{error}", flush=True)
    return found


def _row(kind: Kind, found: Outcomes, *, quick: bool) -> tuple[str, ...]:
    middle = f"{median(outcome.seconds for outcome in found):.1f}" if found else ""
    tried = 1 if quick else kind.deep
    return kind.name, str(tried), str(len(found)), str(sum(outcome.faults for outcome in found)), middle
