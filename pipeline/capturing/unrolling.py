"""A recurrent module over one call: its layers, directions, states and packed sequences, as torch runs them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from pipeline.capturing import methods
from pipeline.capturing.arguments import check_call
from pipeline.capturing.modules import Recurrent
from pipeline.models.cells import Signals, State, Weights, zero_state
from schemas.signals import STATE


@dataclass(frozen=True, repr=False)
class LayerRun:
    """One layer in one direction: what it was given and what it did, in the order in which it read."""

    cell: str
    nonlinearity: str
    weights: Weights
    inputs: Tensor  # (batch, steps, features)
    state: State  # before the first step: (batch, neurons) each
    signals: Signals  # (batch, steps, neurons) each
    lengths: Tensor | None  # (batch,) int64, steps of each packed sequence
    is_reversed: bool

    def __repr__(self) -> str:
        """The cell and its sizes, and no values."""
        batch, steps, features = self.inputs.shape
        neurons = self.signals["hidden_state"].shape[-1]
        backwards = ", read backwards" if self.is_reversed else ""
        return f"<{self.cell} layer of {neurons} neurons over {(batch, steps, features)}{backwards}>"


@dataclass(frozen=True, repr=False)
class Unrolled:
    """A module over one call."""

    layers: list[list[LayerRun]]  # by layer and direction
    output: Any  # what the module's own forward gives
    state: Any  # the state after the last step, as the module takes it

    def __repr__(self) -> str:
        """Its layers and directions, and no values."""
        return f"<run of {self.layers}>"


def unroll_module(recurrent: Recurrent, inputs: Tensor | PackedSequence, state: Any) -> Unrolled:
    """Every signal of a module for inputs and a state as its forward takes them.

    Raises UsageError when they are not what it takes.
    """
    check_call(recurrent, inputs, state)
    if recurrent.is_step:
        return _unroll_step(recurrent, inputs, state)

    batch = _read_batch(recurrent, inputs)
    batch = replace(batch, values=_own_copy(batch.values))
    states = _read_state(recurrent, state, batch)

    current, layers = batch.values, []
    for index, ways in enumerate(recurrent.weights):
        first = index * len(ways)
        layer = [
            _unroll_layer(recurrent, weights, current, states[first + way], batch.lengths, is_reversed=way == 1)
            for way, weights in enumerate(ways)
        ]
        hidden = [run.signals["hidden_state"] for run in layer]
        current = hidden[0] if len(ways) == 1 else torch.cat([hidden[0], flip(hidden[1], batch.lengths)], -1)
        layers.append(layer)

    last = _last_states([run for layer in layers for run in layer], batch)
    # A copy, since the network may go on in place on what it is given: nn.ReLU(inplace=True) on our signals.
    output = _write_batch(current.clone(), recurrent, inputs, batch)
    return Unrolled(layers, (output, last), last)


def flip(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Steps (batch, steps, …) from the last to the first, within each sequence's length; padding stays."""
    if lengths is None:
        return values.flip(1)
    steps = torch.arange(values.shape[1], device=values.device)
    backwards = lengths[:, None] - 1 - steps
    places = torch.where(backwards >= 0, backwards, steps)
    return values.gather(1, places[..., None].expand_as(values))


def _own_copy(values: Tensor) -> Tensor:
    """Inputs (batch, steps, features) that nobody else can change (`x += lstm(x)[0]`), steps first in memory.

    That order is what the kernel reads; so there is one copy in all.
    """
    steps_first = values.transpose(0, 1)
    copy = steps_first.contiguous()
    return (copy.clone() if copy.data_ptr() == values.data_ptr() else copy).transpose(0, 1)


@dataclass(frozen=True)
class _Batch:
    values: Tensor  # (batch, steps, features)
    lengths: Tensor | None
    is_single: bool  # the caller gave no batch dimension


def _read_batch(recurrent: Recurrent, inputs: Tensor | PackedSequence) -> _Batch:
    if isinstance(inputs, PackedSequence):
        values, lengths = pad_packed_sequence(inputs, batch_first=True)
        return _Batch(values, lengths.to(values.device), is_single=False)
    if inputs.dim() == 2:
        return _Batch(inputs[None], None, is_single=True)
    return _Batch(inputs if recurrent.batch_first else inputs.transpose(0, 1), None, is_single=False)


def _write_batch(
    hidden: Tensor, recurrent: Recurrent, inputs: Tensor | PackedSequence, batch: _Batch
) -> Tensor | PackedSequence:
    """The last layer's hidden state (batch, steps, neurons) in the form of the inputs."""
    if isinstance(inputs, PackedSequence):
        assert batch.lengths is not None
        order, lengths = inputs.sorted_indices, batch.lengths.cpu()
        if order is not None:
            hidden, lengths = hidden.index_select(0, order), lengths[order.cpu()]
        packed = pack_padded_sequence(hidden, lengths, batch_first=True)
        return PackedSequence(packed.data, packed.batch_sizes, order, inputs.unsorted_indices)
    if batch.is_single:
        return hidden[0]
    return hidden if recurrent.batch_first else hidden.transpose(0, 1)


def _unroll_layer(
    recurrent: Recurrent,
    weights: Weights,
    inputs: Tensor,
    state: State | None,
    lengths: Tensor | None,
    *,
    is_reversed: bool,
) -> LayerRun:
    read = flip(inputs, lengths) if is_reversed else inputs
    state = state or zero_state(recurrent.cell, weights, inputs)
    signals = methods.run_layer_fast(recurrent.cell, read, weights, recurrent.nonlinearity, state)
    return LayerRun(recurrent.cell, recurrent.nonlinearity, weights, read, state, signals, lengths, is_reversed)


def _read_state(recurrent: Recurrent, state: Any, batch: _Batch) -> Sequence[State | None]:
    """The first state of each layer and direction, None where it is zero."""
    ways = sum(map(len, recurrent.weights))
    if state is None:
        return [None] * ways

    parts = state if isinstance(state, tuple | list) else (state,)
    if batch.is_single:
        parts = [part[:, None] for part in parts]
    return [tuple(part[way] for part in parts) for way in range(ways)]


def _last_states(runs: list[LayerRun], batch: _Batch) -> Any:
    """The state after each sequence's last step, as torch gives it."""
    names = STATE[runs[0].cell]
    parts = []
    for name in names:
        values = [run.signals[name] for run in runs]
        if batch.lengths is None:
            part = torch.stack([value[:, -1] for value in values])
        else:
            rows = torch.arange(len(batch.lengths), device=batch.lengths.device)
            part = torch.stack([value[rows, batch.lengths - 1] for value in values])
        parts.append(part[:, 0] if batch.is_single else part)
    return parts[0] if len(parts) == 1 else tuple(parts) or None


def _unroll_step(recurrent: Recurrent, inputs: Tensor | PackedSequence, state: Any) -> Unrolled:
    """A Cell form: inputs (batch, features) or (features,), state likewise."""
    assert isinstance(inputs, Tensor)
    is_single, weights = inputs.dim() == 1, recurrent.weights[0][0]
    batch = inputs[None] if is_single else inputs
    values = batch[:, None].clone()

    parts: State | None = None
    if state is not None:
        given = state if isinstance(state, tuple | list) else (state,)
        parts = tuple(part[None] if is_single else part for part in given)

    run = _unroll_layer(recurrent, weights, values, parts, None, is_reversed=False)
    ends = [run.signals[name][:, 0] for name in STATE[recurrent.cell]]
    last = tuple((end[0] if is_single else end).clone() for end in ends)
    output = last if len(last) > 1 else last[0]
    return Unrolled([[run]], output, output)
