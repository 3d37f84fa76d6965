"""`unrolled write`: what a trained model writes, now or at each of its checkpoints."""

import argparse
import sys
from collections import Counter
from typing import Any

import pyarrow as pa
import torch

import pipeline
from jobs.commands.output import print_json, wants_colour
from jobs.dump_module import dump_live
from jobs.run.context import Run
from jobs.run.opening import recorded_run
from jobs.run.reading import document_shards, read_model
from pipeline.annotation.hypotheses import is_shipped
from pipeline.annotation.lexing import language_of
from pipeline.annotation.rows import definition_of
from pipeline.queries.lake import Lake
from pipeline.rendering.terminal import printable
from pipeline.sampling.rows import sample_rows
from pipeline.storage.manifests import read_run
from pipeline.storage.shards import read_shards
from schemas.command import command
from schemas.errors import UsageError, unknown
from schemas.experiment import Drawing, Experiment

DIM, PLAIN = "\033[2m", "\033[0m"


def write(options: argparse.Namespace) -> None:
    """Let a checkpoint write, or show what all of them have written."""
    lake = pipeline.open(options.root)
    run = lake.find_run(options.run)
    rows = _stored(lake, run, options) if options.stored else _written(lake, run, options)
    if options.json:
        print_json(rows)
        return
    several = len(rows) > 1
    for row in rows.to_pylist():
        if several:
            top = f", top {row['top_k']}" if row["top_k"] else ""
            print(f"── {row['model']}, checkpoint {row['checkpoint']}, temperature {row['temperature']:g}{top}")
        prompt = printable(row["prompt"])
        print(f"{DIM}{prompt}{PLAIN}" if wants_colour() else prompt, printable(row["text"]), sep="")


def _written(lake: Lake, run: str, options: argparse.Namespace) -> pa.Table:
    """The rows of what is written now."""
    begun = recorded_run(read_run(lake.folder, run), options.root)
    experiment = begun.experiment

    model = _one("model", options.model, [spec.name for spec in begun.models], begun.models[0].name)
    kept = list(experiment.kept_checkpoints)
    checkpoint = _one("checkpoint", None if options.checkpoint == "last" else options.checkpoint, kept, kept[-1])

    torch.set_num_threads(1)
    network, vocabulary = read_model(begun, model, checkpoint)

    drawing = Drawing(
        length=options.length,
        prompt=options.prompt,
        temperature=[0.0 if options.greedy else options.temperature],
        samples=options.samples,
        top_k=options.top_k,
        seed=options.seed,
        stop="\n" if options.line else "",
    )

    rows, written = sample_rows(network, vocabulary, drawing)

    if options.dump:
        texts = [[text.tolist() for text in batch.texts()] for batch in written]
        document = {
            "name": f"{experiment.name}_samples",
            "score": {**_score(lake, run, experiment), "language": _language(begun)},
            "sample": drawing.model_dump(),  # so that its own table `samples` tells how each text came about
        }
        dumped = dump_live(network, texts, vocabulary.characters, options.root, document, checkpoint=checkpoint)
        shown = command("runs", "show", dumped, root=options.root)
        print(f"dumped as {dumped}: {shown}", file=sys.stderr)

    place = {"run": run, "model": model, "checkpoint": checkpoint}
    return pa.Table.from_pylist([{**place, **row} for row in rows.to_pylist()])


def _score(lake: Lake, run: str, experiment: Experiment) -> dict[str, Any]:
    """The section of a run's hypotheses, with those of one's own as they were last annotated."""
    own = lake.fetch("from definitions where run = $run and origin <> 'shipped' order by hypothesis", {"run": run})
    definitions = {row["hypothesis"]: definition_of(row) for row in own.to_pylist()}
    kept = {
        key: [name for name in getattr(experiment.score, key) if name in definitions or is_shipped(name)]
        for key in ("hypotheses", "headline")
    }
    return {**kept, "define": [definition.model_dump() for definition in definitions.values()]}


def _language(run: Run) -> str:
    """What hypotheses about code read a model's own texts as: the language of most probe documents."""
    language = run.experiment.score.language
    documents = document_shards(run, "probe")
    if language != "auto" or not documents:
        return language
    names = read_shards(run.folder, documents, ["name"])["name"].to_pylist()
    return Counter(map(language_of, names)).most_common(1)[0][0]


def _stored(lake: Lake, run: str, options: argparse.Namespace) -> pa.Table:
    """The rows that the run's own sample stage has written, from the first checkpoint to the last."""
    lake.catalog.require(run, "sample")
    rows = lake.ask("samples_by_checkpoint", run=run, model=options.model, checkpoint=options.checkpoint)
    if not len(rows):
        stored = command("write", run, "--stored", root=options.root)
        raise UsageError(f"{run} has no such samples; `{stored}` shows what there is")
    return rows


def _one(kind: str, asked: Any, known: list[Any], default: Any) -> Any:
    if asked is None:
        return default
    if asked not in known:
        raise unknown(kind, str(asked), [str(one) for one in known])
    return asked
