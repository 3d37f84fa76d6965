"""Three ways to every signal of a layer, and which is taken. They agree within rounding, and the audit sees to it.

    workspace  the gates that torch's CPU kernel leaves behind: nothing is computed twice
    product    hidden states from the fused kernel, then all gates of all steps in one product per layer; the cell
               state by an elementwise scan. Twice the matrix work, no matrix product a step: for GPUs
    loop       the cell's equations step by step, with the products with x taken beforehand: for everything else

Speed of a layer as a share of the bare forward pass, which gives the hidden state only (docs/benchmarks; one
thread, batch 256 for the lstm and 64 for the others); the first is taken:

    where  cell   neurons  10                128               512               1024
    cpu    lstm            workspace 0.99    workspace 0.90    workspace 1.01    workspace 1.02
                           loop 0.40         loop 0.33         loop 0.39         loop 0.41
                           product 0.36      product 0.27      product 0.29      product 0.31
    cpu    gru             loop 0.67         loop 0.86         loop 0.95         loop 0.95
                           product 0.66      product 0.53      product 0.52      product 0.54
    cpu    rnn             loop 1.12         loop 1.05         loop 1.01         loop 0.97
    gpu    lstm, gru, rnn: product, unmeasured; a loop is 15-30 times slower than the fused kernel (pytorch#31423)
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import linear

from pipeline.capturing import workspace
from pipeline.models import cells
from pipeline.models.cells import Signals, State, Weights, zero_state
from pipeline.models.recurrent_lm import FUSED


def run_layer_fast(
    cell: str, inputs: Tensor, weights: Weights, nonlinearity: str = "tanh", state: State | None = None
) -> Signals:
    """Every signal of a layer, (batch, steps, neurons) each, fast; arguments as of `cells.run_layer`."""
    if cell == "lstm" and workspace.can_read(inputs, weights):
        signals = workspace.lstm(inputs, weights, state)
        if signals is not None:
            return signals
    if inputs.device.type == "cuda" and cell in FUSED and weights.weight_hr is None:
        return product(cell, inputs, weights, nonlinearity, state)
    return cells.run_layer(cell, inputs, weights, nonlinearity, state)


def product(
    cell: str, inputs: Tensor, weights: Weights, nonlinearity: str = "tanh", state: State | None = None
) -> Signals:
    """Signals from the fused kernel's hidden states: one product for the gates of all steps."""
    state = state or zero_state(cell, weights, inputs)
    hidden = _fused(cell, inputs, weights, nonlinearity, state)
    before = torch.cat([state[0][:, None], hidden[:, :-1]], 1)
    from_input = linear(inputs, weights.weight_ih, weights.bias_ih)
    from_hidden = linear(before, weights.weight_hh, weights.bias_hh)

    if cell == "lstm":
        i, f, g, o = (from_input + from_hidden).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        memory = {"cell_state": _scan(f, i * g, state[1]), "hidden_state": hidden}
        return {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, **memory}

    if cell == "gru":
        (x_r, x_z, x_n), (h_r, h_z, h_n) = from_input.chunk(3, -1), from_hidden.chunk(3, -1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        return {"reset_gate": r, "update_gate": z, "candidate": n, "hidden_state": hidden}

    return {"hidden_state": hidden}


def _fused(cell: str, inputs: Tensor, weights: Weights, nonlinearity: str, state: State) -> Tensor:
    """The hidden states (batch, steps, neurons) that torch's kernel gives, in full float32."""
    kernels: dict[str, Callable[..., tuple[Tensor, ...]]] = {
        "lstm": torch.lstm,
        "gru": torch.gru,
        "rnn": {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}[nonlinearity],
    }
    first = tuple(part[None] for part in state)

    # cuDNN multiplies with 10 mantissa bits (TF32) unless told not to, and the gates would not fit its states.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return kernels[cell](
            inputs,
            first if cell == "lstm" else first[0],
            weights[:4],
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=False,
            bidirectional=False,
            batch_first=True,
        )[0]


def _scan(forget: Tensor, added: Tensor, before: Tensor) -> Tensor:
    """The states c = f * c' + added over the steps, all (batch, steps, neurons)."""
    states = torch.empty_like(added)
    for step in range(added.shape[1]):
        before = torch.addcmul(added[:, step], forget[:, step], before, out=states[:, step])
    return states
