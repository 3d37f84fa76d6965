"""What a file of weights holds, and how its names fit a module's."""

import io
from collections.abc import Callable, Mapping

import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

from pipeline.models.network import check_network
from pipeline.models.state_dict import load_weights, parse_weights
from schemas.errors import UsageError

Tensors = dict[str, Tensor]


class Net(nn.Module):
    """Has a buffer of each kind besides its weights."""

    mask: Tensor
    seen: Tensor
    is_shown: Tensor
    unused: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.readout = (
            nn.Embedding(8, 5),
            nn.LSTM(5, 6, batch_first=True),
            nn.Linear(6, 8),
        )
        self.register_buffer("mask", torch.full((4, 4), -torch.inf).triu(1))
        self.register_buffer("seen", torch.tensor(0))
        self.register_buffer("is_shown", torch.zeros(4, dtype=torch.bool))
        self.register_buffer("unused", torch.full((3,), torch.nan))
        self.register_buffer("scale", torch.ones(()))
        self.bound = nn.Parameter(torch.full((2,), torch.inf), requires_grad=False)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.readout(self.lstm(self.embedding(tokens))[0] * self.scale)
        return logits


def state(seed: int = 3) -> Tensors:
    torch.manual_seed(seed)
    return dict(Net().state_dict())


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def renamed(tensors: Mapping[str, Tensor], rename: Callable[[str], str]) -> Tensors:
    return {rename(name): tensor for name, tensor in tensors.items()}


PREFIXED: list[tuple[Callable[[str], str], str]] = [
    (lambda name: name, ""),
    (lambda name: f"module.{name}", "w.pt: its names are read without 'module.' (nn.DataParallel)"),
    (lambda name: f"_orig_mod.{name}", "w.pt: its names are read without '_orig_mod.' (torch.compile)"),
    (lambda name: f"model.{name}", "w.pt: its names are read without 'model.'"),
    (lambda name: f"lstm.{name}", "w.pt: its names are read without 'lstm.'"),
    (
        lambda name: f"module._orig_mod.net.{name}",
        "w.pt: its names are read without 'module._orig_mod.net.' (nn.DataParallel, torch.compile)",
    ),
    (
        lambda name: name.replace("lstm.", "lstm.module.").replace("readout.", "readout._orig_mod."),
        "w.pt: its names are read without regard to module and _orig_mod in them",
    ),
]


@pytest.mark.parametrize(("rename", "told"), PREFIXED, ids=[told for _, told in PREFIXED])
def test_a_prefix_of_all_names_is_taken_off_and_told(rename: Callable[[str], str], told: str) -> None:
    net, own = Net(), state()
    assert load_weights(net, renamed(own, rename), "w.pt") == told
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor.nan_to_num(), own[name].nan_to_num()), name


@pytest.mark.parametrize(("wrap", "prefix"), [(nn.DataParallel, "module."), (nn.Sequential, "0.")])
def test_a_prefix_that_all_names_lack_is_put_on_and_told(
    wrap: Callable[[nn.Module], nn.Module], prefix: str
) -> None:
    told = load_weights(wrapped := wrap(Net()), state(), "w.pt")
    assert told.startswith(f"w.pt: its names are read with {prefix!r}")
    assert torch.equal(wrapped.state_dict()[f"{prefix}readout.bias"], state()["readout.bias"])


def test_names_that_fit_in_part_are_refused_with_what_they_begin_with() -> None:
    lightning = {**renamed(state(), lambda name: f"model.{name}"), "loss.weight": torch.ones(8)}
    with pytest.raises(
        UsageError, match=r"has besides loss\.weight, model\.bound, .*of its names begin with 'model\.'"
    ):
        load_weights(Net(), lightning, "w.pt")
    two = {**renamed(state(), lambda name: f"a.{name}"), **renamed(state(4), lambda name: f"b.{name}")}
    with pytest.raises(UsageError, match=r"it lacks bound, mask, seen and \d+ more; has besides a\.bound"):
        load_weights(Net(), two, "w.pt")
    narrow = renamed({**state(), "readout.bias": torch.zeros(3)}, lambda name: f"module.{name}")
    with pytest.raises(UsageError, match=r"begin with 'module\.' \(nn\.DataParallel\)"):
        load_weights(Net(), narrow, "w.pt")


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
def test_the_only_state_dict_of_a_checkpoint_is_taken_and_told(key: str) -> None:
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.tensor([[1, 2]])).sum().backward()
    optimizer.step()
    generators = {"torch": torch.get_rng_state()}
    checkpoint = {key: net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "generators": generators}
    parsed = parse_weights(saved(checkpoint), "w.pt")
    assert parsed.told == f"w.pt: taken is what it holds under {key!r}"
    assert load_weights(Net(), parsed.tensors, "w.pt") == ""


def test_several_state_dicts_are_not_chosen_from() -> None:
    both = {"state_dict": state(), "averaged": state(4)}
    with pytest.raises(
        UsageError, match=r"w\.pt holds 2 state_dicts, state_dict, averaged: take the state_dict out"
    ):
        parse_weights(saved(both), "w.pt")


def test_buffers_hold_what_they_like() -> None:
    net, own = Net(), {**state(), "seen": torch.tensor(2**40), "is_shown": torch.tensor([True, False, True, True])}
    parsed = parse_weights(save(own), "w.safetensors")
    assert load_weights(net, parsed.tensors, "w.safetensors") == ""
    assert net.seen == 2**40
    assert net.is_shown.tolist() == [True, False, True, True]
    assert net.mask.isinf().sum() == 6
    check_network(net, 8)
    load_weights(net, {**own, "is_shown": torch.tensor([1, 0, 1, 1], dtype=torch.uint8)}, "w.pt")
    assert net.is_shown.tolist() == [True, False, True, True], "as old versions of torch saved masks"


def test_buffers_that_would_be_others_in_the_module_are_refused() -> None:
    thirds = torch.full((3,), 1 / 3, dtype=torch.float64)
    with pytest.raises(UsageError, match=r"w\.pt: unused is torch\.float64 and loses digits in the model's"):
        load_weights(Net(), {**state(), "unused": thirds}, "w.pt")
    load_weights(net := Net(), {**state(), "unused": torch.full((3,), 0.5, dtype=torch.float64)}, "w.pt")
    assert net.unused.tolist() == [0.5] * 3
    with pytest.raises(UsageError, match="seen is torch"):
        load_weights(Net(), {**state(), "seen": torch.tensor(0.5)}, "w.pt")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_buffer_that_spoils_the_logits_is_named(value: float) -> None:
    load_weights(net := Net(), {**state(), "scale": torch.tensor(value)}, "w.pt")
    with pytest.raises(
        UsageError, match="NaN or infinite logits: its buffers mask, unused, scale hold such values"
    ):
        check_network(net, 8)


@pytest.mark.parametrize(("name", "value"), [("lstm.bias_ih_l0", torch.inf), ("bound", torch.nan)])
def test_weights_are_finite(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"w.pt: {name} holds NaN or infinite values: give weights from before"):
        load_weights(Net(), {**state(), name: torch.full_like(state()[name], value)}, "w.pt")
