"""The cells against torch's own modules, and against each other."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pipeline.models.cells import Weights, run_layer
from pipeline.models.recurrent_lm import Layers, RecurrentLM, make_model, unroll_layers
from schemas.errors import UsageError
from schemas.experiment import Architecture
from schemas.signals import CELL_SIGNALS, STATE
from schemas.signals import GATES as GATE_SIGNALS
from tests.models.by_loop import by_loop

CELLS = list(CELL_SIGNALS)


def architecture(cell: str, layers: int = 1, neurons: int = 6, nonlinearity: str = "tanh") -> Architecture:
    return Architecture.model_validate(
        {
            "cell": cell,
            "layers": layers,
            "hidden_size": neurons,
            "vocabulary_size": 5,
            "nonlinearity": nonlinearity,
        }
    )


SHAPES = {
    "cell": st.sampled_from(["rnn", "lstm", "gru"]),
    "layers": st.integers(1, 4),
    "batch": st.integers(1, 4),
    "steps": st.integers(1, 12),
    "nonlinearity": st.sampled_from(["tanh", "relu"]),
    "seed": st.integers(0, 1000),
}


@given(**SHAPES)
def test_forward_and_backward_equal_torchs_fused_modules(
    cell: str, layers: int, batch: int, steps: int, nonlinearity: str, seed: int
) -> None:
    shape = architecture(cell, layers, nonlinearity=nonlinearity)
    model = make_model(shape, seed).double()
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(batch, steps, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    weigh = torch.randn(batch, steps, 6, generator=generator, dtype=torch.float64)

    fused = model.recurrent(inputs)[0]
    expected = torch.autograd.grad((fused * weigh).sum(), [inputs, *model.recurrent.parameters()])
    unrolled = unroll_layers(inputs, shape, dict(model.recurrent.named_parameters()))[-1]["hidden_state"]
    gradients = torch.autograd.grad((unrolled * weigh).sum(), [inputs, *model.recurrent.parameters()])

    torch.testing.assert_close(unrolled, fused, rtol=1e-10, atol=1e-10)
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_the_lstms_gates_equal_those_of_torchs_cell_step_by_step() -> None:
    """A second way to the gates: nn.LSTMCell one step at a time, its gates worked out from its weights."""
    model = make_model(architecture("lstm"), 3).double()
    lstm = model.recurrent
    assert isinstance(lstm, nn.LSTM)
    inputs = torch.randn(2, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = dict(lstm.named_parameters())
    signals = unroll_layers(inputs, model.architecture, weights)[0]
    biases = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    hidden = cell = torch.zeros(2, 6, dtype=torch.float64)
    for step in range(7):
        both = inputs[:, step] @ weights["weight_ih_l0"].T + hidden @ weights["weight_hh_l0"].T + biases
        gates = {
            name: both[:, 6 * k : 6 * k + 6] for k, name in enumerate(("input", "forget", "candidate", "output"))
        }
        _, (hidden, cell) = lstm(inputs[:, step : step + 1], (hidden[None], cell[None]))
        hidden, cell = hidden[0], cell[0]
        for name in ("input", "forget", "output"):
            torch.testing.assert_close(signals[f"{name}_gate"][:, step], gates[name].sigmoid())
        torch.testing.assert_close(signals["candidate"][:, step], gates["candidate"].tanh())
        torch.testing.assert_close(signals["cell_state"][:, step], cell)
        torch.testing.assert_close(signals["hidden_state"][:, step], hidden)


def test_a_gru_by_hand() -> None:
    """One neuron, numbers one can follow: torch scales U h' after the product, bias included."""
    shape = architecture("gru", neurons=1)
    model = RecurrentLM(shape)
    with torch.no_grad():
        for parameter in model.recurrent.parameters():
            parameter.fill_(0.5)
    tokens = torch.tensor([[0, 1]])
    signals = by_loop(model, tokens)[0][0]
    h = 0.0
    for step in range(2):
        r = z = torch.sigmoid(torch.tensor(0.5 + 0.5 + 0.5 * h + 0.5)).item()
        n = torch.tanh(torch.tensor(0.5 + 0.5 + r * (0.5 * h + 0.5))).item()
        h = (1 - z) * n + z * h
        made = {name: values[0, step, 0].item() for name, values in signals.items()}
        assert made == pytest.approx(
            {"reset_gate": r, "update_gate": z, "candidate": n, "hidden_state": h}, rel=1e-6
        )


