"""Whatever a module is called with: inside a capture it is refused, or gives what the module gives by itself."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import pipeline
from pipeline.capturing.modules import read_recurrent
from pipeline.models.recurrent_lm import Layers
from schemas.errors import UsageError
from schemas.experiment import Architecture
from schemas.signals import STATE

FEATURES, NEURONS, BATCH, STEPS = 4, 6, 3, 2


def own(cell: str) -> Layers:
    return Layers(Architecture(cell=cell, layers=2, hidden_size=NEURONS, vocabulary_size=FEATURES))  # type: ignore[arg-type]


MODULES: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: nn.LSTM(FEATURES, NEURONS, batch_first=True),
    "steps first": lambda: nn.LSTM(FEATURES, NEURONS),
    "both ways": lambda: nn.LSTM(FEATURES, NEURONS, 2, bidirectional=True),
    "double": lambda: nn.LSTM(FEATURES, NEURONS).double(),
    "projected": lambda: nn.LSTM(FEATURES, NEURONS, proj_size=3),
    "GRU": lambda: nn.GRU(FEATURES, NEURONS, 2, batch_first=True),
    "RNN": lambda: nn.RNN(FEATURES, NEURONS, bidirectional=True),
    "LSTMCell": lambda: nn.LSTMCell(FEATURES, NEURONS),
    "GRUCell": lambda: nn.GRUCell(FEATURES, NEURONS),
    "RNNCell": lambda: nn.RNNCell(FEATURES, NEURONS, bias=False),
    "peephole_lstm": lambda: own("peephole_lstm"),
    "feedforward": lambda: own("feedforward"),
}

SIZES = st.sampled_from([0, 1, 2, 3, 4, 6, 12])
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int64, torch.complex64])
FORMS: dict[str, Callable[[Tensor], Any]] = {
    "not contiguous": lambda values: values.repeat_interleave(2, -1)[..., ::2] if values.dim() else values,
    "expanded": lambda values: values[:1].expand(values.shape) if values.dim() else values,
    "without values": lambda values: values.to("meta"),
    "sparse": lambda values: values.to_sparse(),
    "an array": lambda values: values.numpy(),
    "a list": lambda values: values.tolist(),
}


@st.composite
def tensors(draw: st.DrawFn, shape: tuple[int, ...], dtype: torch.dtype) -> Any:
    """A tensor of a shape and dtype, or one that differs in something."""
    change = draw(st.sampled_from(["none"] * 6 + ["size", "less", "more", "shape", "dtype", "form"]))
    sizes, at = list(shape), draw(st.integers(0, len(shape) - 1))
    if change == "size":
        sizes[at] = draw(SIZES)
    elif change == "less":
        del sizes[at]
    elif change == "more":
        sizes.insert(at, draw(SIZES))
    elif change == "shape":
        sizes = draw(st.lists(SIZES, max_size=4))
    values = torch.randn(sizes).to(draw(DTYPES) if change == "dtype" else dtype)
    return draw(st.sampled_from(list(FORMS.values())))(values) if change == "form" else values


@st.composite
def packed(draw: st.DrawFn) -> Any:
    """A packed sequence, right or put together by hand."""
    lengths = draw(st.lists(st.integers(1, 4), min_size=BATCH, max_size=BATCH))
    right = pack_sequence([torch.randn(length, FEATURES) for length in lengths], enforce_sorted=False)
    if draw(st.booleans()):
        return right
    sizes = st.lists(st.integers(0, 4), min_size=1, max_size=4)
    orders = st.lists(st.integers(-1, 3), min_size=BATCH, max_size=BATCH) | st.permutations(range(BATCH))
    # Its constructor would invert an order that is none.
    return tuple.__new__(
        PackedSequence,
        (
            draw(st.just(right.data) | tensors(tuple(right.data.shape), torch.float32)),
            draw(st.just(right.batch_sizes) | sizes.map(torch.tensor)),
            draw(st.just(right.sorted_indices) | orders.map(torch.tensor) | st.none()),
            draw(st.just(right.unsorted_indices) | orders.map(torch.tensor) | st.none()),
        ),
    )


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, Any, Any]:
    """A module's name, and the inputs and state of a right call of it, or of one that is nearly right."""
    name = draw(st.sampled_from(list(MODULES)))
    recurrent = read_recurrent(MODULES[name]())
    dtype = recurrent.weights[0][0].weight_ih.dtype
    is_single = draw(st.booleans()) and recurrent.takes_single
    batch = () if is_single else (BATCH,)
    if recurrent.is_step:
        leading: tuple[int, ...] = batch
    else:
        leading = (*batch, STEPS) if recurrent.batch_first else (STEPS, *batch)
    inputs = draw(tensors((*leading, FEATURES), dtype))
    if recurrent.takes_packed and draw(st.booleans()):
        inputs = draw(packed())

    widths = {"hidden_state": recurrent.width, "cell_state": recurrent.neurons}
    layers = () if recurrent.is_step else (sum(map(len, recurrent.weights)),)
    state = [draw(tensors((*layers, *batch, widths[signal]), dtype)) for signal in STATE[recurrent.cell]]
    forms = [tuple(state), state, None, (*state, torch.zeros(BATCH, NEURONS)), *state]
    return (
        name,
        inputs,
        forms[0 if len(state) != 1 else -1] if draw(st.booleans()) else draw(st.sampled_from(forms)),
    )


