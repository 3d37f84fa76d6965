"""The answer of a run, in words, colours and a picture; every figure is read back from the lake by SQL."""

import os
import shutil
import sys
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa

import pipeline
from jobs.commands.chance import NOTHING_BEYOND_CHANCE, beyond_chance
from jobs.commands.neuron import neuron_scale
from jobs.commands.notes import hypothesis_notes
from jobs.commands.output import wants_colour
from jobs.run.context import Run
from jobs.run.defined import is_yes_no
from pipeline.queries.lake import Lake
from pipeline.rendering.terminal import UNIT, Scale, coloured_text, format_table, legend
from schemas.command import command
from schemas.errors import StorageError, some

Row = dict[str, Any]
SHOWN = 20  # names of what a table leaves out
ORDER = ("first", "second")  # hypotheses of the headline
MANY = 5  # hypotheses from which on a table tells the best neuron of each
COURSE = "select * from metrics where run = '{run}' order by model, train_step"
# Of a network that was trained elsewhere there is no course.
MEAN_LOSS = (
    "select target, avg(loss) as loss, count(*) as n from predictions join steps using (run, sequence, step) "
    "where run = '{run}' group by target order by n desc"
)
LONG = 1_500  # characters of text that the answer shows at most, but for the first text


def print_answer(run: Run) -> None:
    """Print what a complete run has to say, save its picture, and name the next commands."""
    lake = pipeline.open(run.root)
    print(f"\n{run.id}\n\nDoes it do its task?\n")
    print(_indented(format_table(lake.ask("model_answers", run=run.id))))
    wanted = run.experiment.score.headline or run.experiment.score.hypotheses[:1]
    notes = hypothesis_notes(lake, run.id) if run.experiment.score.hypotheses else {}
    best, texts, scale = _print_neurons(lake, run, wanted, notes) if wanted else (None, [], UNIT)
    if len(run.experiment.score.hypotheses) >= MANY:
        print("\nWhich neuron follows each hypothesis best?\n")
        table = lake.ask("best_neurons", run=run.id).drop_columns(["null_value", "n"])
        if not any(table["category"].to_pylist()):
            table = table.drop_columns(["category"])
        print(_indented(format_table(table)))
        _print_left_out("hypothesis", run.experiment.score.hypotheses, table["hypothesis"].to_pylist())
    told = [] if best else wanted  # in the place of the neurons that there are not
    _print_notes([notes[h] for h in run.experiment.score.hypotheses if h in notes and h not in told])
    print("\nWhat was written?\n")
    print(_indented(format_table(lake.ask("dumped", run=run.id))))
    print(f"\nPicture: {_save_picture(lake, run, best, texts, scale, wanted)}")
    _print_next(run, best, wanted)


def _print_neurons(
    lake: Lake, run: Run, wanted: list[str], notes: Mapping[str, str]
) -> tuple[Row | None, list[Row], Scale]:
    """The neuron of each model that follows the headline's hypotheses; give the best, its texts and its scale."""
    first, second = wanted[0], wanted[1] if len(wanted) > 1 else None
    neurons = lake.ask("headline_neurons", run=run.id, first=first, second=second).to_pylist()
    models = [model.name for model in run.models]
    print(f"\nWhich neuron follows {' and '.join(wanted)}?\n")
    if not neurons:
        _print_left_out("model", models, [])
        for name in (name for name in wanted if name in notes):
            print(f"  {notes[name]}")
        return None, [], UNIT

    rows = [_follows(row, which, name) for row in neurons for which, name in zip(ORDER, wanted, strict=False)]
    print(_indented(format_table(pa.Table.from_pylist(rows))))
    _print_left_out("model", models, [row["model"] for row in neurons])
    if not any(beyond_chance(row["q_value"]) for row in rows):
        print(f"  {NOTHING_BEYOND_CHANCE}")

    best: Row = neurons[0]
    print(f"\n{best['model']} L{best['layer']}/N{best['neuron']} {best['signal']}, over a few sequences:\n")

    texts = _texts(lake, run.id, best, first)
    colour = wants_colour()
    place = {name: best[name] for name in ("model", "checkpoint", "layer", "neuron")}
    _, scale = neuron_scale(lake, run.id, place, best["signal"])
    print(f"  {legend(scale, colour=colour)}\n")
    for row in texts:
        print(_indented(coloured_text(row["chars"], row["values"], scale, colour=colour)))
    return best, texts, scale


