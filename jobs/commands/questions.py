"""`unrolled sql`, `top` and `show`: all three are SQL over the lake."""

import argparse
import re
import sys
from pathlib import Path

import pyarrow as pa

import pipeline
from jobs.commands.neuron import neuron_scale
from jobs.commands.output import print_folded, print_json, print_table, wants_colour, write_batches
from jobs.commands.runs import resolve_run
from pipeline.annotation.hypotheses import find_hypothesis
from pipeline.queries.lake import Lake
from pipeline.queries.question import Question, parse_question, questions
from pipeline.rendering.terminal import Line, Scale, by_character, coloured_text, legend
from schemas.errors import UsageError, unknown
from schemas.signals import CELL_SIGNALS, SIGNALS

MOST_DRAWN = 5_000  # characters of a picture: each is an artist of matplotlib's, and 5,000 take some seconds


def sql(options: argparse.Namespace) -> None:
    """A query, a file, or a shipped question."""
    if options.questions:
        rows = [{"name": q.name, "parameters": _told(q), "question": q.question} for q in questions().values()]
        print_folded(pa.Table.from_pylist(rows))
        return
    if bool(options.query) == bool(options.file):
        raise UsageError('give one query: unrolled sql "select …", or -f FILE; --questions lists the shipped ones')

    given = dict(_parameter(text) for text in options.parameters)
    lake, parquet = pipeline.open(options.root), options.format == "parquet"
    if options.file:
        question = _question(options.file)
        values = question.complete(given) if question.question else given
        if "run" in values:
            values = {**values, "run": resolve_run(lake, str(values["run"]))}
        batches = lake.portable(question.sql, values, parquet=parquet)
    else:
        batches = lake.portable(options.query, given, parquet=parquet)

    try:
        write_batches(batches, options.format)
    except OSError as error:  # DuckDB's, from a batch that was computed late
        if isinstance(error, BrokenPipeError):
            raise
        raise UsageError(str(error)) from None


def top(options: argparse.Namespace) -> None:
    """The neurons that follow a hypothesis best."""
    lake = pipeline.open(options.root)
    run = resolve_run(lake, options.run)
    lake.catalog.require(run, "score")
    if options.signal and options.signal not in SIGNALS:
        raise unknown("signal", options.signal, SIGNALS)

    scored = lake.fetch("select distinct hypothesis from scores where run = $run", {"run": run})
    names = scored["hypothesis"].to_pylist()
    if options.hypothesis not in names:
        find_hypothesis(options.hypothesis)
        raise UsageError(f"{run} has no scores for {options.hypothesis}; it has {', '.join(sorted(names))}")

    table = lake.ask(
        "top_neurons",
        run=run,
        hypothesis=options.hypothesis,
        signal=options.signal,
        measure=options.measure,
        checkpoint=options.checkpoint,
        limit=options.limit,
    )

    if not len(table):
        raise UsageError(
            f"{run} has no {options.measure} of {options.hypothesis} there; auc is for yes/no hypotheses"
        )
    (print_json if options.json else print_table)(table)


def show(options: argparse.Namespace) -> None:
    """Texts coloured by a neuron's signal."""
    lake = pipeline.open(options.root)
    run = resolve_run(lake, options.run)
    lake.catalog.require(run, "dump")
    _check_picture(options)

    layer, neuron = _place(options.neuron)
    signal = _signal(lake, run, options.model, layer, neuron, options.signal)
    table = lake.ask(
        "neuron_text",
        run=run,
        model=options.model,
        layer=layer,
        neuron=neuron,
        signal=signal,
        checkpoint=options.checkpoint,
        sequence=options.sequence,
        limit=options.limit,
    )

    _check_sequence(lake, run, options.sequence, table)
    if options.json:
        print_json(table)
        return
    if not len(table):
        raise UsageError(f"nothing was dumped there: {run} has other checkpoints or sequences")
    place = {"model": options.model, "layer": layer, "neuron": neuron, "checkpoint": options.checkpoint}
    checkpoint, scale = neuron_scale(lake, run, place, signal)

    title = f"{options.model} {options.neuron} {signal}"
    if options.picture is not None:
        texts = [by_character(row["chars"], row["values"]) for row in table.to_pylist()]
        name = f"{options.model}-L{layer}N{neuron}-{signal}-{checkpoint}.png"
        picture = _draw(f"{run}\n{title}, checkpoint {checkpoint}", texts, scale)
        print(_save(picture, options.picture, lake, f"_meta/run={run}/pictures/{name}"))
        return

    colour = wants_colour()
    print(f"{title}: {legend(scale, colour=colour)}")
    for row in table.to_pylist():
        print(f"\nsequence {row['sequence']}")
        print(coloured_text(row["chars"], row["values"], scale, colour=colour))


