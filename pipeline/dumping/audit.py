"""Does what was computed obey the cell's own equations? Asked of every shard, in float32, before it appears.

A residual is |value - equation| / max(1, |value|): cell states may be large, everything else is at most 1 or so.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.capturing.unrolling import LayerRun
from pipeline.models import cells
from schemas.errors import AuditError
from schemas.manifest import Residual
from schemas.signals import STATE

ROUNDING = 1e-6  # a residual below this is not made relative
HELD = 65_536  # values of a signal that are checked together: a core's cache holds them, with what is made of them
KEPT = 128  # of their residuals, for the median
SAMPLED = 61  # one step in so many is worked out again with the weights; no common length is a multiple
MEMORY, SHOWN, MIXED = "c = f * c' + i * g", "h = o * tanh(c)", "h = (1 - z) * n + z * h'"
STEP, OWN = "every signal from the step before", "h is the module's own"
Places = tuple[Tensor, Tensor]


class ShardAudit:
    """The residuals of one shard, collected block by block."""

    def __init__(self) -> None:
        self._largest: dict[str, float] = {}
        self._values: dict[str, int] = {}
        self._kept: dict[str, list[np.ndarray]] = {}

    @torch.inference_mode()
    def add(self, run: LayerRun) -> None:
        """Check a layer over a block."""
        for some in _slices(run):
            for equation, (value, expected) in _equations(run, some).items():
                self._note(equation, value, expected)
        places = _sampled(run)
        for name, expected in _stepped(run, places).items():
            self._note(STEP, run.signals[name][places], expected)

    @torch.inference_mode()
    def add_own(self, module: nn.Module, layers: list[LayerRun]) -> None:
        """Compare the last layer over a block with what the module's own kernel makes of each step."""
        self._note(OWN, *_own(module, layers))

    def residuals(self) -> tuple[Residual, ...]:
        """What was found, an equation each."""
        return tuple(
            Residual(
                equation=equation,
                values=self._values[equation],
                largest=largest,
                median=float(np.median(np.concatenate(self._kept[equation]))),
            )
            for equation, largest in self._largest.items()
        )

    def require(self, tolerance: float, where: str) -> tuple[Residual, ...]:
        """The residuals. Raises AuditError when one is above the tolerance, or no number."""
        residuals = self.residuals()
        for residual in residuals:
            if not residual.largest <= tolerance:
                raise AuditError(
                    f"{where} does not obey `{residual.equation}`: the largest residual is {residual.largest:.2g} "
                    f"and dump.tolerance {tolerance:g}, so nothing was written; this is a bug, unless the weights "
                    "are so large that float32 cannot do better: then --set dump.tolerance=…"
                )
        return residuals

    def _note(self, equation: str, value: Tensor, expected: Tensor) -> None:
        """Compare, in the place of what was expected."""
        residual = expected.sub_(value).abs_()
        largest = residual.amax().item()  # NaN when there is one
        if largest > ROUNDING:  # division takes as long as all the rest, and only makes a residual smaller
            residual.div_(value.abs().clamp_(min=1))
            largest = residual.amax().item()

        residual = residual.flatten()
        before = self._largest.get(equation, 0.0)
        self._largest[equation] = before if before >= largest or np.isnan(before) else largest
        self._values[equation] = self._values.get(equation, 0) + residual.numel()
        self._kept.setdefault(equation, []).append(residual[:: 1 + residual.numel() // KEPT].cpu().numpy())


def _slices(run: LayerRun) -> Iterator[slice]:
    """All steps, a few at a time."""
    batch, steps, _ = run.inputs.shape
    neurons = run.signals["hidden_state"].shape[-1]
    several = max(1, HELD // (batch * neurons))
    for first in range(0, steps, several):
        yield slice(first, min(first + several, steps))


def _equations(run: LayerRun, some: slice) -> dict[str, tuple[Tensor, Tensor]]:
    """What ties a step's signals to one another: the value and its equation, by the equation's name."""
    signals = {name: values[:, some] for name, values in run.signals.items()}
    hidden = signals["hidden_state"]
    if "cell_state" in signals:
        cell = signals["cell_state"]
        memory = signals["forget_gate"] * _before(run, 1, some)
        memory.addcmul_(signals["input_gate"], signals["candidate"])
        shown = _tanh(cell).mul_(signals["output_gate"])
        if run.weights.weight_hr is not None:
            shown = shown @ run.weights.weight_hr.t()
        return {MEMORY: (cell, memory), SHOWN: (hidden, shown)}

    if "update_gate" in signals:
        return {MIXED: (hidden, signals["candidate"].lerp(_before(run, 0, some), signals["update_gate"]))}
    return {}


def _stepped(run: LayerRun, places: Places) -> dict[str, Tensor]:
    """Every signal (N, neurons) at some places, worked out with the weights from the signals one step before."""
    state = tuple(values[:, 0] for values in _states(run, places))
    inputs = run.inputs[places][:, None]
    expected = cells.run_layer(run.cell, inputs, run.weights, run.nonlinearity, state or None)
    return {name: values[:, 0] for name, values in expected.items()}


def _own(module: nn.Module, layers: list[LayerRun]) -> tuple[Tensor, Tensor]:
    """The last layer's hidden state as captured, and as the module's own forward gives it.

    Step by step, each from the captured states before it: over a whole sequence two sums in another order may part
    for good in a network that is chaotic.
    """
    hidden = layers[-1].signals["hidden_state"]
    places = _sampled(layers[0])
    states = zip(*(_states(run, places) for run in layers), strict=True)
    state = tuple(torch.cat(parts, 1).transpose(0, 1).contiguous() for parts in states)

    inputs = layers[0].inputs[places]
    steps = inputs[:, None] if module.batch_first else inputs[None]
    output, _ = module(steps, state[0] if len(state) == 1 else state or None)
    return hidden[places], output[:, 0] if module.batch_first else output[0]


def _sampled(run: LayerRun) -> Places:
    """Every SAMPLED-th step of a block: row and step, (N,) each."""
    batch, steps, _ = run.inputs.shape
    place = torch.arange(0, batch * steps, SAMPLED, device=run.inputs.device)
    return place // steps, place % steps


def _states(run: LayerRun, places: Places) -> list[Tensor]:
    """The states before some steps, (N, 1, neurons) each."""
    row, step = places
    begins = (step == 0)[:, None]
    return [
        torch.where(begins, first[row], run.signals[name][row, (step - 1).clamp(min=0)])[:, None]
        for name, first in zip(STATE[run.cell], run.state, strict=True)
    ]


def _before(run: LayerRun, part: int, some: slice) -> Tensor:
    """A part of the state one step earlier, (batch, steps, neurons)."""
    values = run.signals[STATE[run.cell][part]]
    if some.start:
        return values[:, some.start - 1 : some.stop - 1]
    return torch.cat([run.state[part][:, None], values[:, : some.stop - 1]], 1)


def _tanh(values: Tensor) -> Tensor:
    """As torch's, to its last digit or the one beside it; NumPy takes a tenth of torch's 2 ns a value."""
    return torch.from_numpy(np.tanh(values.numpy())) if values.device.type == "cpu" else values.tanh()
