"""A network built by hand, whose values one works out on paper: neuron 0 counts the a's and is emptied by an X."""

import torch
from torch import nn

import pipeline

A, X, B = 0, 1, 2
OPEN, SHUT = 100.0, -100.0  # sigmoid is 1 and 0 in float32, exactly


def counter() -> nn.LSTM:
    """Neuron 0: i open at a, g = tanh(100) = 1 at a, f open but at X, o open. Neuron 1 does nothing."""
    lstm = nn.LSTM(3, 2, batch_first=True)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        from_input = dict(lstm.named_parameters())["weight_ih_l0"]
        input_gate, forget_gate, candidate, output_gate = (0, 2, 4, 6)
        from_input[input_gate] = torch.tensor([OPEN, SHUT, SHUT])
        from_input[forget_gate] = torch.tensor([OPEN, SHUT, OPEN])
        from_input[candidate] = torch.tensor([OPEN, 0.0, 0.0])
        from_input[output_gate] = torch.tensor([OPEN, OPEN, SHUT])
    return lstm


def test_a_counter_on_paper() -> None:
    tokens = torch.tensor([[A, A, A, B, X, A, B]])
    signals = pipeline.capture(counter())(nn.functional.one_hot(tokens, 3).float())[""]
    first = {name: values[0, 0, 0, :, 0].tolist() for name, values in signals.items()}
    assert first["input_gate"] == [1, 1, 1, 0, 0, 1, 0]
    assert first["forget_gate"] == [1, 1, 1, 1, 0, 1, 1]
    assert first["candidate"] == [1, 1, 1, 0, 0, 1, 0]
    assert first["output_gate"] == [1, 1, 1, 0, 1, 1, 0]
    assert first["cell_state"] == [1, 2, 3, 3, 0, 1, 1]
    shown = torch.tanh(torch.tensor([1.0, 2.0, 3.0, 1.0]))
    expected = torch.tensor([shown[0], shown[1], shown[2], 0, 0, shown[3], 0])
    torch.testing.assert_close(signals["hidden_state"][0, 0, 0, :, 0], expected, rtol=0, atol=1e-7)
    second = {name: set(values[0, 0, 0, :, 1].tolist()) for name, values in signals.items()}
    assert second == {
        "input_gate": {0.5},
        "forget_gate": {0.5},
        "output_gate": {0.5},
        "candidate": {0.0},
        "cell_state": {0.0},
        "hidden_state": {0.0},
    }