@pytest.mark.parametrize("projected", [0, 3])
def test_an_lstm_goes_on_from_a_state_as_torchs_does(projected: int) -> None:
    """With a projection, too, for which the hidden state has another width than the cell state."""
    generator = torch.Generator().manual_seed(0)
    module = nn.LSTM(5, 6, batch_first=True, proj_size=projected).double()
    weights = Weights(**{name.removesuffix("_l0"): values for name, values in module.named_parameters()})
    inputs = torch.randn(2, 4, 5, generator=generator, dtype=torch.float64)
    hidden = torch.randn(2, projected or 6, generator=generator, dtype=torch.float64)
    cell = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    for state, theirs in ((None, None), ((hidden, cell), (hidden[None], cell[None]))):
        output, (_, last) = module(inputs, theirs)
        signals = run_layer("lstm", inputs, weights, state=state)
        torch.testing.assert_close(signals["hidden_state"], output)
        torch.testing.assert_close(signals["cell_state"][:, -1], last[0])


@pytest.mark.parametrize("cell", [cell for cell in CELLS if STATE[cell]])
def test_unrolling_goes_on_from_a_state(cell: str) -> None:
    model = make_model(architecture(cell), 0).double()
    weights = Weights(**{name.removesuffix("_l0"): values for name, values in model.recurrent.named_parameters()})
    inputs = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = run_layer(cell, inputs, weights)
    rest = run_layer(cell, inputs[:, 4:], weights, state=tuple(whole[name][:, 3] for name in STATE[cell]))
    for name, values in whole.items():
        torch.testing.assert_close(rest[name], values[:, 4:])


def test_a_cell_that_is_not_there_is_told_with_those_that_are() -> None:
    weights = Weights(*[torch.zeros(4, 1)] * 4)
    with pytest.raises(UsageError, match=r"lstn.*lstm"):
        run_layer("lstn", torch.zeros(1, 1, 1), weights)


@given(seed=st.integers(0, 100), layers=st.integers(1, 3))
def test_a_peephole_lstm_with_zero_peepholes_is_the_lstm(seed: int, layers: int) -> None:
    peephole = make_model(architecture("peephole_lstm", layers), seed)
    assert isinstance(peephole.recurrent, Layers)
    parameters = dict(peephole.recurrent.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            if "peephole" in name:
                parameter.zero_()
    plain = {name: parameter for name, parameter in parameters.items() if "peephole" not in name}
    inputs = torch.randn(3, 9, 5, generator=torch.Generator().manual_seed(seed))
    ours = unroll_layers(inputs, peephole.architecture, parameters)
    lstm = unroll_layers(inputs, architecture("lstm", layers), plain)
    for one, other in zip(ours, lstm, strict=True):
        for name in CELL_SIGNALS["lstm"]:
            # The last bit is the processor's: where it fuses a product with a sum, + 0 is in another place.
            torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-6)


def test_peepholes_look_at_the_old_state_for_i_and_f_and_at_the_new_one_for_o() -> None:
    model = make_model(architecture("peephole_lstm"), 5).double()
    weights = dict(model.recurrent.named_parameters())
    signals = by_loop(model, torch.tensor([[0, 1, 2, 3, 4, 0]]))[0][0]
    c, h = signals["cell_state"][0], signals["hidden_state"][0]
    for step, token in enumerate([0, 1, 2, 3, 4, 0]):
        before_c = c[step - 1] if step else torch.zeros(6).double()
        before_h = h[step - 1] if step else torch.zeros(6).double()
        both = weights["weight_ih_l0"][:, token] + weights["bias_ih_l0"] + weights["bias_hh_l0"]
        i, f, _, o = (both + weights["weight_hh_l0"] @ before_h).chunk(4)
        p_i, p_f, p_o = weights["weight_peephole_l0"]
        torch.testing.assert_close(signals["input_gate"][0, step], (i + p_i * before_c).sigmoid())
        torch.testing.assert_close(signals["forget_gate"][0, step], (f + p_f * before_c).sigmoid())
        torch.testing.assert_close(signals["output_gate"][0, step], (o + p_o * c[step]).sigmoid())


