"""The audit of imported networks: weights that are made of others, and what the first layer is given."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

import pipeline
from jobs.__main__ import main
from jobs.dump_module import dump_module
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import unit_folder, unseal_at
from pipeline.storage.sealed import seal
from schemas.errors import UsageError
from schemas.fingerprint import blake3_of
from schemas.manifest import AS_READ, Manifest
from schemas.stages import WHOLE
from tests.jobs.stranger import flags, forget, write_stranger

VOCABULARY = "abcdefgh"
FROM_WEIGHTS = {"LSTM": {"gates", "candidates"}, "GRU": {"gates", "reset_candidates"}, "RNN": {"simple_states"}}
OLD = "ignore:.*deprecated.*:FutureWarning"


class Net(nn.Module):
    def __init__(self, recurrent: nn.RNNBase, front: nn.Module | None = None) -> None:
        super().__init__()
        self.front = front or nn.Embedding(8, 5)
        self.recurrent = recurrent
        self.readout = nn.Linear(recurrent.hidden_size, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.readout(self.recurrent(self.front(tokens))[0])
        return logits


class Halved(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.tril() / 2


class OneHot(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return nn.functional.one_hot(tokens, 8).float()


class Placed(nn.Module):
    """Adds what place a token has in its sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(8, 5), nn.Embedding(99, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        places: Tensor = self.embedding(tokens) + self.places(torch.arange(tokens.shape[1]))
        return places


class Convolved(nn.Module):
    """Looks at the token before as well."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.window = nn.Embedding(8, 5), nn.Conv1d(5, 5, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        seen = nn.functional.pad(self.embedding(tokens).transpose(1, 2), (1, 0))
        return self.window(seen).transpose(1, 2)  # type: ignore[no-any-return]


class Below(nn.Module):
    """A recurrent module of its own below the one that is dumped."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(8, 5), nn.LSTM(5, 5, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden: Tensor = self.lstm(self.embedding(tokens))[0]
        return hidden


def dumped(net: nn.Module, root: Path) -> dict[str, dict[str, Any]]:
    tokens = torch.randint(8, (3, 11), generator=torch.Generator().manual_seed(1))
    run = dump_module(
        net, [tokens], vocabulary=list(VOCABULARY), root=str(root), name="net", recurrent="recurrent"
    )
    return {line["invariant"]: line for line in pipeline.open(str(root)).audit(run).to_pylist()}


def require_all_checked(lines: dict[str, dict[str, Any]], kind: str, layers: int) -> None:
    for line in lines.values():
        assert (line["violations"], line["unchecked"], line["note"]) == (0, 0, None), line
    values = 3 * 11 * 6 * layers
    for name in FROM_WEIGHTS[kind]:
        gates = {"LSTM": 3, "GRU": 2}[kind] if name == "gates" else 1
        assert lines[name]["rows_checked"] == values * gates


def tied(recurrent: nn.RNNBase) -> None:
    recurrent.weight_hh_l1 = recurrent.weight_hh_l0


def twice_pruned(recurrent: nn.RNNBase) -> None:
    prune.random_unstructured(recurrent, "weight_hh_l1", 0.4)  # type: ignore[no-untyped-call]
    prune.l1_unstructured(recurrent, "weight_hh_l1", 0.4)  # type: ignore[no-untyped-call]
    prune.random_structured(recurrent, "weight_ih_l0", 0.4, dim=0)  # type: ignore[no-untyped-call]


WAYS: dict[str, Callable[[nn.RNNBase], object]] = {
    "weight_norm": lambda recurrent: parametrizations.weight_norm(recurrent, "weight_hh_l0"),
    "old weight_norm": lambda recurrent: nn.utils.weight_norm(recurrent, "weight_ih_l1"),
    "spectral_norm": lambda recurrent: parametrizations.spectral_norm(recurrent, "weight_ih_l0"),
    "old spectral_norm": lambda recurrent: nn.utils.spectral_norm(recurrent, "weight_hh_l1"),
    "orthogonal": lambda recurrent: parametrizations.orthogonal(recurrent, "weight_hh_l1"),
    "own": lambda recurrent: parametrize.register_parametrization(recurrent, "weight_hh_l0", Halved()),
    "pruned": twice_pruned,
    "tied": tied,
}


@pytest.mark.filterwarnings(OLD)
@pytest.mark.parametrize("way", WAYS)
def test_weights_that_are_made_of_others_are_audited_as_the_forward_reads_them(tmp_path: Path, way: str) -> None:
    torch.manual_seed(5)
    kind = {"own": nn.GRU, "pruned": nn.RNN}.get(way, nn.LSTM)
    net = Net(kind(5, 6, num_layers=2, batch_first=True))
    WAYS[way](net.recurrent)
    net(torch.randint(8, (2, 7))).sum().backward()  # the module holds what a graph has made
    require_all_checked(dumped(net, tmp_path), kind.__name__, layers=2)


FRONTS: dict[str, Callable[[], nn.Module]] = {
    "embedding": lambda: nn.Embedding(8, 5),
    "one-hot": OneHot,
    "deeper": lambda: nn.Sequential(nn.Embedding(8, 9), nn.Linear(9, 5), nn.LayerNorm(5), nn.Dropout(0.5)),
}


@pytest.mark.parametrize(("kind", "front"), [*itertools.product([nn.LSTM, nn.GRU], FRONTS), (nn.RNN, "embedding")])
def test_the_only_layer_of_a_network_is_checked(tmp_path: Path, kind: Any, front: str) -> None:
    torch.manual_seed(5)
    net = Net(kind(8 if front == "one-hot" else 5, 6, batch_first=True), FRONTS[front]())
    require_all_checked(dumped(net, tmp_path), kind.__name__, layers=1)


@pytest.mark.parametrize("name", ["inputs", "weight_ih_l0"])
def test_what_is_stored_as_read_is_what_gates_are_held_against(tmp_path: Path, name: str) -> None:
    torch.manual_seed(5)
    dumped(Net(nn.LSTM(5, 6, batch_first=True)), tmp_path)
    lake = pipeline.open(str(tmp_path))
    (run,) = lake.catalog.runs
    folder, path = Folder(str(tmp_path)), f"{unit_folder(run, 'train', WHOLE)}/manifest.json"
    manifest = unseal_at(Manifest, folder, path, folder.read(path))
    stored = next(stored for stored in manifest.objects if stored.path.endswith(AS_READ))
    tensors = load(folder.read(stored.path))
    tensors[name][3] += 1e-4
    folder.replace(stored.path, save(tensors))
    changed = stored.model_copy(update={"blake3": blake3_of(save(tensors)), "bytes": len(save(tensors))})
    objects = tuple(changed if listed == stored else listed for listed in manifest.objects)
    folder.replace(path, seal(manifest.model_copy(update={"objects": objects})))
    lines = {line["invariant"]: line for line in pipeline.open(str(tmp_path)).audit(run).to_pylist()}
    assert {line["invariant"] for line in lines.values() if line["violations"]} - {"candidates"} == {"gates"}
    assert lines["gates"]["violations"] < lines["gates"]["rows_checked"]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("front", [Placed, Convolved, Below])
def test_a_layer_that_cannot_be_checked_is_no_pass(
    tmp_path: Path, front: type[nn.Module], layers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(5)
    net = Net(nn.LSTM(5, 6, num_layers=layers, batch_first=True), front())
    lines = dumped(net, tmp_path)
    for name in FROM_WEIGHTS["LSTM"]:
        assert lines[name]["unchecked"] == 1
        assert (lines[name]["rows_checked"] > 0) == (layers == 2)
        assert lines[name]["note"].startswith("layer 0 of lstm-")
    assert not any(line["violations"] for line in lines.values())
    capsys.readouterr()
    assert main(["audit", "net", "--root", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert "layer 0 of lstm-" in out
    assert "is wrong, but gates, candidates could not be checked in full: layer 0 of lstm-" in err


def test_weights_that_differ_from_call_to_call_are_refused(tmp_path: Path) -> None:
    class Noisy(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values + 1e-5 * torch.randn_like(values)

    net = Net(nn.LSTM(5, 6, batch_first=True))
    parametrize.register_parametrization(net.recurrent, "weight_hh_l0", Noisy())
    with pytest.raises(UsageError, match="recurrent has another weight_hh of layer 0 at each call"):
        dumped(net, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["exact", "bfloat16"])
def test_a_network_in_files_is_audited_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_stranger(tmp_path, "tied")
    assert main([*flags("tied"), "--set", f"dump.precision={precision}"]) == 0
    capsys.readouterr()
    assert main(["audit", "stranger", "--root", "lake"]) == 0
    assert " layer 0" not in capsys.readouterr().out
    forget(tmp_path)


def test_a_module_that_cannot_be_copied_is_told(tmp_path: Path) -> None:
    net = Net(nn.LSTM(5, 6, batch_first=True))
    net.kept = [torch.nn.functional.relu(net.readout.weight)]  # type: ignore[assignment]
    assert dumped(net, tmp_path)
    net.kept = (line for line in "ab")  # type: ignore[assignment]
    with pytest.raises(UsageError, match=r"Net cannot be copied .TypeError: cannot pickle 'generator' object"):
        dumped(net, tmp_path / "none")


def test_how_the_names_were_read_is_told_once_and_the_run_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    state = write_stranger(tmp_path).state_dict()
    assert main(flags(weights="weights.pt")) == 0
    capsys.readouterr()
    torch.save({"state_dict": {f"module.{name}": values for name, values in state.items()}}, "weights.pt")
    assert main(flags(weights="weights.pt")) == 0
    told = capsys.readouterr().err.splitlines()
    assert sum(line.endswith("weights.pt: taken is what it holds under 'state_dict'") for line in told) == 1
    assert sum("its names are read without 'module.' (nn.DataParallel)" in line for line in told) == 1
    assert told[-1].startswith("nothing to do: stranger-")
    forget(tmp_path)
