"""What a recurrent module is called with, checked before a kernel of ours reads it.

torch's kernels trust the shapes that they are handed: a cell state of another batch writes past the end of its
memory. So nothing reaches one before its kind, shape, dtype and device are what the module's own forward takes.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from pipeline.capturing.modules import Recurrent, check_weight
from pipeline.models.cells import Weights
from schemas.errors import UsageError
from schemas.signals import STACKED, STATE

Shape = tuple[int, ...]


def check_call(recurrent: Recurrent, inputs: Any, state: Any) -> None:
    """Check the weights of a module, and the inputs and state that it is called with.

    Args:
        recurrent: the module with its weights as they are now.
        inputs: (batch, steps, features) in the module's own order, (steps, features) or packed; of a Cell form
            (batch, features) or (features,).
        state: as the module takes it, or None.

    Raises:
        UsageError: one of them is not what the module takes.
    """
    _check_weights(recurrent)
    like = recurrent.weights[0][0].weight_ih
    if isinstance(inputs, PackedSequence) and recurrent.takes_packed:
        batch = _check_packed(recurrent, inputs, like)
    else:
        _check_tensor("inputs", inputs, like)
        batch = _check_inputs(recurrent, inputs)
    if state is not None:
        _check_state(recurrent, state, batch, like)


def _check_tensor(what: str, values: Any, like: Tensor) -> None:
    """Raise UsageError unless these are plain values of the weights' dtype, where the weights lie."""
    if not isinstance(values, Tensor):
        raise UsageError(f"{what} must be a tensor, not a {type(values).__name__}")
    if torch._C._functorch.is_functorch_wrapped_tensor(values):  # noqa: SLF001  # torch has no public name for it
        raise UsageError(
            f"{what} belong to a transform of torch.func (vmap, grad, jvp …), inside which there are no values to "
            "keep: capture a call outside of it"
        )
    if values.layout != torch.strided or values.is_nested:
        kind = "nested" if values.is_nested else str(values.layout).removeprefix("torch.")
        raise UsageError(f"{what} are {kind}: give a dense tensor, or a packed sequence")
    if values.dtype != like.dtype:
        raise UsageError(f"{what} are {values.dtype} and weights {like.dtype}: convert one of them")
    if values.device != like.device:
        raise UsageError(
            f"{what} lie on {values.device} and weights on {like.device}: move one of them with .to(…)"
        )


def _check_inputs(recurrent: Recurrent, inputs: Tensor) -> Shape:
    """The batch of inputs, () for a single sequence or step."""
    single = 1 if recurrent.is_step else 2
    dimensions = (single, single + 1) if recurrent.takes_single else (single + 1,)
    if inputs.dim() not in dimensions or inputs.shape[-1] != recurrent.features:
        takes = "(batch, features)" if recurrent.is_step else "(batch, steps, features)"
        raise UsageError(
            f"{recurrent.name} takes {takes} with {recurrent.features} features, in its own order, "
            f"not {tuple(inputs.shape)}"
        )
    if 0 in inputs.shape:
        raise UsageError(
            f"there is nothing to unroll in {tuple(inputs.shape)}: give at least one sequence, step and feature"
        )
    if inputs.dim() == single:
        return ()
    return (inputs.shape[0 if recurrent.is_step or recurrent.batch_first else 1],)


