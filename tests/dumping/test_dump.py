import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.corpus.rows import sequences_of, step_rows
from pipeline.dumping import unroll as unrolling
from pipeline.dumping.rows import activation_tiles, prediction_rows
from pipeline.dumping.unroll import unroll
from pipeline.models.recurrent_lm import RecurrentLM, make_model
from pipeline.tasks import make_task
from pipeline.tasks.sequences import Sequences
from pipeline.tasks.vocabulary import Vocabulary
from schemas.activations import PREDICTIONS
from schemas.experiment import Architecture
from schemas.signals import CELL_SIGNALS, SIGNALS
from schemas.task_settings import CountingSettings
from schemas.tile import Tile
from tests.models.by_loop import by_loop
from tests.tile_rows import tile_rows

TASK = make_task(CountingSettings(name="counting", maximum=6))
VOCABULARY = Vocabulary("\nXab")
SEQUENCES = sequences_of(step_rows(TASK, VOCABULARY, 0, range(100, 130)))


def model(cell: str) -> RecurrentLM:
    shape = {"cell": cell, "layers": 2, "hidden_size": 11, "vocabulary_size": 4}
    return make_model(Architecture.model_validate(shape), 0)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches and tiles even of a small corpus."""
    monkeypatch.setattr(unrolling, "BLOCK_STEPS", 60)


def tiles_of(network: RecurrentLM, layer: int, names: Sequence[str], precision: str = "exact") -> list[Tile]:
    blocks = unroll(network, SEQUENCES, "recurrent")
    return [tile for block in blocks for tile in activation_tiles(block, layer, names, precision)]


def predictions_of(network: RecurrentLM) -> pa.Table:
    return pa.concat_tables(
        [prediction_rows(block, VOCABULARY) for block in unroll(network, SEQUENCES, "recurrent")]
    )


@pytest.mark.parametrize("cell", CELL_SIGNALS)
def test_every_neuron_and_step_is_there_once_with_its_own_value(cell: str) -> None:
    """Against the plainest way: each sequence run alone, each value looked up by its keys."""
    network = model(cell)
    for layer in range(2):
        tiles = [tile_rows(tile) for tile in tiles_of(network, layer, CELL_SIGNALS[cell])]
        stored = {}
        for tile in tiles:
            columns = tile.to_pydict()
            keys = zip(columns["neuron"], columns["sequence"], columns["step"], strict=True)
            assert list(keys) == sorted(zip(columns["neuron"], columns["sequence"], columns["step"], strict=True))
            for place in range(len(tile)):
                row = {name: values[place] for name, values in columns.items()}
                key = row["neuron"], row["sequence"], row["step"]
                assert key not in stored
                stored[key] = row
        assert len(stored) == 11 * len(SEQUENCES.tokens)
        for place, number in enumerate(SEQUENCES.ids.tolist()):
            tokens = SEQUENCES.take(place, place + 1).tokens
            signals = by_loop(network, torch.from_numpy(tokens[None].astype(np.int64)))[0][layer]
            for step, token in enumerate(tokens.tolist()):
                for neuron in range(11):
                    row = stored[neuron, number, step]
                    assert row["token"] == token
                    for name in SIGNALS:
                        if name in signals:
                            assert row[name] == pytest.approx(signals[name][0, step, neuron].item(), abs=1e-6)
                        else:
                            assert row[name] is None


def test_signals_that_are_not_asked_for_are_null() -> None:
    for tile in tiles_of(model("lstm"), 0, ["cell_state"]):
        assert set(tile.signals) == {"cell_state"}


def test_precision_rounds_what_is_stored() -> None:
    exact, half = (
        np.concatenate(
            [tile.signals["cell_state"] for tile in tiles_of(model("lstm"), 0, ["cell_state"], precision)],
            axis=None,
        )
        for precision in ("exact", "half")
    )
    assert (half != exact).any()
    np.testing.assert_allclose(half, exact, rtol=2**-11)
    assert (half.view(np.uint32) & 0x1FFF == 0).all()


def test_a_tile_holds_whole_sequences_and_few_neurons() -> None:
    tiles = [tile_rows(tile) for tile in tiles_of(model("lstm"), 0, ["cell_state"])]
    assert {len(set(tile["neuron"].to_pylist())) for tile in tiles} == {8, 3}
    lengths = dict(zip(SEQUENCES.ids.tolist(), SEQUENCES.lengths.tolist(), strict=True))
    for tile in tiles:
        held = set(tile["sequence"].to_pylist())
        neurons = len(set(tile["neuron"].to_pylist()))
        assert len(tile) == neurons * sum(lengths[number] for number in held)
        assert len(tile) <= 60 * neurons


def test_predictions_on_paper() -> None:
    """A model that gives every character 1/4, and one that is sure of the b."""
    network = model("lstm")
    with torch.no_grad():
        network.readout.weight.zero_()
        network.readout.bias.zero_()
    rows = predictions_of(network)
    assert rows.schema == PREDICTIONS.schema
    for row, is_last in zip(rows.to_pylist(), _last_steps(), strict=True):
        assert row["entropy"] == pytest.approx(math.log(4))
        assert row["loss"] == (None if is_last else pytest.approx(math.log(4)))
        assert row["probability"] == (None if is_last else pytest.approx(0.25))
    with torch.no_grad():
        network.readout.bias[VOCABULARY.characters.index("b")] = math.log(3)  # 3/6 for b, 1/6 for the others
    rows = predictions_of(network)
    assert set(rows["predicted"].to_pylist()) == {"b"}
    probabilities = {round(p, 5) for p in rows["probability"].drop_null().to_pylist()}
    assert probabilities == {0.5, 0.16667}


def _last_steps() -> list[bool]:
    return [step == length - 1 for length in SEQUENCES.lengths.tolist() for step in range(length)]


@pytest.mark.parametrize("cell", CELL_SIGNALS)
def test_a_sequence_longer_than_a_block_is_dumped_in_pieces_with_the_same_values(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "".join(TASK.sequence(0, number).text for number in range(20))
    tokens = VOCABULARY.encode(text, "here")
    one = Sequences(np.array([7], np.int32), np.array([0, len(tokens)]), tokens, np.zeros(len(tokens), bool))
    network = model(cell)
    pieces = list(unroll(network, one, "recurrent"))
    monkeypatch.setattr(unrolling, "BLOCK_STEPS", 10_000)
    (whole,) = unroll(network, one, "recurrent")
    assert len(pieces) > 3
    assert np.concatenate([piece.steps.step for piece in pieces]).tolist() == list(range(len(tokens)))
    for name in CELL_SIGNALS[cell]:
        joined = np.concatenate([piece.signal(1, name) for piece in pieces], 1)
        np.testing.assert_allclose(joined, whole.signal(1, name), atol=1e-6)
    loss = np.concatenate([piece.loss for piece in pieces])
    np.testing.assert_allclose(loss, whole.loss, atol=1e-5)
    assert np.isnan(loss).sum() == 1
