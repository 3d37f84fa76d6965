"""The sides of a match: which dumps they are, which texts all of them have read, and what their neurons did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.commands.neuron import usual_signal
from pipeline.matching.blocks import Block
from pipeline.matching.chance import LEAST_TEXTS
from pipeline.queries.lake import Lake
from pipeline.queries.question import Parameter, Question
from pipeline.queries.scope import Checkpoint, partition_of
from schemas.errors import UsageError

# What a side names, so that names are looked up and told as those of a shipped question.
_ASKED = Question(
    "match",
    "What did the neurons of a layer do?",
    (
        Parameter("run", "run", None, "the run's id, or the start of it"),
        Parameter("model", "model", None, "the model's name"),
        Parameter("checkpoint", "checkpoint", "last", "number of updates"),
        Parameter("layer", "layer", "", "layer, counting from 0"),
        Parameter("signal", "signal", "", "one of the eight signals"),
    ),
    ("activations",),
    "",
)
# A text as DuckDB writes a list: two texts are the same where their tokens are.
_TEXTS = """
with dumped as (
  select distinct sequence from activations
  where run = $run and model = $model and checkpoint = $checkpoint and layer = $layer and neuron = 0
), texts as (
  select sequence, list(char order by step)::varchar as text, count(*) as steps
  from steps
  where run = $run and split = 'probe' and sequence in (select sequence from dumped)
  group by sequence
)
select text, min(sequence) as sequence, any_value(steps) as steps from texts group by text order by sequence
"""
_LAST_NEURON = """
select max(neuron) as last from activations
where run = $run and model = $model and checkpoint = $checkpoint and layer = $layer and sequence = $sequence
"""


@dataclass(frozen=True)
class Side:
    """One signal of one dump."""

    run: str
    model: str
    checkpoint: int
    signal: str
    layers: tuple[int, ...]

    @property
    def label(self) -> str:
        """As lstm-1x10-seed0 at 4000."""
        return f"{self.model} at {self.checkpoint}"

    def place(self, layer: int) -> dict[str, object]:
        """What picks its rows of a layer."""
        return {"run": self.run, "model": self.model, "checkpoint": self.checkpoint, "layer": layer}


@dataclass(frozen=True)
class Texts:
    """The distinct texts that all sides have read."""

    lengths: tuple[int, ...]  # in steps
    sequences: tuple[tuple[int, ...], ...]  # of each side, those that hold the texts

    @property
    def steps(self) -> int:
        """Of all texts together."""
        return sum(self.lengths)


def find_side(
    lake: Lake, run: str, model: str, checkpoint: Checkpoint, signal: str | None, layer: int | None
) -> Side:
    """A side, by what was asked for.

    Args:
        lake: that its run lies in.
        run: its id, or the start of it.
        model: the model's name.
        checkpoint: a number of updates; None or "last" for the model's last that was dumped.
        signal: None for its cell state, or its hidden state where it has none.
        layer: None for all that were dumped.

    Raises UsageError for what the run does not have.
    """
    at = "last" if checkpoint is None else checkpoint
    given = {"run": run, "model": model, "checkpoint": at, "layer": layer, "signal": signal}
    named = lake.complete(_ASKED, given)
    found = str(named["run"])
    chosen = signal or usual_signal(lake, found, model)
    if not chosen:
        raise UsageError(f"{model} of {found} has none of the signals that were dumped")
    number = int(str(named["checkpoint"]))
    layers = _layers(lake, found, model, number) if layer is None else (layer,)
    return Side(found, model, number, chosen, layers)


def _layers(lake: Lake, run: str, model: str, checkpoint: int) -> tuple[int, ...]:
    places = [partition_of(stored.path) for stored in lake.catalog.objects("activations")]
    wanted = {"run": run, "model": model, "checkpoint": str(checkpoint)}
    return tuple(sorted({int(place["layer"]) for place in places if wanted.items() <= place.items()}))


def common_texts(lake: Lake, sides: Sequence[Side]) -> Texts:
    """The distinct texts that every side has read, in the order of the first.

    Raises UsageError for fewer than LEAST_TEXTS.
    """
    read = [_texts(lake, side) for side in sides]
    common = [text for text in read[0] if all(text in other for other in read)]
    if len(common) < LEAST_TEXTS:
        counts = ", ".join(
            f"{side.model} of {side.run} has read {len(own)}" for side, own in zip(sides, read, strict=True)
        )
        raise UsageError(
            f"a match takes at least {LEAST_TEXTS} distinct texts that all have read, and there "
            f"{'is' if len(common) == 1 else 'are'} {len(common)} ({counts}): give the runs one [task] and one "
            "seed of the corpus, or a larger probe split"
        )
    lengths = tuple(read[0][text][1] for text in common)
    return Texts(lengths, tuple(tuple(own[text][0] for text in common) for own in read))


def _texts(lake: Lake, side: Side) -> Mapping[str, tuple[int, int]]:
    """Of each distinct text, the first sequence that holds it, and its steps."""
    rows = lake.fetch(_TEXTS, side.place(side.layers[0])).to_pylist()
    return {row["text"]: (row["sequence"], row["steps"]) for row in rows}


class LayerReader:
    """What a layer's neurons of one side did, block by block."""

    def __init__(
        self, lake: Lake, side: Side, layer: int, sequences: Sequence[int], lengths: Sequence[int]
    ) -> None:
        """Nothing is read yet but how many neurons the layer has.

        Args:
            lake: that the side's run lies in.
            side: of the match.
            layer: one of its layers.
            sequences: of the side, for each of the common texts.
            lengths: of the texts, in steps.
        """
        self._lake, self._side, self._place = lake, side, side.place(layer)
        self._sequences, self._lengths = np.array(sequences), np.array(lengths)
        last = lake.fetch(_LAST_NEURON, {**self._place, "sequence": sequences[0]})["last"][0].as_py()
        self.neurons = int(last) + 1

    def read(self, block: Block) -> list[np.ndarray]:
        """For each text of a block float32 (steps, neurons)."""
        texts = list(block.texts)
        sequences, stops = self._sequences[texts], np.minimum(self._lengths[texts], block.stop)
        ends = (stops - block.first).cumsum()
        starts = np.zeros(
            sequences.max() + 1, np.int64
        )  # by sequence; a search for each row would take as long again
        starts[sequences] = np.append(0, ends[:-1]) - block.first
        values = np.full((self.neurons, ends[-1]), np.nan, np.float32)  # as rows come: neuron by neuron

        query = (
            f"select neuron, sequence, step, {self._side.signal} as value from activations where run = $run "
            "and model = $model and checkpoint = $checkpoint and layer = $layer and step >= $first "
            f"and step < $stop and sequence in ({', '.join(map(str, sequences))})"
        )
        for batch in self._lake.batches(query, {**self._place, "first": block.first, "stop": block.stop}):
            neuron, sequence, step, value = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
            values[neuron, starts[sequence] + step] = value
        return np.split(values.T, ends[:-1])
