"""The cells, side by side: each unrolls one layer over a batch and gives every signal at every step.

Letter  name          equation                     range
x                     the layer's input            W is weight_ih, U is weight_hh; both biases are added
h', c'                the states one step before   0 before step 0, and the audit relies on it
h       hidden_state  what the next layer reads    (-1, 1), or [0, inf) for a relu

Every function takes inputs (batch, steps, features) and the state before step 0 (hidden, or hidden and cell, each
(batch, neurons); zeros when left out), and gives signals (batch, steps, neurons), in the inputs' dtype and the
order of `schemas.signals`. Weights are stacked by gate in torch's order, so torch's own modules can train them.
The products with x are taken for all steps at once: only the products with h' have to wait for their step.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from schemas.errors import unknown
from schemas.signals import CELL_SIGNALS, STATE

Signals = dict[str, Tensor]
State = tuple[Tensor, ...]


class Weights(NamedTuple):
    """One layer's parameters; G is the number of gates that the cell stacks (rnn 1, gru 3, lstm 4)."""

    weight_ih: Tensor  # (G * neurons, features)
    weight_hh: Tensor  # (G * neurons, neurons); unused by feedforward
    bias_ih: Tensor  # (G * neurons,)
    bias_hh: Tensor  # (G * neurons,); unused by feedforward
    weight_peephole: Tensor | None = None  # (3, neurons): p of i, f, o
    weight_hr: Tensor | None = None  # (projected, neurons): an lstm's h is this times o * tanh(c)


def feedforward(inputs: Tensor, weights: Weights, activate: Callable[[Tensor], Tensor] = torch.tanh) -> Signals:
    """No memory: each step is answered from its own character.

    h       hidden_state  tanh(W x), or relu
    """
    return {"hidden_state": activate(linear(inputs, weights.weight_ih, weights.bias_ih))}


def rnn(
    inputs: Tensor,
    weights: Weights,
    activate: Callable[[Tensor], Tensor] = torch.tanh,
    state: State | None = None,
) -> Signals:
    """Elman's network (1990).

    h       hidden_state  tanh(W x + U h'), or relu
    """
    from_input = linear(inputs, weights.weight_ih, weights.bias_ih + weights.bias_hh)
    (hidden,) = state or zero_state("rnn", weights, inputs)

    steps = []
    for step in from_input.unbind(1):
        hidden = activate(torch.addmm(step, hidden, weights.weight_hh.t()))
        steps.append(hidden)

    return {"hidden_state": torch.stack(steps, 1)}


