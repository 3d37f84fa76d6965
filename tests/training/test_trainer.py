import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, one_hot

from pipeline.corpus.rows import sequences_of, step_rows
from pipeline.models.recurrent_lm import RecurrentLM, make_model
from pipeline.tasks import make_task
from pipeline.tasks.vocabulary import Vocabulary
from pipeline.training.evaluate import evaluate
from pipeline.training.trainer import Trainer, learning_rate, multiplies_bfloat16
from schemas.errors import UsageError
from schemas.experiment import Architecture
from schemas.task_settings import CountingSettings
from schemas.training_settings import TrainingSettings

TASK = make_task(CountingSettings(name="counting", maximum=3))
VOCABULARY = Vocabulary("\nXab")
SEQUENCES = sequences_of(step_rows(TASK, VOCABULARY, 0, range(50)))
SETTINGS = TrainingSettings(steps=20, batch_size=8, clip=0.3, warmup=4)


def model(cell: str = "lstm", seed: int = 0) -> RecurrentLM:
    shape = {"cell": cell, "layers": 1, "hidden_size": 6, "vocabulary_size": 4}
    return make_model(Architecture.model_validate(shape), seed)


def weights(trained: RecurrentLM) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trained.parameters()]


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_an_update_is_what_a_bare_loop_would_do(decay: float) -> None:
    """The same updates written out with torch alone, on batches drawn the same way."""
    ours = model()
    Trainer(ours, SEQUENCES, SETTINGS.model_copy(update={"decay": decay}), seed=3).advance(7)

    bare = model()
    optimizer = torch.optim.Adam(bare.parameters(), lr=SETTINGS.learning_rate)
    order: list[int] = []
    for step in range(7):
        if not order:
            order = np.random.default_rng([3, step // 6]).permutation(50).tolist()[:48]
        rows, order = order[:8], order[8:]
        texts = [torch.tensor(SEQUENCES.take(row, row + 1).tokens).long() for row in rows]
        losses = []
        for text in texts:
            hidden, _ = bare.recurrent(one_hot(text[None, :-1], 4).float())
            losses.append(cross_entropy(bare.readout(hidden)[0], text[1:], reduction="sum"))
        optimizer.param_groups[0]["lr"] = learning_rate(SETTINGS, step)
        optimizer.zero_grad()
        (torch.stack(losses).sum() / sum(len(text) - 1 for text in texts)).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(bare.parameters(), 0.3)
        with torch.no_grad():  # Loshchilov and Hutter (2019), algorithm 2: decoupled from Adam's moments
            for parameter in bare.parameters():
                parameter.mul_(1 - learning_rate(SETTINGS, step) * decay)
        optimizer.step()
    for one, other in zip(weights(ours), weights(bare), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "peephole_lstm", "feedforward"])
@pytest.mark.parametrize("stop", [0, 5, 13])
def test_going_on_from_a_state_gives_the_same_weights(cell: str, stop: int) -> None:
    straight = Trainer(model(cell), SEQUENCES, SETTINGS, seed=1)
    straight.advance(20)
    first = Trainer(model(cell), SEQUENCES, SETTINGS, seed=1)
    first.advance(stop)
    second = Trainer(model(cell, seed=99), SEQUENCES, SETTINGS, seed=1)
    second.restore(first.state())
    assert second.train_step == stop
    second.advance(20)
    assert equal(weights(second.model), weights(straight.model))


def test_the_seed_decides_the_order_of_batches() -> None:
    runs = []
    for seed in (1, 1, 2):
        trainer = Trainer(model(), SEQUENCES, SETTINGS, seed=seed)
        trainer.advance(5)
        runs.append(weights(trainer.model))
    assert equal(runs[0], runs[1])
    assert not equal(runs[0], runs[2])


@pytest.mark.parametrize("cell", ["lstm", "peephole_lstm"])
def test_a_batch_in_parts_gives_the_same_update_but_for_rounding(cell: str) -> None:
    whole = Trainer(model(cell), SEQUENCES, SETTINGS, seed=1)
    parts = Trainer(model(cell), SEQUENCES, SETTINGS.model_copy(update={"accumulate": 3}), seed=1)
    for trainer in (whole, parts):
        trainer.advance(10)
    for one, other in zip(weights(whole.model), weights(parts.model), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    assert whole.span.mean_loss == pytest.approx(parts.span.mean_loss, rel=1e-5)


def test_a_span_that_was_cut_ends_with_the_same_sum() -> None:
    straight = Trainer(model(), SEQUENCES, SETTINGS, seed=1)
    straight.advance(11)
    cut = Trainer(model(), SEQUENCES, SETTINGS, seed=1)
    for train_step in (3, 4, 11):
        cut.advance(train_step)
        again = Trainer(model(), SEQUENCES, SETTINGS, seed=1)
        again.restore(cut.state())
        cut = again
    assert cut.span == straight.span


MIXED = TrainingSettings(steps=200, batch_size=16, learning_rate=0.03, precision="bfloat16")


@pytest.mark.skipif(multiplies_bfloat16(), reason="this processor has bfloat16")
def test_a_processor_without_bfloat16_is_told_before_anything_is_trained() -> None:
    with pytest.raises(UsageError, match=r"no bfloat16: set training\.precision to float32"):
        Trainer(model(), SEQUENCES, MIXED, seed=0)


@pytest.mark.skipif(not multiplies_bfloat16(), reason="this processor has no bfloat16")
def test_mixed_precision_learns_too() -> None:
    trainer = Trainer(model(), SEQUENCES, MIXED, seed=0)
    before = evaluate(trainer.model, SEQUENCES).loss
    trainer.advance(200)
    assert trainer.model.readout.weight.dtype == torch.float32
    assert evaluate(trainer.model, SEQUENCES).loss < 0.6 * before


def test_a_training_that_diverges_says_where_and_what_to_lower() -> None:
    settings = SETTINGS.model_copy(update={"learning_rate": 3e38, "warmup": 0})
    trainer = Trainer(model(), SEQUENCES, settings, seed=0)
    with pytest.raises(UsageError, match=r"at update 2 the loss is (nan|inf), and was .* before: lower .*rate"):
        trainer.advance(20)
    one_by_one = Trainer(model(), SEQUENCES, settings, seed=0)
    one_by_one.advance(1)
    assert one_by_one.span.mean_loss is not None
    with pytest.raises(UsageError, match="at update 2 the loss is"):
        one_by_one.advance(2)


def test_training_learns() -> None:
    trainer = Trainer(model(), SEQUENCES, TrainingSettings(steps=300, batch_size=16, learning_rate=0.03), seed=0)
    before = evaluate(trainer.model, SEQUENCES)
    trainer.advance(300)
    span = trainer.span
    after = evaluate(trainer.model, SEQUENCES)
    assert before.accuracy == 0
    assert after.accuracy == 1
    assert after.loss < 0.5 * before.loss
    assert span.mean_loss is not None
    assert after.loss < span.mean_loss < before.loss
    assert span.characters > 300 * 16 * 3


def test_fewer_sequences_than_a_batch_make_a_smaller_batch() -> None:
    trainer = Trainer(model(), SEQUENCES.take(0, 3), SETTINGS, seed=0)
    trainer.advance(1)
    assert trainer.span.characters == len(SEQUENCES.take(0, 3).tokens) - 3


@given(st.sampled_from(["constant", "linear", "cosine"]), st.integers(0, 10))
def test_the_rate_rises_then_falls_to_nothing(schedule: str, warmup: int) -> None:
    settings = TrainingSettings.model_validate({"steps": 100, "schedule": schedule, "warmup": warmup})
    rates = [learning_rate(settings, step) for step in range(101)]
    assert max(rates) <= 0.01
    assert all(a <= b for a, b in pairwise(rates[: warmup // 2 + 1]))
    assert all(a >= b for a, b in pairwise(rates[warmup:]))
    assert rates[100] == pytest.approx(0.01 if schedule == "constant" else 0, abs=1e-12)


def test_an_untrained_model_is_about_as_good_as_chance() -> None:
    assert evaluate(model(), SEQUENCES).loss == pytest.approx(math.log(4), rel=0.2)


def test_accuracy_counts_whole_sequences_and_only_where_something_is_determined() -> None:
    trained = model()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.zero_()
        trained.readout.bias[VOCABULARY.characters.index("\n")] = 1.0  # says newline, whatever it reads
    # "aXb\n": the b is determined and missed, so no sequence is right although each newline is.
    assert evaluate(trained, SEQUENCES).accuracy == 0
    nowhere = replace(SEQUENCES, determined=np.zeros(len(SEQUENCES.tokens), bool))
    assert evaluate(trained, nowhere).accuracy is None


def test_an_evaluation_does_not_depend_on_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(model(), SEQUENCES)
    monkeypatch.setattr("pipeline.training.evaluate.BATCH_STEPS", 50)
    parts = evaluate(model(), SEQUENCES)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert parts.accuracy == whole.accuracy