def agree(name: str, inputs: Any, state: Any) -> Any:
    """The output, or None when the call is refused."""
    torch.manual_seed(0)
    module = MODULES[name]()
    with torch.no_grad(), pipeline.capture(module):
        try:
            given = module(inputs, state)
        except UsageError:
            return None  # torch is not asked: its own kernel trusts a packed sequence's sizes
    with torch.no_grad():
        expected = module(inputs, state)
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-5)
    return given


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@settings(max_examples=300)
@given(call=calls())
def test_any_call_is_refused_or_gives_the_modules_own_output(call: tuple[str, Any, Any]) -> None:
    agree(*call)


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    return torch.zeros(*shape), torch.zeros(*shape)


X = torch.randn(BATCH, FEATURES)
WRONG: dict[str, tuple[str, Any, Any, str]] = {
    "a cell's state of batch 1": (
        "LSTMCell",
        X,
        pair(1, 6),
        r"take \[\(3, 6\), \(3, 6\)\]: hidden_state, cell_st",
    ),
    "a larger state": ("LSTMCell", X, pair(9, 6), r"shapes \[\(9, 6\), \(9, 6\)\]"),
    "narrow states": ("LSTMCell", X, pair(3, 1), r"shapes \[\(3, 1\), \(3, 1\)\]"),
    "one state only": (
        "LSTMCell",
        X,
        torch.zeros(2, 3, 6),
        r"as a tuple \(hidden_state, cell_state\), not a Tensor",
    ),
    "three states": ("LSTMCell", X, (*pair(3, 6), torch.zeros(3, 6)), r"shapes \[\(3, 6\), \(3, 6\), \(3, 6\)\]"),
    "states of half a precision": (
        "LSTMCell",
        X,
        tuple(h.double() for h in pair(3, 6)),
        "state's values are torch.f",
    ),
    "a GRUCell's state of batch 1": (
        "GRUCell",
        X,
        torch.zeros(1, 6),
        r"take \[\(3, 6\)\]: hidden_state, each \(batch",
    ),
    "a GRUCell's state as a tuple": ("GRUCell", X, (torch.zeros(3, 6),), "initial state as a tensor, not a tuple"),
    "an RNNCell's state with layers": ("RNNCell", X, torch.zeros(1, 3, 6), r"shapes \[\(1, 3, 6\)\]"),
    "an empty batch": ("LSTMCell", X[:0], None, "nothing to unroll"),
    "a state elsewhere": (
        "LSTMCell",
        X,
        tuple(h.to("meta") for h in pair(3, 6)),
        "lie on meta and weights on cpu",
    ),
    "no tensor": ("LSTMCell", X.numpy(), None, "inputs must be a tensor, not a ndarray"),
    "sparse inputs": ("LSTMCell", X.to_sparse(), None, "inputs are sparse_coo: give a dense tensor"),
    "a cell with a packed sequence": (
        "GRUCell",
        pack_sequence([X]),
        None,
        "must be a tensor, not a PackedSequence",
    ),
    "our layers with one sequence": ("feedforward", X, None, r"takes \(batch, steps, features\)"),
    "our layers' state": ("peephole_lstm", X[None], pair(1, 1, 6), r"take \[\(2, 1, 6\), \(2, 1, 6\)\]"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_call_is_refused_before_the_kernel(what: str) -> None:
    name, inputs, state, sentence = WRONG[what]
    module = MODULES[name]()
    for _ in range(3):  # a heap that a first call broke kills the process at a later one
        with pytest.raises(UsageError, match=sentence), torch.no_grad(), pipeline.capture(module):
            module(inputs, state)


PACKED: dict[str, tuple[PackedSequence, str]] = {
    "features": (pack_sequence([torch.randn(5, 3)]), r"with 4 features, not \(5, 3\)"),
    "dtype": (
        pack_sequence([torch.randn(5, 4).double()]),
        "packed values are torch.float64 and weights torch.float",
    ),
    "growing": (PackedSequence(torch.randn(5, 4), torch.tensor([2, 3])), r"batch_sizes \[2, 3\] do not divide"),
    "too few": (PackedSequence(torch.randn(4, 4), torch.tensor([3, 2])), "have 4 steps"),
    "an empty step": (PackedSequence(torch.randn(3, 4), torch.tensor([3, 0])), "do not divide"),
    "a wrong order": (
        PackedSequence(torch.randn(4, 4), torch.tensor([2, 2]), torch.tensor([0, 0])),
        "no orders of 2 sequences",
    ),
    "sizes": (PackedSequence(torch.randn(2, 4), torch.tensor([2]).int()), "must be int64 on the CPU"),
}


@pytest.mark.parametrize("what", PACKED)
def test_a_packed_sequence_put_together_wrongly_is_refused(what: str) -> None:
    inputs, sentence = PACKED[what]
    with pytest.raises(UsageError, match=sentence):
        pipeline.capture(nn.GRU(FEATURES, NEURONS))(inputs)


def wider(module: nn.LSTM) -> None:
    module.bias_hh_l0 = nn.Parameter(torch.zeros(25))


def narrower(module: nn.LSTM) -> None:
    module.weight_hh_l0 = nn.Parameter(torch.zeros(24, 1))


def doubled(module: nn.LSTM) -> None:
    module.weight_hh_l0 = nn.Parameter(torch.zeros(24, 6).double())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (wider, r"LSTM's bias_hh of layer 0 is \(25,\), and its sizes ask for \(24,\)"),
        (narrower, r"LSTM's weight_hh of layer 0 is \(24, 1\), and its sizes ask for \(24, 6\)"),
        (doubled, "weight_hh of layer 0 are torch.float64 and weights torch.float32: convert one of them"),
        (lambda module: module.half(), r"weight_ih of layer 0 is float16: convert the model with \.float\(\)"),
        (lambda module: module.to("meta"), "weight_ih of layer 0 is on the meta device, which holds no values"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: Callable[[nn.LSTM], object], sentence: str) -> None:
    module = nn.LSTM(FEATURES, NEURONS)
    captured = pipeline.capture(module)
    change(module)
    with pytest.raises(UsageError, match=sentence):
        captured(torch.randn(STEPS, BATCH, FEATURES))


def test_inside_a_transform_of_torch_func_there_is_nothing_to_keep() -> None:
    module = nn.LSTM(FEATURES, NEURONS)
    with pytest.raises(UsageError, match=r"transform of torch\.func"), torch.no_grad(), pipeline.capture(module):
        torch.func.vmap(lambda inputs: module(inputs)[0])(torch.randn(5, STEPS, BATCH, FEATURES))


@pytest.mark.parametrize("make", [lambda x: x.flip(0), lambda x: x.t().contiguous().t(), lambda x: x.conj().imag])
def test_inputs_in_any_order_of_memory_are_read(make: Callable[[Tensor], Tensor]) -> None:
    values = torch.complex(torch.randn(3, 4), torch.randn(3, 4))
    inputs = make(values) if make(values).dtype == torch.float32 else make(values.real)
    assert agree("LSTMCell", inputs, pair(3, 6)) is not None


@pytest.mark.parametrize(
    ("given", "told"), [(nn.LSTM, "not the class LSTM"), ([nn.GRU(2, 3)], "not a list"), (None, "not a NoneType")]
)
def test_what_is_no_module_is_refused(given: Any, told: str) -> None:
    with pytest.raises(UsageError, match=f"capture takes a torch.nn.Module, {told}"):
        pipeline.capture(given)