def lstm(inputs: Tensor, weights: Weights, state: State | None = None) -> Signals:
    """Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000).

    i       input_gate    sigmoid(Wi x + Ui h')     (0, 1)
    f       forget_gate   sigmoid(Wf x + Uf h')     (0, 1)
    o       output_gate   sigmoid(Wo x + Uo h')     (0, 1)
    g       candidate     tanh(Wg x + Ug h')        (-1, 1)
    c       cell_state    f * c' + i * g            unbounded
    h       hidden_state  o * tanh(c)               (-1, 1)

    Stacked as i, f, g, o. With a projection (Sak et al., 2014) h is R (o * tanh(c)), and unbounded.
    """
    from_input = linear(inputs, weights.weight_ih, weights.bias_ih + weights.bias_hh)
    hidden, cell = state or zero_state("lstm", weights, inputs)

    steps = []
    for step in from_input.unbind(1):
        i, f, g, o = torch.addmm(step, hidden, weights.weight_hh.t()).chunk(4, 1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        cell = f * cell + i * g
        hidden = o * cell.tanh()
        if weights.weight_hr is not None:
            hidden = hidden @ weights.weight_hr.t()
        steps.append((i, f, o, g, cell, hidden))

    return _stacked(CELL_SIGNALS["lstm"], steps)


def gru(inputs: Tensor, weights: Weights, state: State | None = None) -> Signals:
    """Cho et al. (2014), with torch's convention: r scales U h' after the product, not h' before it.

    r       reset_gate    sigmoid(Wr x + Ur h')     (0, 1)
    z       update_gate   sigmoid(Wz x + Uz h')     (0, 1)
    n       candidate     tanh(Wn x + r * (Un h'))  (-1, 1), Un h' with its own bias
    h       hidden_state  (1 - z) * n + z * h'      (-1, 1)

    Stacked as r, z, n.
    """
    from_input = linear(inputs, weights.weight_ih, weights.bias_ih)
    (hidden,) = state or zero_state("gru", weights, inputs)

    steps = []
    for step in from_input.unbind(1):
        x_r, x_z, x_n = step.chunk(3, 1)
        h_r, h_z, h_n = torch.addmm(weights.bias_hh, hidden, weights.weight_hh.t()).chunk(3, 1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        hidden = (1 - z) * n + z * hidden
        steps.append((r, z, n, hidden))

    return _stacked(CELL_SIGNALS["gru"], steps)


def peephole_lstm(inputs: Tensor, weights: Weights, state: State | None = None) -> Signals:
    """An LSTM whose gates see the cell state: Gers and Schmidhuber (2000).

    i       input_gate    sigmoid(Wi x + Ui h' + pi * c')   (0, 1)
    f       forget_gate   sigmoid(Wf x + Uf h' + pf * c')   (0, 1)
    o       output_gate   sigmoid(Wo x + Uo h' + po * c)    (0, 1): the NEW cell state
    g       candidate     tanh(Wg x + Ug h')                (-1, 1)
    c       cell_state    f * c' + i * g                    unbounded
    h       hidden_state  o * tanh(c)                       (-1, 1)

    Stacked as i, f, g, o; with p = 0 it is the lstm exactly.
    """
    assert weights.weight_peephole is not None
    from_input = linear(inputs, weights.weight_ih, weights.bias_ih + weights.bias_hh)
    p_i, p_f, p_o = weights.weight_peephole
    hidden, cell = state or zero_state("peephole_lstm", weights, inputs)

    steps = []
    for step in from_input.unbind(1):
        i, f, g, o = torch.addmm(step, hidden, weights.weight_hh.t()).chunk(4, 1)
        i, f, g = (i + p_i * cell).sigmoid(), (f + p_f * cell).sigmoid(), g.tanh()
        cell = f * cell + i * g
        o = (o + p_o * cell).sigmoid()
        hidden = o * cell.tanh()
        steps.append((i, f, o, g, cell, hidden))

    return _stacked(CELL_SIGNALS["peephole_lstm"], steps)


def run_layer(
    cell: str, inputs: Tensor, weights: Weights, nonlinearity: str = "tanh", state: State | None = None
) -> Signals:
    """One layer of any cell; `nonlinearity` is that of rnn and feedforward."""
    activate = {"tanh": torch.tanh, "relu": torch.relu}[nonlinearity]

    match cell:
        case "feedforward":
            return feedforward(inputs, weights, activate)
        case "rnn":
            return rnn(inputs, weights, activate, state)
        case "lstm":
            return lstm(inputs, weights, state)
        case "gru":
            return gru(inputs, weights, state)
        case "peephole_lstm":
            return peephole_lstm(inputs, weights, state)
    raise unknown("cell", cell, CELL_SIGNALS)


def zero_state(cell: str, weights: Weights, inputs: Tensor) -> State:
    """The state before step 0 when none is given: one (batch, neurons) tensor for each of `STATE`."""
    neurons = {"cell_state": weights.weight_hh.shape[0] // 4, "hidden_state": weights.weight_hh.shape[1]}
    return tuple(inputs.new_zeros(len(inputs), neurons[name]) for name in STATE[cell])


def _stacked(names: tuple[str, ...], steps: Sequence[tuple[Tensor, ...]]) -> Signals:
    """A list over steps of (batch, neurons) to a tensor (batch, steps, neurons) for each signal."""
    return {name: torch.stack(values, 1) for name, values in zip(names, zip(*steps, strict=True), strict=True)}