class CellContract:
    """What holds for every cell."""

    cell: str

    def test_its_signals_are_those_of_the_schema_in_their_ranges(self) -> None:
        model = make_model(architecture(self.cell, 2), 0)
        layers, logits = by_loop(model, torch.randint(0, 5, (3, 8), generator=torch.Generator().manual_seed(0)))
        assert logits.shape == (3, 8, 5)
        assert len(layers) == 2
        for signals in layers:
            assert tuple(signals) == CELL_SIGNALS[self.cell]
            for name, values in signals.items():
                assert values.shape == (3, 8, 6)
                low = 0.0 if name in GATE_SIGNALS else -1.0
                if name != "cell_state":
                    assert ((values > low) & (values < 1)).all()

    def test_unrolling_predicts_what_training_trains(self) -> None:
        model = make_model(architecture(self.cell, 2), 0)
        tokens = torch.randint(0, 5, (3, 8), generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(by_loop(model, tokens)[1], model(tokens)[0], rtol=1e-5, atol=1e-6)

    def test_a_text_may_be_read_in_pieces(self) -> None:
        model = make_model(architecture(self.cell, 2), 0)
        tokens = torch.randint(0, 5, (3, 8), generator=torch.Generator().manual_seed(0))
        whole, last = model(tokens)
        first, state = model(tokens[:, :5])
        second, other_last = model(tokens[:, 5:], state)
        torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(other_last, last, rtol=1e-5, atol=1e-6)

    def test_the_past_does_not_depend_on_the_future(self) -> None:
        model = make_model(architecture(self.cell, 2), 0)
        tokens = torch.randint(0, 5, (1, 8), generator=torch.Generator().manual_seed(0))
        whole, beginning = by_loop(model, tokens)[0], by_loop(model, tokens[:, :5])[0]
        for one, other in zip(whole, beginning, strict=True):
            for name in one:
                torch.testing.assert_close(one[name][:, :5], other[name])

    def test_a_seed_decides_the_weights(self) -> None:
        before = torch.random.get_rng_state()
        one, same, other = (make_model(architecture(self.cell), seed) for seed in (1, 1, 2))
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
        assert torch.equal(before, torch.random.get_rng_state())


class TestFeedforward(CellContract):
    cell = "feedforward"

    def test_it_has_no_memory(self) -> None:
        model = make_model(architecture(self.cell, 2), 0)
        hidden = by_loop(model, torch.tensor([[0, 3, 1, 3]]))[0][-1]["hidden_state"]
        torch.testing.assert_close(hidden[0, 1], hidden[0, 3])

    @pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
    def test_it_is_one_linear_layer_and_its_nonlinearity(self, nonlinearity: str) -> None:
        unused = torch.full((1, 1), torch.nan)
        weights = Weights(torch.tensor([[1.0, -2.0]]), unused, torch.tensor([-0.5]), unused[0])
        inputs = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        found = run_layer("feedforward", inputs, weights, nonlinearity)["hidden_state"]
        expected = getattr(torch, nonlinearity)(torch.tensor([[[0.5], [-2.5]]]))
        torch.testing.assert_close(found, expected)


class TestRnn(CellContract):
    cell = "rnn"


class TestLstm(CellContract):
    cell = "lstm"


class TestGru(CellContract):
    cell = "gru"


class TestPeepholeLstm(CellContract):
    cell = "peephole_lstm"


def test_every_cell_has_its_contract() -> None:
    tested = {TestFeedforward, TestRnn, TestLstm, TestGru, TestPeepholeLstm}
    assert {contract.cell for contract in tested} == set(CELLS) == set(CELL_SIGNALS)