def _check_picture(options: argparse.Namespace) -> None:
    """Raise UsageError for what cannot be drawn, or not be written under that name."""
    if options.picture is not None and options.json:
        raise UsageError("--picture draws and --json prints: give one of them")
    path = Path(options.picture or "a.png")
    if path.suffix.lower() != ".png":
        raise UsageError(f"--picture draws a PNG: name it {path.with_suffix('.png')}, not {path}")


def _save(picture: bytes, asked: str, lake: Lake, otherwise: str) -> str:
    """Where it is: the file that was asked for, else in the run's folder."""
    if not asked:
        lake.folder.replace(otherwise, picture)
        return lake.folder.address(otherwise)
    try:
        Path(asked).write_bytes(picture)
    except OSError as error:
        raise UsageError(f"cannot write {asked}: {error.strerror}") from None
    return asked


def _draw(title: str, texts: list[Line], scale: Scale) -> bytes:
    from pipeline.rendering.passage import draw_passages  # matplotlib's import takes a second

    whole = sum(map(len, texts))
    kept, room = [], MOST_DRAWN
    for text in texts:
        kept.append(text[:room])
        room -= len(kept[-1])

    if whole > MOST_DRAWN:
        note = f"drawn: the first {MOST_DRAWN:,} of {whole:,} characters; --limit 1 draws one text"
        print(note, file=sys.stderr)
    return draw_passages(title, [text for text in kept if text], scale)


def _signal(lake: Lake, run: str, model: str, layer: int, neuron: int, asked: str | None) -> str:
    """The signal to show, once model, layer and neuron are known to be there."""
    query = "select model, cell, layers, hidden_size from models where run = $run"
    models = {row["model"]: row for row in lake.fetch(query, {"run": run}).to_pylist()}
    if model not in models:
        raise unknown("model", model, models)
    spec = models[model]
    if layer >= spec["layers"] or neuron >= spec["hidden_size"]:
        last = f"L{spec['layers'] - 1}/N{spec['hidden_size'] - 1}"
        raise UsageError(f"{model} has no neuron L{layer}/N{neuron}: its last is {last}")

    dumped = lake.catalog.dumped_signals(run)
    signals = [signal for signal in CELL_SIGNALS[spec["cell"]] if signal in dumped]
    signal = asked or next((signal for signal in ("cell_state", "hidden_state") if signal in signals), signals[0])
    if signal not in signals:
        raise unknown(f"signal of {spec['cell']}", signal, signals)
    return signal


def _check_sequence(lake: Lake, run: str, asked: int | None, table: pa.Table) -> None:
    """Raise UsageError when the first sequence is not the one that was asked for."""
    if asked is None or (len(table) and table["sequence"][0].as_py() == asked):
        return
    query = "select min(sequence), max(sequence) from steps where run = $run and split = 'probe'"
    first, last = (column[0].as_py() for column in lake.fetch(query, {"run": run}).columns)
    raise UsageError(f"{run} has not dumped sequence {asked} there: the probe split has {first} to {last}")


def _place(label: str) -> tuple[int, int]:
    match = re.fullmatch(r"L(\d+)/N(\d+)", label)
    if not match:
        raise UsageError(f"a neuron is given as L0/N7 (layer 0, neuron 7), not {label!r}")
    return int(match[1]), int(match[2])


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set takes name=value, not {text!r}")
    return name, value


def _question(name: str) -> Question:
    path = Path(name)
    if name in questions() or path.suffix != ".sql":
        if name not in questions():
            raise unknown("question", name, questions())
        return questions()[name]
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {name}: {error}") from None
    try:
        return parse_question(path.stem, text)
    except ValueError:
        return Question(path.stem, "", (), (), text)


def _told(question: Question) -> str:
    return ", ".join(p.name if p.default is None else f"[{p.name}]" for p in question.parameters)