def _follows(row: Row, which: str, hypothesis: str) -> Row:
    """How a headline neuron follows the first or the second hypothesis."""
    found = {name: row[f"{which}_{name}"] for name in ("category", "measure", "value", "held_out", "q_value")}
    place = {"model": row["model"], "neuron": f"L{row['layer']}/N{row['neuron']}", "signal": row["signal"]}
    category = found.pop("category")
    return {**place, "hypothesis": hypothesis if category is None else f"{hypothesis} {category!r}", **found}


def _print_notes(lines: list[str]) -> None:
    """What there is to know of hypotheses: which could not be worked out, and which may mislead."""
    if lines:
        print("\nWhat is there to know of the hypotheses?\n")
        print(_indented("\n".join(lines)))


def _print_left_out(kind: str, asked: list[str], shown: list[str]) -> None:
    """Name what a table leaves out: nothing was dumped there, or one of the two never changes."""
    left = [name for name in asked if name not in shown]
    if left:
        why = "not dumped, or it never changes"
        print(f"  not listed, as no measure is defined ({why}): {kind} {some(left, SHOWN)}")


def _texts(lake: Lake, run: str, best: Row, hypothesis: str) -> list[Row]:
    """Some texts, short ones first; of long ones, those from where the hypothesis varies most."""
    place = {name: best[name] for name in ("model", "checkpoint", "layer", "neuron", "signal")}
    rows: list[Row] = lake.ask("neuron_text", run=run, **place, limit=6).to_pylist()
    if sum(len(row["text"]) for row in rows) > LONG:
        where = lake.fetch(
            "select sequence from annotations where run = $run and hypothesis = $hypothesis "
            "group by sequence "
            "order by var_pop(value) desc nulls last, count(distinct category) desc, sequence limit 1",
            {"run": run, "hypothesis": hypothesis},
        )["sequence"][0].as_py()
        rows = lake.ask("neuron_text", run=run, **place, sequence=where, limit=6).to_pylist()
        ends = accumulate(len(row["text"]) for row in rows)
        rows = [row for row, end in zip(rows, ends, strict=True) if row is rows[0] or end <= LONG]
    return sorted(rows, key=lambda row: len(row["text"]))


def _save_picture(
    lake: Lake, run: Run, best: Row | None, texts: list[Row], scale: Scale, wanted: list[str]
) -> str:
    """Draw the answer into the run's folder; give where."""
    from pipeline.rendering.picture import draw_answer

    curves: dict[str, list[Row]] = {}
    if best:
        place = {name: best[name] for name in ("model", "checkpoint", "layer", "neuron")}
        curves = {h: lake.ask("signal_by_value", run=run.id, **place, hypothesis=h).to_pylist() for h in wanted}

    sizes = lake.fetch(
        "select model, size, correct / total as share from extrapolation where run = $run order by model, size",
        {"run": run.id},
    ).to_pylist()
    learning = lake.fetch(
        "select model, train_step, bits_per_char from metrics where run = $run and split = 'valid' order by all",
        {"run": run.id},
    ).to_pylist()

    yes_no = [name for name in curves if is_yes_no(run.experiment, name)]
    picture = draw_answer(run.id, best, texts, curves, sizes, learning, scale=scale, yes_no=yes_no)
    path = f"_meta/run={run.id}/answer.png"
    try:
        run.folder.replace(path, picture)
    except StorageError as error:
        return f"none, {error}"
    return run.folder.address(path)


def _print_next(run: Run, best: Row | None, wanted: list[str]) -> None:
    other = next((name for name in run.experiment.score.hypotheses if name not in wanted), None)

    commands: list[tuple[str, ...]] = []
    if best:
        commands.append(("show", run.id, best["model"], f"L{best['layer']}/N{best['neuron']}"))
    if other or wanted:
        commands.append(("top", run.id, "--hypothesis", other or wanted[0]))
    commands.append(("sql", (MEAN_LOSS if run.imported else COURSE).format(run=run.id)))
    if len(commands) < 3:
        commands.append(("runs", "show", run.id))

    print("\nType next:\n")
    # After `make demo` the command is in .venv/bin, which need not be on the path.
    here = "unrolled" if shutil.which("unrolled") else f"{os.path.relpath(Path(sys.executable).parent)}/unrolled"
    for words in commands:
        print(f"  {command(*words, root=run.root, program=here)}")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
