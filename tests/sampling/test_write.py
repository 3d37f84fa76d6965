"""Writing: what a model draws is what it says of the text when it reads it."""

import math

import numpy as np
import pytest
import torch

from pipeline.models.recurrent_lm import RecurrentLM, make_model
from pipeline.sampling.rows import sample_rows
from pipeline.sampling.write import marks_of, write
from pipeline.tasks.vocabulary import Vocabulary
from schemas.errors import UsageError
from schemas.experiment import Architecture, Drawing

VOCABULARY = Vocabulary("\nXabcd")
PROMPT = np.array([2, 3, 1])
CELLS = ["feedforward", "rnn", "lstm", "gru", "peephole_lstm"]


def model(cell: str = "lstm", scale: float = 4.0) -> RecurrentLM:
    """Two layers whose first weights were made larger, so that they say more than chance does."""
    shape = {"cell": cell, "layers": 2, "hidden_size": 8, "vocabulary_size": len(VOCABULARY)}
    made = make_model(Architecture.model_validate(shape), 0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(scale)
    return made.eval()


def read(reader: RecurrentLM, tokens: np.ndarray) -> torch.Tensor:
    """Log-probabilities of the character after each of some tokens (steps,), all read at once."""
    with torch.inference_mode():
        logits: torch.Tensor = reader(torch.from_numpy(tokens)[None])[0][0]
    return logits.double().log_softmax(-1)


@pytest.mark.parametrize("cell", CELLS)
def test_what_was_written_is_what_reading_it_says(cell: str) -> None:
    written = write(model(cell), PROMPT, Drawing(length=40, samples=3), 1.0)
    assert written.tokens.shape == (3, 43)
    for tokens, log_p in zip(written.tokens, written.log_p, strict=True):
        said = read(model(cell), tokens)[2:-1].gather(1, torch.from_numpy(tokens[3:, None]))[:, 0]
        np.testing.assert_allclose(log_p, said.numpy(), atol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_without_temperature_it_is_the_most_probable_character(cell: str) -> None:
    written = write(model(cell), PROMPT, Drawing(length=30, samples=2), 0.0)
    assert (written.tokens[0] == written.tokens[1]).all()
    assert (read(model(cell), written.tokens[0])[2:-1].argmax(-1).numpy() == written.tokens[0, 3:]).all()


def test_samples_depend_on_the_seed_and_on_their_number_alone() -> None:
    few = write(model(), PROMPT, Drawing(length=50, samples=2), 1.0).tokens
    many = write(model(), PROMPT, Drawing(length=50, samples=7), 1.0).tokens
    short = write(model(), PROMPT, Drawing(length=9, samples=7), 1.0).tokens
    other = write(model(), PROMPT, Drawing(length=50, samples=2, seed=1), 1.0).tokens
    assert (many[:2] == few).all()
    assert (many[:, :12] == short).all()
    assert (other != few).any(1).all()
    assert len({tuple(row) for row in many.tolist()}) == 7


def test_top_k_draws_from_so_many() -> None:
    written = write(model(scale=1.0), PROMPT, Drawing(length=60, samples=4, top_k=2), 1.0).tokens
    for tokens in written:
        ranks = read(model(scale=1.0), tokens)[2:-1].argsort(1, descending=True)[:, :2].numpy()
        assert (ranks == tokens[3:, None]).any(1).all()
    assert len(set(written[:, 3:].ravel().tolist())) >= 2
    one = write(model(), PROMPT, Drawing(length=20, samples=1, top_k=1), 1.0).tokens
    assert (one == write(model(), PROMPT, Drawing(length=20, samples=1), 0.0).tokens).all()


def test_characters_come_as_often_as_the_model_says() -> None:
    """8,000 first characters against their probabilities: chi-square of 5 degrees is below 25 at p > 0.9998."""
    written = write(model(scale=1.0), PROMPT, Drawing(length=1, samples=8_000), 0.7)
    with torch.inference_mode():
        expected = (model(scale=1.0)(torch.from_numpy(PROMPT)[None])[0][0, -1].double() / 0.7).softmax(0).numpy()
    found = np.bincount(written.tokens[:, 3], minlength=6)
    assert (((found - 8_000 * expected) ** 2) / (8_000 * expected)).sum() < 25


def test_a_row_tells_the_text_and_how_it_surprised_the_model() -> None:
    rows, (cold, warm) = sample_rows(model(), VOCABULARY, Drawing(length=12, prompt="aX", temperature=[0, 1.5]))
    table = rows.to_pylist()
    assert [(row["temperature"], row["sample"]) for row in table] == [(0, 0), (0, 1), (1.5, 0), (1.5, 1)]
    assert table[0]["prompt"] == "aX"
    assert table[0]["text"] == VOCABULARY.decode(cold.tokens[0, 2:])
    assert table[3]["bits_per_char"] == pytest.approx(-warm.log_p[1].mean() / math.log(2))


def test_a_text_ends_with_its_stop() -> None:
    whole = write(model(), PROMPT, Drawing(length=30, samples=8), 1.0)
    written = write(model(), PROMPT, Drawing(length=30, samples=8), 1.0, stop=0)
    assert (written.tokens == whole.tokens).all()
    for text, row in zip(written.texts(), whole.texts(), strict=True):
        drawn = row[3:].tolist()
        assert text.tolist() == row[: 3 + (drawn.index(0) + 1 if 0 in drawn else 30)].tolist()
    assert len({len(text) for text in written.texts()}) > 1
    rows, _ = sample_rows(model(), VOCABULARY, Drawing(length=30, samples=8, prompt="aX", stop="\n"))
    said = rows["text"].to_pylist()
    assert all(len(text) == 30 or text.endswith("\n") for text in said)
    assert all("\n" not in text[:-1] for text in said)


def test_an_empty_prompt_is_a_newline_or_the_first_character() -> None:
    for characters, token in ((VOCABULARY.characters, 0), ("xyz", 0), ("ab\n", 2)):
        assert marks_of(Drawing(), Vocabulary(characters)).prompt.tolist() == [token]


def test_the_least_temperature_is_that_of_the_most_probable_character() -> None:
    cold = write(model(), PROMPT, Drawing(length=20, samples=2), 5e-324)
    assert (cold.tokens == write(model(), PROMPT, Drawing(length=20, samples=2), 0.0).tokens).all()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"prompt": "az"}, "the prompt holds 'z', which the model never saw; it knows Xabcd"),
        ({"stop": "z"}, "the stop holds 'z', which the model never saw; it knows Xabcd"),
        ({"top_k": 7}, "top_k is 7, and there are 6 characters"),
    ],
)
def test_what_cannot_be_written_is_told(settings: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        marks_of(Drawing.model_validate(settings), VOCABULARY)
