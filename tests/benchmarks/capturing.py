"""Gates only, nothing written: `pipeline.capture` against the bare forward pass and against an `nn.LSTMCell` loop.

On a GPU, where there is one, else on the CPU. Weights are untrained: the speed does not depend on them.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

import pipeline
from jobs.process.memory import keep_freed_memory
from pipeline.capturing import methods, workspace
from pipeline.models import cells
from pipeline.models.recurrent_lm import layer_weights
from schemas.signals import CELL_SIGNALS
from tests.benchmarks.measure import Theme, Times, alternate, number, ratios, spread

FEATURES = 100  # characters of a vocabulary, about
FORWARD, CAPTURE, LOOP = "forward", "capture", "cell loop"
KINDS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
CELLS: dict[str, Callable[..., nn.RNNCellBase]] = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}


class Shape(NamedTuple):
    """What is run."""

    cell: str
    layers: int
    neurons: int
    batch: int
    steps: int

    def __str__(self) -> str:
        return f"{self.cell} {self.layers} x {self.neurons}, batch {self.batch}"

    @property
    def values(self) -> int:
        return self.layers * self.neurons * self.batch * self.steps * len(CELL_SIGNALS[self.cell])


STEPS = {10: 100, 128: 64, 512: 32, 1024: 16}  # fewer where a step takes longer
FULL = [
    *(Shape("lstm", *size, STEPS[size[1]]) for n in STEPS for size in ((1, n, 16), (1, n, 256), (2, n, 64))),
    *(Shape("lstm", 3, n, 64, STEPS[n]) for n in STEPS),
    *(Shape(cell, 1, n, 64, STEPS[n]) for cell in ("gru", "rnn") for n in STEPS),
]
QUICK = [Shape("lstm", 1, 8, 2, 3), Shape("gru", 2, 8, 2, 3)]


def run(*, quick: bool) -> Theme:
    """Every shape: first with memory as any process has it, then with freed memory kept as the dump stage does."""
    shapes, rounds = (QUICK, 1) if quick else (FULL, 5)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fresh = {shape: alternate(_sides(shape, device), rounds) for shape in shapes}
    keep_freed_memory()
    kept = {shape: alternate(_sides(shape, device) | _ways(shape, device), rounds) for shape in shapes}
    return Theme(
        title="Capture",
        method=(
            f"On the {device}, one thread, random inputs of {FEATURES} features, {rounds} alternations. "
            "*Forward* is the module's own, which gives the last layer's hidden state; *capture* gives every "
            "signal of all layers; *cell loop* is torch's Cell form step by step, with each step's state kept: "
            "two of an lstm's six signals. A share is the forward's time divided by that of the other. *Freed "
            "memory kept* is how the dump stage runs (`jobs/process/memory.py`); otherwise large arrays cost "
            "page faults each time. The last columns are the methods in `pipeline/capturing/methods.py` alone, "
            "for one layer, as shares."
        ),
        header=(
            "what",
            "forward, M values/s",
            "capture / forward",
            "freed memory kept",
            "capture / cell loop",
            "workspace",
            "product",
            "loop",
        ),
        rows=[_row(shape, fresh[shape], kept[shape]) for shape in shapes],
        notes=[
            "All rates count the same values, though the forward gives only one layer's hidden state.",
            "torch's own gru and rnn are loops on a CPU, without a kernel of their own to read from.",
        ],
        raw={str(shape): {"fresh": fresh[shape], "kept": kept[shape]} for shape in shapes},
    )


def _row(shape: Shape, fresh: Times, kept: Times) -> tuple[str, ...]:
    ways = (
        number(sorted(ratios(kept[FORWARD], kept[way]))[len(kept[way]) // 2]) if way in kept else "–"
        for way in ("workspace", "product", "loop")
    )
    return (
        str(shape),
        spread([shape.values / 1e6 / taken for taken in kept[FORWARD]]),
        spread(ratios(fresh[FORWARD], fresh[CAPTURE])),
        spread(ratios(kept[FORWARD], kept[CAPTURE])),
        spread(ratios(kept[LOOP], kept[CAPTURE])),
        *ways,
    )


def _sides(shape: Shape, device: str) -> dict[str, Callable[[], object]]:
    torch.manual_seed(0)
    module = KINDS[shape.cell](FEATURES, shape.neurons, shape.layers, batch_first=True).eval().to(device)
    inputs = torch.randn(shape.batch, shape.steps, FEATURES, device=device)
    steps = [
        _cell(shape.cell, dict(module.named_parameters()), f"_l{layer}").to(device)
        for layer in range(shape.layers)
    ]
    return {
        FORWARD: partial(_finished, partial(module, inputs)),
        CAPTURE: partial(_finished, partial(pipeline.capture(module), inputs)),
        LOOP: partial(_finished, partial(_loop, steps, inputs)),
    }


def _ways(shape: Shape, device: str) -> dict[str, Callable[[], object]]:
    """The methods of one layer, where they can run."""
    if shape.layers > 1:
        return {}
    module = KINDS[shape.cell](FEATURES, shape.neurons).to(device)
    weights = layer_weights(dict(module.named_parameters()), "_l0")
    inputs = torch.randn(shape.batch, shape.steps, FEATURES, device=device)
    ways: dict[str, Callable[[], object]] = {
        "product": partial(methods.product, shape.cell, inputs, weights),
        "loop": partial(cells.run_layer, shape.cell, inputs, weights),
    }
    if shape.cell == "lstm" and workspace.can_read(inputs, weights):
        ways["workspace"] = partial(workspace.lstm, inputs, weights)
    return {name: partial(_finished, way) for name, way in ways.items()}


def _finished(work: Callable[[], object]) -> object:
    """What a call gives, when the device has really done it."""
    with torch.no_grad():
        made = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return made


def _cell(kind: str, parameters: dict[str, nn.Parameter], suffix: str) -> nn.RNNCellBase:
    weights = {name.removesuffix(suffix): value for name, value in parameters.items() if name.endswith(suffix)}
    features, neurons = weights["weight_ih"].shape[1], weights["weight_hh"].shape[1]
    cell = CELLS[kind](features, neurons)
    cell.load_state_dict(weights)
    return cell


def _loop(steps: list[nn.RNNCellBase], inputs: Tensor) -> list[list[Tensor]]:
    """Each step's state, kept, of layer after layer."""
    kept = []
    for cell in steps:
        state = None
        states = []
        for step in inputs.unbind(1):
            state = cell(step, state)
            states.append(state if isinstance(state, tuple) else (state,))
        parts = [torch.stack(part, 1) for part in zip(*states, strict=True)]
        kept.append(parts)
        inputs = parts[0]
    return kept
