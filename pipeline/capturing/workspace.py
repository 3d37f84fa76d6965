"""An lstm's gates and states, read out of the workspace that torch's own CPU kernel fills.

oneDNN's kernel for training keeps what the backward pass needs: the gates after their activation, and the cell
state, at every step. They cost no more than the forward pass, and nothing is computed twice. Where they lie is
oneDNN's own affair and undocumented (found by search, and right for 1,818 shapes with oneDNN 3.12), so for each
new shape a step is worked out a second time and compared; a workspace that holds something else is not used.
"""

import torch
from torch import Tensor

from pipeline.models import cells
from pipeline.models.cells import Signals, State, Weights, zero_state
from schemas.signals import CELL_SIGNALS

LSTM_MODE = 2  # at::native::rnn's number for an lstm
PAGE = 1024  # float32 values of a 4,096-byte page, at which each part of the workspace begins
# Shapes (batch, steps, features, neurons) whose workspace was as expected: the layout follows from the shape, and
# to check a short call again would take as long as the call.
_known: set[tuple[int, ...]] = set()
TOLERANCE = 1e-4  # of a place in the workspace, not of its rounding: another place differs in the first digits


def can_read(inputs: Tensor, weights: Weights) -> bool:
    """Whether torch's kernel is the one for these inputs and weights."""
    return (
        inputs.device.type == "cpu"
        and inputs.dtype == torch.float32
        and weights.weight_hr is None
        and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
        and bool(torch.backends.mkldnn.enabled)
    )


def lstm(inputs: Tensor, weights: Weights, state: State | None = None) -> Signals | None:
    """As `cells.lstm`, at the speed of the forward pass; None when the workspace is not as expected.

    The signals are views of the workspace, (batch, steps, neurons), with strides of its own.
    """
    batch, steps, features = inputs.shape
    neurons = weights.weight_hh.shape[1]
    state = state or zero_state("lstm", weights, inputs)
    hidden, last_cell, workspace = _run_kernel(inputs, weights, state)

    row = _row_length(4 * neurons)
    first_cell = _cells_begin(batch, steps, features, neurons)
    if len(workspace) < first_cell + steps * batch * neurons:
        return None

    gates = workspace[: steps * batch * row].view(steps, batch, row).transpose(0, 1)
    i, f, g, o = (gates[..., k * neurons : (k + 1) * neurons] for k in range(4))
    cell = workspace[first_cell : first_cell + steps * batch * neurons].view(steps, batch, neurons)
    cell[-1] = last_cell  # the kernel gives the last one away, and leaves its place empty

    values = (i, f, o, g, cell.transpose(0, 1), hidden)
    signals = dict(zip(CELL_SIGNALS["lstm"], values, strict=True))

    shape = (batch, steps, features, neurons)
    if shape not in _known:
        if not _last_step_holds(signals, inputs, weights, state):
            return None
        _known.add(shape)
    return signals


def _run_kernel(inputs: Tensor, weights: Weights, state: State) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden state (batch, steps, neurons), last cell state (batch, neurons), workspace (values,)."""
    # The kernel fills its workspace only where gradients are wanted; detached values keep autograd out of it.
    w_ih, w_hh, b_ih, b_hh = (weight.detach().contiguous() for weight in weights[:4])
    first_hidden, first_cell = (part.detach().contiguous()[None] for part in state)
    read = inputs.detach().transpose(0, 1).contiguous()

    with torch.enable_grad():
        hidden, _, cell, workspace = torch.mkldnn_rnn_layer(
            read,
            w_ih,
            w_hh,
            b_ih,
            b_hh,
            first_hidden,
            first_cell,
            reverse=False,
            batch_sizes=[],
            mode=LSTM_MODE,
            hidden_size=w_hh.shape[1],
            num_layers=1,
            has_biases=True,
            bidirectional=False,
            batch_first=False,
            train=True,
        )

    whole = len(workspace) // 4 * 4
    return hidden.transpose(0, 1), cell[0], workspace[:whole].view(torch.float32)


def _row_length(values: int) -> int:
    """Values from one row of gates to the next: whole lines of 64 bytes, and never a multiple of 1 KiB."""
    lines = -(-values // 16) * 16
    return lines + 16 if lines % 256 == 0 else lines


def _cells_begin(batch: int, steps: int, features: int, neurons: int) -> int:
    """Where the first step's cell state lies.

    Before it: the gates; the states as the layers read them, of this layer and the one below; the states as the
    next step reads them; and the cell states of the layer below, which has none, and of the step before the first.
    """
    parts = (
        steps * batch * _row_length(4 * neurons),
        2 * (steps + 1) * batch * _row_length(max(features, neurons)),
        steps * batch * _row_length(neurons),
    )
    return sum(-(-part // PAGE) * PAGE for part in parts) + (steps + 2) * batch * neurons


def _last_step_holds(signals: Signals, inputs: Tensor, weights: Weights, state: State) -> bool:
    """Whether the last step follows from the one before it, by the cell's equations."""
    if inputs.shape[1] > 1:
        state = (signals["hidden_state"][:, -2], signals["cell_state"][:, -2])
    expected = cells.lstm(inputs[:, -1:], weights, state)
    return all(
        torch.allclose(signals[name][:, -1], values[:, 0], rtol=TOLERANCE, atol=TOLERANCE)
        for name, values in expected.items()
    )
