"""Networks that the tables have no place for are told so before anything is written."""

import pytest
import torch
from torch import Tensor, nn

from pipeline.dumping import unroll as unrolling
from pipeline.dumping.soundness import check_sound
from pipeline.dumping.unroll import unroll
from pipeline.tasks.sequences import Sequences
from schemas.errors import UsageError


class Stranger(nn.Module):
    def __init__(self, *, batch_first: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8, 6)
        self.lstm = nn.LSTM(6, 6, batch_first=batch_first)
        self.readout = nn.Linear(6, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.readout(self.lstm(self.embedding(tokens))[0])  # type: ignore[no-any-return]


class StartOfText(Stranger):
    def forward(self, tokens: Tensor) -> Tensor:
        inputs = self.embedding(tokens)
        hidden, _ = self.lstm(torch.cat([torch.zeros_like(inputs[:, :1]), inputs], 1))
        return self.readout(hidden[:, 1:])  # type: ignore[no-any-return]


class Backwards(Stranger):
    def forward(self, tokens: Tensor) -> Tensor:
        return self.readout(self.lstm(self.embedding(tokens).flip(1))[0].flip(1))  # type: ignore[no-any-return]


class Twice(Stranger):
    def forward(self, tokens: Tensor) -> Tensor:
        return self.readout(self.lstm(self.lstm(self.embedding(tokens))[0])[0])  # type: ignore[no-any-return]


class Attentive(Stranger):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 1, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        inputs = self.embedding(tokens)
        seen, _ = self.attention(inputs, inputs, inputs)
        return self.readout(self.lstm(seen)[0])  # type: ignore[no-any-return]


class Convolved(Stranger):
    """Sees four characters back, so sound; but not in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.window = nn.Conv1d(6, 6, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        inputs = nn.functional.pad(self.embedding(tokens).transpose(1, 2), (3, 0))
        return self.readout(self.lstm(self.window(inputs).transpose(1, 2))[0])  # type: ignore[no-any-return]


class DroppingAlways(Stranger):
    def forward(self, tokens: Tensor) -> Tensor:
        inputs = nn.functional.dropout(self.embedding(tokens), 0.5)  # without training=self.training
        return self.readout(self.lstm(inputs)[0])  # type: ignore[no-any-return]


class Noisy(Stranger):
    """Its states are certain, and what it predicts is not."""

    def forward(self, tokens: Tensor) -> Tensor:
        logits = self.readout(self.lstm(self.embedding(tokens))[0])
        return logits + torch.randn_like(logits)  # type: ignore[no-any-return]


class Remembering(Stranger):
    """It adds the number of its calls."""

    calls = 0

    def forward(self, tokens: Tensor) -> Tensor:
        self.calls += 1
        return self.readout(self.lstm(self.embedding(tokens) + self.calls)[0])  # type: ignore[no-any-return]


@pytest.mark.parametrize("model", [Stranger, Convolved])
def test_sound_networks_pass(model: type[Stranger]) -> None:
    check_sound(model().eval(), "lstm", 8)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (StartOfText(), "1 times over .*one step a token"),
        (Stranger(batch_first=False), "is batch_first right"),
        (Backwards(), "depends on the steps after it"),
        (Attentive(), "depends on the steps after it"),
        (Twice(), "runs lstm 2 times"),
        (DroppingAlways(), "differs from call to call: it is random"),
        (Noisy(), "differs from call to call: it is random"),
        (Remembering(), "is random, or remembers earlier calls"),
    ],
)
def test_others_are_refused(model: nn.Module, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_sound(model.eval(), "lstm", 8)


def test_what_cannot_be_run_in_pieces_is_refused_where_pieces_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = torch.randint(8, (300,)).numpy().astype("int32")
    one = Sequences(tokens[:1], torch.tensor([0, 300]).numpy(), tokens, tokens > 9)
    assert len(list(unroll(Convolved().eval(), one, "lstm"))) == 1
    monkeypatch.setattr(unrolling, "BLOCK_STEPS", 100)
    assert len(list(unroll(Stranger().eval(), one, "lstm"))) == 3
    with pytest.raises(UsageError, match="remembers more than its recurrent state"):
        list(unroll(Convolved().eval(), one, "lstm"))


def test_weights_of_zero_are_run_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their state stays 0, which is not a model that sets it back."""
    monkeypatch.setattr(unrolling, "BLOCK_STEPS", 100)
    model = Stranger().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    tokens = torch.zeros(300).numpy().astype("int32")
    assert list(unroll(model, Sequences(tokens[:1], torch.tensor([0, 300]).numpy(), tokens, tokens > 9), "lstm"))
