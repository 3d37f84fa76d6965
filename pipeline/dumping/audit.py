"""Does what was computed obey the cell's own equations? Asked of every shard, in float32, before it appears.

A residual is |value - equation| / max(1, |value|): cell states may be large, everything else is at most 1 or so.
"""

import numpy as np
import torch
from torch import Tensor

from pipeline.capturing.unrolling import LayerRun
from pipeline.dumping.unroll import SAMPLED
from pipeline.models import cells
from schemas.errors import AuditError
from schemas.manifest import Residual
from schemas.signals import STATE

ROUNDING = 1e-6  # a residual below this is not made relative
KEPT = 64  # one residual in so many is kept for the median
MEMORY, SHOWN, MIXED = "c = f * c' + i * g", "h = o * tanh(c)", "h = (1 - z) * n + z * h'"
STEP, OWN = "every signal from the step before", "h is the module's own"


class Audit:
    """The residuals of one shard, collected block by block."""

    def __init__(self) -> None:
        self._largest: dict[str, float] = {}
        self._values: dict[str, int] = {}
        self._kept: dict[str, list[np.ndarray]] = {}

    @torch.inference_mode()
    def add(self, run: LayerRun, own_hidden: Tensor | None) -> None:
        """Check a layer over a block; `own_hidden` is what its module gives for every SAMPLED-th sequence."""
        for equation, (value, expected) in _equations(run).items():
            self._note(equation, value, expected)
        some = slice(None, None, SAMPLED)
        for name, expected in _stepped(run, some).items():
            self._note(STEP, run.signals[name][some], expected)
        if own_hidden is not None:
            self._note(OWN, run.signals["hidden_state"][some], own_hidden)

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
        residual = (value - expected).abs_()
        largest = residual.max().item()  # NaN when there is one
        if largest > ROUNDING:  # division takes as long as all the rest, and only makes a residual smaller
            residual.div_(value.abs().clamp_(min=1))
            largest = residual.max().item()
        residual = residual.flatten()
        before = self._largest.get(equation, 0.0)
        self._largest[equation] = before if before >= largest or np.isnan(before) else largest
        self._values[equation] = self._values.get(equation, 0) + residual.numel()
        self._kept.setdefault(equation, []).append(residual[::KEPT].cpu().numpy())


def _equations(run: LayerRun) -> dict[str, tuple[Tensor, Tensor]]:
    """What ties a step's signals to one another: the value and its equation, by the equation's name."""
    signals = run.signals
    hidden = signals["hidden_state"]
    if "cell_state" in signals:
        cell = signals["cell_state"]
        memory = signals["forget_gate"] * _before(cell, run.state[1])
        memory.addcmul_(signals["input_gate"], signals["candidate"])
        shown = cell.tanh().mul_(signals["output_gate"])
        if run.weights.weight_hr is not None:
            shown = shown @ run.weights.weight_hr.t()
        return {MEMORY: (cell, memory), SHOWN: (hidden, shown)}
    if "update_gate" in signals:
        return {MIXED: (hidden, signals["candidate"].lerp(_before(hidden, run.state[0]), signals["update_gate"]))}
    return {}


def _stepped(run: LayerRun, some: slice) -> dict[str, Tensor]:
    """Every signal of some sequences, worked out with the weights from the signals of the step before."""
    inputs = run.inputs[some]
    batch, steps, features = inputs.shape
    names = STATE[run.cell]
    before = [_before(run.signals[name][some], first[some]) for name, first in zip(names, run.state, strict=True)]
    expected = cells.unroll(
        run.cell,
        inputs.reshape(batch * steps, 1, features),
        run.weights,
        run.nonlinearity,
        tuple(values.reshape(batch * steps, -1) for values in before) or None,
    )
    return {name: values.view(batch, steps, -1) for name, values in expected.items()}


def _before(values: Tensor, first: Tensor) -> Tensor:
    """The values one step earlier, (batch, steps, neurons), `first` before step 0."""
    return torch.cat([first[:, None], values[:, :-1]], 1)
