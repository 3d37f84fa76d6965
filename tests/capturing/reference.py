"""The reference: torch's recurrent modules one step at a time in float64, written out from their documentation.

Nothing of the project is used here, so that a mistake in the project's equations cannot hide.
"""

import numpy as np
from torch import nn

Values = dict[str, np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def reference(module: nn.RNNBase, inputs: np.ndarray, state: list[np.ndarray] | None = None) -> list[list[Values]]:
    """By layer and direction, each signal (batch, steps, neurons), of inputs (batch, steps, features)."""
    layers: list[list[Values]] = []
    ways = 2 if module.bidirectional else 1
    for layer in range(module.num_layers):
        directions = []
        for way in range(ways):
            suffix = f"_l{layer}" + ("_reverse" if way else "")
            weights = {
                name.removesuffix(suffix): parameter.detach().double().numpy()
                for name, parameter in module.named_parameters()
                if name.endswith(suffix) and (way or not name.endswith("_reverse"))
            }
            before = None if state is None else [part[layer * ways + way].astype(np.float64) for part in state]
            read = inputs[:, ::-1] if way else inputs
            signals = one_layer(module, weights, read, before)
            directions.append({name: v[:, ::-1] if way else v for name, v in signals.items()})
        layers.append(directions)
        inputs = np.concatenate([way["hidden_state"] for way in directions], -1)
    return layers


def one_layer(
    module: nn.RNNBase, weights: Values, inputs: np.ndarray, state: list[np.ndarray] | None
) -> dict[str, np.ndarray]:
    batch, steps, _ = inputs.shape
    w, u = weights["weight_ih"], weights["weight_hh"]
    zeros = np.zeros(len(w))
    b, d = weights.get("bias_ih", zeros), weights.get("bias_hh", zeros)
    h = np.zeros((batch, u.shape[1])) if state is None else state[0]
    c = state[1] if state is not None and len(state) > 1 else np.zeros((batch, module.hidden_size))
    rows: list[Values] = []
    for step in range(steps):
        x = inputs[:, step].astype(np.float64)
        if isinstance(module, nn.LSTM):
            i, f, g, o = np.split(x @ w.T + b + h @ u.T + d, 4, 1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            c = f * c + i * g
            h = o * np.tanh(c)
            if "weight_hr" in weights:
                h = h @ weights["weight_hr"].T
            row = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, "cell_state": c}
        elif isinstance(module, nn.GRU):
            xr, xz, xn = np.split(x @ w.T + b, 3, 1)
            hr, hz, hn = np.split(h @ u.T + d, 3, 1)
            r, z = sigmoid(xr + hr), sigmoid(xz + hz)
            n = np.tanh(xn + r * hn)
            h = (1 - z) * n + z * h
            row = {"reset_gate": r, "update_gate": z, "candidate": n}
        else:
            total = x @ w.T + b + h @ u.T + d
            h = np.tanh(total) if module.nonlinearity == "tanh" else np.maximum(total, 0)
            row = {}
        rows.append(row | {"hidden_state": h})
    return {name: np.stack([row[name] for row in rows], 1) for name in rows[0]}
