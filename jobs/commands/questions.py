"""`unrolled sql`, `top` and `show`: all three are SQL over the lake."""

import argparse
import re
import sys
from pathlib import Path

import pyarrow as pa

import pipeline
from jobs.commands.chance import chance_note
from jobs.commands.neuron import neuron_scale, usual_signal
from jobs.commands.notes import hypothesis_notes
from jobs.commands.output import print_folded, print_json, print_table, wants_colour, write_batches
from pipeline.queries.lake import Lake
from pipeline.queries.question import Question, claims, find_question, parse_question, questions
from pipeline.rendering.terminal import Line, Scale, by_character, coloured_text, legend
from schemas.errors import UsageError

BRIEF = (
    "model",
    "checkpoint",
    "neuron",
    "signal",
    "measure",
    "category",
    "value",
    "held_out",
    "null_value",
    "untrained",
    "q_value",
    "texts",
)
MOST_DRAWN = 5_000  # characters of a picture: each is an artist of matplotlib's, and 5,000 take some seconds


def sql(options: argparse.Namespace) -> None:
    """A query, a file, or a shipped question."""
    if options.questions:
        rows = [{"name": q.name, "parameters": _told(q), "question": q.question} for q in _all_questions()]
        print_folded(pa.Table.from_pylist(rows))
        return
    if bool(options.query) == bool(options.file):
        raise UsageError('give one query: unrolled sql "select …", or -f FILE; --questions lists the shipped ones')

    given = dict(_parameter(text) for text in options.parameters)
    lake, parquet = _lake(options), options.format == "parquet"
    if options.file:
        question = _question(options.file)
        batches = lake.portable(question.sql, _values(lake, question, given), parquet=parquet)
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
    run = lake.find_run(options.run)
    table = lake.ask(
        "top_neurons",
        run=run,
        hypothesis=options.hypothesis,
        signal=options.signal,
        measure=options.measure,
        checkpoint=options.checkpoint,
        limit=options.limit,
    )

    note = hypothesis_notes(lake, run, options.hypothesis).get(options.hypothesis)
    if not len(table):
        what = options.measure or "measure"
        raise UsageError(
            note or f"{run} has no {what} of {options.hypothesis} there: none of those signals ever changes"
        )
    rows = [{**row, "hypothesis": options.hypothesis} for row in table.to_pylist()]
    for line in filter(None, (note, chance_note(rows))):
        print(line, file=sys.stderr)
    if options.json:
        print_json(table)
    else:
        print_table(_brief(table))


def _brief(table: pa.Table) -> pa.Table:
    """The columns of `top` that a person compares; --json has all of them."""
    places = zip(*(table[name].to_pylist() for name in ("layer", "neuron")), strict=True)
    labels = pa.array([f"L{layer}/N{neuron}" for layer, neuron in places])
    table = table.set_column(table.schema.get_field_index("neuron"), "neuron", labels)
    empty = {name for name in ("category", "untrained") if table[name].null_count == len(table)}
    return table.select([name for name in BRIEF if name not in empty])


def show(options: argparse.Namespace) -> None:
    """Texts coloured by a neuron's signal."""
    lake = pipeline.open(options.root)
    run = lake.find_run(options.run)
    lake.catalog.require(run, "dump")
    _check_picture(options)

    layer, neuron = _place(options.neuron)
    signal = options.signal or usual_signal(lake, run, options.model)
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

    if options.json:
        print_json(table)
        return
    assert signal  # of a model that is there
    at = None if options.checkpoint == "last" else options.checkpoint
    place = {"model": options.model, "layer": layer, "neuron": neuron, "checkpoint": at}
    checkpoint, scale = neuron_scale(lake, run, place, signal)

    title = f"{options.model} {options.neuron} {signal}, checkpoint {checkpoint}"
    if options.picture is not None:
        texts = [by_character(row["chars"], row["values"]) for row in table.to_pylist()]
        name = f"{options.model}-L{layer}N{neuron}-{signal}-{checkpoint}.png"
        picture = _draw(f"{run}\n{title}", texts, scale)
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
    if not path.name:
        raise UsageError(f"--picture takes the name of a file, such as neuron.png, not {options.picture}")
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


def _place(label: str) -> tuple[int, int]:
    match = re.fullmatch(r"L(\d+)/N(\d+)", label)
    if not match:
        raise UsageError(f"a neuron is given as L0/N7 (layer 0, neuron 7), not {label!r}")
    return int(match[1]), int(match[2])


def _lake(options: argparse.Namespace) -> Lake:
    """The lake, or what was asked for of it."""
    lake = pipeline.open(options.root)
    if options.run:
        return lake.run(options.run, options.checkpoint)
    if options.checkpoint is not None:
        raise UsageError("--checkpoint is of one run: give --run too")
    return lake


def _values(lake: Lake, question: Question, given: dict[str, str]) -> dict[str, object]:
    """The values of a file's parameters; one called run may be the start of an id, whatever its header says."""
    values: dict[str, object] = lake.complete(question, given) if question.question else {**given}
    return {**values, "run": lake.find_run(str(values["run"]))} if values.get("run") else values


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set takes name=value, not {text!r}")
    return name, value


def _question(name: str) -> Question:
    path = Path(name)
    if path.suffix != ".sql":
        return find_question(name)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {name}: {error}") from None
    try:
        return parse_question(path.stem, text)
    except ValueError:
        return Question(path.stem, "", (), (), text)


def _all_questions() -> list[Question]:
    return [*questions().values(), *claims().values()]


def _told(question: Question) -> str:
    return ", ".join(p.name if p.default is None else f"[{p.name}]" for p in question.parameters)
