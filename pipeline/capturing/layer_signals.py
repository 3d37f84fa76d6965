"""What a capture gives: the signals of a recurrent module during one call, by name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import torch
from torch import Tensor

from pipeline.capturing.unrolling import LayerRun, Unrolled, flip
from schemas.errors import UsageError, unknown
from schemas.signals import CELL_SIGNALS


@dataclass(frozen=True, repr=False)
class LayerSignals(Mapping[str, Tensor]):
    """The signals of one recurrent module during one call, by name.

    A signal is (layers, directions, batch, steps, neurons), batch before steps whatever `batch_first` says; one
    sequence without a batch is a batch of 1. Direction 1 reads from the end, and its value at step t is that after
    reading step t. Steps that a packed sequence does not have are NaN. Several runs within one call (a Cell form,
    a decoder's loop) follow one another as steps. A signal is put together when it is asked for.
    """

    runs: list[Unrolled] = field(default_factory=list)

    def __getitem__(self, signal: str) -> Tensor:
        """One signal. Raises UsageError with the known ones for a name that the cell does not have."""
        if signal not in self.names:
            raise unknown(f"signal of a {self.cell}", signal, self.names)

        runs = [_stacked(run, signal) for run in self.runs]
        if len({run.shape[2] for run in runs}) > 1:
            raise UsageError(
                "the module ran with batches of different sizes within one call: see `runs`, one by one"
            )
        return runs[0] if len(runs) == 1 else torch.cat(runs, 3)

    def __iter__(self) -> Iterator[str]:
        """The cell's signals, in the order of the table."""
        return iter(self.names)

    def __len__(self) -> int:
        """Their number."""
        return len(self.names)

    def __repr__(self) -> str:
        """The cell, the signals and their shape, and no values."""
        return f"<{self.cell}, {self._sizes()}: {', '.join(self.names)}>"

    def _repr_html_(self) -> str:
        """The same for a notebook, a line a signal."""
        rows = [(name, self._sizes(name)) for name in self.names]
        return html_table(("signal", "shape"), rows)

    def _sizes(self, signal: str = "hidden_state") -> str:
        """The shape of a signal in words, without putting it together."""
        first = self.runs[0].layers
        batches = sorted({run.layers[0][0].inputs.shape[0] for run in self.runs})
        steps = sum(run.layers[0][0].inputs.shape[1] for run in self.runs)
        neurons = first[0][0].signals[signal].shape[-1]
        return (
            f"{len(first)} layers, {len(first[0])} directions, batch {' or '.join(map(str, batches))}, "
            f"{steps} steps, {neurons} neurons"
        )

    @property
    def cell(self) -> str:
        """The kind of cell."""
        return self.runs[0].layers[0][0].cell

    @property
    def names(self) -> tuple[str, ...]:
        """The signals that the cell has."""
        return CELL_SIGNALS[self.cell]

    def layer(self, layer: int, direction: int = 0) -> LayerRun:
        """One layer in one direction, of the last run: its own tensors, without a copy."""
        return self.runs[-1].layers[layer][direction]


class Call(dict[str, LayerSignals]):
    """What one call of the module gave: signals by the path of each recurrent module that ran."""

    def __missing__(self, path: str) -> LayerSignals:
        """Raise UsageError with the known paths."""
        raise unknown("recurrent module", path, [known or '"" (the module itself)' for known in self])


def html_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table for a notebook; the names stand above the rows."""
    lines = [("th", names), *(("td", row) for row in rows)]
    cells = ["".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in line) for tag, line in lines]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in cells)}</table>"


def _stacked(run: Unrolled, signal: str) -> Tensor:
    """A signal of one run, (layers, directions, batch, steps, neurons)."""
    layers = [torch.stack([_in_order(way, signal) for way in layer]) for layer in run.layers]
    return torch.stack(layers)


def _in_order(run: LayerRun, signal: str) -> Tensor:
    """A signal with steps in the order of the text, NaN where a packed sequence has none."""
    values = run.signals[signal]
    if run.is_reversed:
        values = flip(values, run.lengths)
    if run.lengths is None:
        return values
    steps = torch.arange(values.shape[1], device=values.device)
    return values.masked_fill((steps >= run.lengths[:, None])[..., None], torch.nan)
