"""Long sequences learnt in chunks, each from the state that the one before left."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from pipeline.tasks.sequences import Sequences
from pipeline.training.batches import Batches
from pipeline.training.order import Chunks
from pipeline.training.share import Share
from pipeline.training.trainer import Trainer
from schemas.training_settings import TrainingSettings
from tests.training.test_trainer import equal, model, weights


def sequences(lengths: list[int]) -> Sequences:
    """Tokens that count up over all of them, modulo 4."""
    offsets = np.cumsum([0, *lengths])
    total = int(offsets[-1])
    tokens = np.random.default_rng(0).integers(0, 4, total).astype(np.int32)
    return Sequences(np.arange(len(lengths), dtype=np.int32), offsets, tokens, np.zeros(total, bool))


LONG = sequences([23, 4, 61, 2, 17, 40, 9])
SETTINGS = TrainingSettings(steps=30, batch_size=4, truncate=5, warmup=4)


@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=12), st.integers(1, 9), st.integers(1, 7), st.integers(0, 3)
)
def test_an_epoch_reads_every_target_once_in_order_but_for_a_remainder(
    lengths: list[int], steps: int, batch_size: int, epoch: int
) -> None:
    found = sequences(lengths)
    chunks = Chunks(found, batch_size, 3, steps)
    count = sum(-(-(length - 1) // steps) for length in lengths)
    updates = count // chunks.lanes
    spans = [chunks.spans(epoch * updates + place) for place in range(updates)]
    read = [
        place
        for span in spans
        for a, n in zip(span.starts, span.targets, strict=True)
        for place in range(a, a + n)
    ]
    assert len(set(read)) == len(read)
    assert len(found.tokens) - len(lengths) - len(read) <= steps * (count - updates * chunks.lanes)
    last = set((found.offsets[1:] - 1).tolist())
    assert not last & set(read)  # a sequence's last token has no next one
    for before, after in pairwise(spans):
        for lane in range(chunks.lanes):
            goes_on = before.starts[lane] + before.targets[lane] == after.starts[lane]
            is_within = after.starts[lane] not in found.offsets
            assert after.continues[lane] == (goes_on and is_within)
    assert not spans[0].continues.any()


def test_a_chunk_begins_with_the_state_that_the_one_before_left() -> None:
    """One lane, without learning, over one sequence: the losses are those of reading it whole."""
    text = sequences([41])
    trainer = Trainer(model(), text, TrainingSettings(steps=8, batch_size=1, truncate=5, learning_rate=1e-30), 0)
    trainer.advance(8)
    tokens = torch.from_numpy(text.tokens).long()[None]
    logits, _ = model()(tokens[:, :-1])
    assert trainer.span.characters == 40
    assert trainer.span.mean_loss == pytest.approx(cross_entropy(logits[0], tokens[0, 1:]).item(), rel=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "peephole_lstm", "feedforward"])
@pytest.mark.parametrize("stop", [0, 7])
def test_going_on_from_a_state_gives_the_same_weights(cell: str, stop: int) -> None:
    straight, first, second = (Trainer(model(cell, seed), LONG, SETTINGS, seed=1) for seed in (0, 0, 9))
    straight.advance(20)
    first.advance(stop)
    second.restore(first.state())
    second.advance(20)
    assert equal(weights(second.model), weights(straight.model))


def test_parts_have_the_states_of_their_own_lanes() -> None:
    whole = Trainer(model(), LONG, SETTINGS, seed=1)
    parts = Trainer(model(), LONG, SETTINGS.model_copy(update={"accumulate": 3}), seed=1)
    for trainer in (whole, parts):
        trainer.advance(12)
    for one, other in zip(weights(whole.model), weights(parts.model), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    assert whole.state()["lanes.0"].shape == parts.state()["lanes.0"].shape == (1, 4, 6)
    parts.restore(whole.state())
    assert torch.equal(parts.state()["lanes.1"], whole.state()["lanes.1"])


def test_workers_share_the_lanes() -> None:
    alone = list(Batches(LONG, SETTINGS, 1).between(0, 9))
    shared = [list(Batches(LONG, SETTINGS, 1, Share(rank, 2)).between(0, 9)) for rank in (0, 1)]
    for step, batch in enumerate(alone):
        own = [rank[step].parts[0] for rank in shared]
        assert torch.equal(torch.cat([part.continues for part in own]), batch.parts[0].continues)
        assert {rank[step].targets for rank in shared} == {batch.targets}
        assert sum(rank[step].characters for rank in shared) == batch.targets