def _check_packed(recurrent: Recurrent, inputs: PackedSequence, like: Tensor) -> Shape:
    """The batch of a packed sequence, which anybody can put together by hand."""
    _check_tensor("the packed values", inputs.data, like)
    if inputs.data.dim() != 2 or inputs.data.shape[1] != recurrent.features:
        raise UsageError(
            f"{recurrent.name} takes packed values (steps, features) with {recurrent.features} features, "
            f"not {tuple(inputs.data.shape)}"
        )

    sizes = inputs.batch_sizes
    if sizes.dim() != 1 or sizes.dtype != torch.int64 or sizes.device.type != "cpu" or not len(sizes):
        raise UsageError("batch_sizes of a packed sequence must be int64 on the CPU: use pack_sequence")
    if sizes[-1] < 1 or (sizes.diff() > 0).any() or sizes.sum() != len(inputs.data):
        raise UsageError(
            f"the packed values have {len(inputs.data)} steps, and batch_sizes {sizes.tolist()} do not divide "
            "them from the longest sequence to the shortest: use pack_sequence"
        )
    batch = int(sizes[0])
    order, back = inputs.sorted_indices, inputs.unsorted_indices
    if (order is not None or back is not None) and not _undo_each_other(order, back, batch):
        raise UsageError(
            f"the packed sequence is sorted by {order} and back by {back}, which are no orders of {batch} "
            "sequences that undo each other: use pack_sequence"
        )
    return (batch,)


def _undo_each_other(order: Tensor | None, back: Tensor | None, batch: int) -> bool:
    """Whether both are orders of the batch, and one after the other is none."""
    if order is None or back is None or order.shape != (batch,) or back.shape != (batch,):
        return False
    there, places = order.tolist(), list(range(batch))
    return sorted(there) == places and [there[place] for place in back.tolist() if place in places] == places


def _check_state(recurrent: Recurrent, state: Any, batch: Shape, like: Tensor) -> None:
    """Raise UsageError unless a state has the parts of the cell, each of the batch's shape."""
    names = STATE[recurrent.cell]
    is_pair = isinstance(state, tuple | list)
    if is_pair if len(names) == 1 and not recurrent.takes_tuple else not (is_pair or recurrent.takes_tuple):
        takes = "a tensor" if len(names) == 1 else f"a tuple ({', '.join(names)})"
        raise UsageError(f"{recurrent.name} takes its initial state as {takes}, not a {type(state).__name__}")

    parts = tuple(state) if is_pair else (state,)
    for part in parts:
        _check_tensor("the initial state's values", part, like)
    widths = {"hidden_state": recurrent.width, "cell_state": recurrent.neurons}
    layers = () if recurrent.is_step else (sum(map(len, recurrent.weights)),)
    expected = [(*layers, *batch, widths[name]) for name in names]
    if [tuple(part.shape) for part in parts] != expected:
        form = "(batch, neurons)" if recurrent.is_step else "(layers * directions, batch, neurons)"
        raise UsageError(
            f"the initial state has shapes {[tuple(part.shape) for part in parts]}; this module and batch take "
            f"{expected}: {', '.join(names)}, each {form}"
        )


def _check_weights(recurrent: Recurrent) -> None:
    """Raise UsageError unless every weight has the shape that the module's sizes ask for."""
    like = recurrent.weights[0][0].weight_ih
    features = recurrent.features
    for layer, ways in enumerate(recurrent.weights):
        for weights in ways:
            for name, shape in _shapes(recurrent, weights, features).items():
                values = getattr(weights, name)
                check_weight(f"{recurrent.name}'s {name} of layer {layer}", values)
                _check_tensor(f"{recurrent.name}'s {name} of layer {layer}", values, like)
                if tuple(values.shape) != shape:
                    raise UsageError(
                        f"{recurrent.name}'s {name} of layer {layer} is {tuple(values.shape)}, and its sizes ask "
                        f"for {shape}: load the weights again"
                    )
        features = recurrent.width * len(ways)


def _shapes(recurrent: Recurrent, weights: Weights, features: int) -> dict[str, Shape]:
    """The shape of each weight of a layer."""
    neurons, width = recurrent.neurons, recurrent.width
    rows = len(STACKED[recurrent.cell]) * neurons
    shapes: dict[str, Shape] = {"weight_ih": (rows, features), "bias_ih": (rows,)}
    if recurrent.cell != "feedforward":
        shapes |= {"weight_hh": (rows, width), "bias_hh": (rows,)}
    if recurrent.cell == "peephole_lstm":
        shapes["weight_peephole"] = (3, neurons)
    if weights.weight_hr is not None or width != neurons:
        shapes["weight_hr"] = (width, neurons)
    return shapes
