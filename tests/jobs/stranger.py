"""Someone else's character network, as text: its tests import it from a folder of their own."""

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

TEXT = "def f(a):\n    return [a]  # one\n" * 12
CHARACTERS = "\n #()[]:abcdefghijklmnopqrstuvwxyz"[::-1]  # in an order of its own
CODE = """
import torch
from torch import nn


class CharRNN(nn.Module):
    def __init__(self, recurrent=None, vocabulary=VOCABULARY):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 6)
        self.lstm = recurrent or nn.LSTM(6, 7, num_layers=2, batch_first=True)
        self.readout = nn.Linear(14 if self.lstm.bidirectional else self.lstm.proj_size or 7, vocabulary)

    def forward(self, tokens, state=None):
        hidden, state = self.lstm(self.embedding(tokens), state)
        return self.readout(hidden), state


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = CharRNN(), CharRNN()

    def forward(self, tokens):
        return self.second(tokens)[0]


class Tied(CharRNN):
    def __init__(self):
        super().__init__(nn.GRU(6, 7, bias=False))
        self.readout = nn.Linear(7, VOCABULARY)
        self.again = self.readout

    def forward(self, tokens):
        hidden, _ = self.lstm(self.embedding(tokens).transpose(0, 1))
        return self.readout(hidden).transpose(0, 1)


def make(): return CharRNN()
def pair(): return Pair()
def tied(): return Tied()
def needs(size): return CharRNN()
def number(): return 7
def fails(): raise RuntimeError("no disk")
def linear(): return nn.Sequential(nn.Embedding(VOCABULARY, 7), nn.Linear(7, VOCABULARY))
def both(): return CharRNN(nn.LSTM(6, 7, batch_first=True, bidirectional=True))
def projected(): return CharRNN(nn.LSTM(6, 7, batch_first=True, proj_size=3))
def small(): return CharRNN(vocabulary=4)
def large(): return CharRNN(vocabulary=VOCABULARY + 5)
def bare(): return nn.LSTM(6, 7)
def words(text): return [len(word) for word in text.split()] or [0]
def far(text): return [0, 999]
nothing = None
"""


def write_stranger(folder: Path, factory: str = "make") -> nn.Module:
    """Write the package `stranger`, a corpus, a vocabulary, and weights in two forms; give the network."""
    (folder / "stranger.py").write_text(CODE.replace("VOCABULARY", str(len(CHARACTERS))))
    (folder / "corpus.txt").write_text(TEXT)
    (folder / "vocabulary.json").write_text(json.dumps(list(CHARACTERS)))
    with imported(folder) as stranger, torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module: nn.Module = getattr(stranger, factory)()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    torch.save(module.state_dict(), folder / "weights.pt")
    return module


def write_experiment(folder: Path, *, factory: str = "make", more: str = "") -> Path:
    """The TOML file of the same network."""
    path = folder / "stranger.toml"
    path.write_text(
        f'name = "stranger"\n[task]\nname = "text"\nfiles = ["corpus.txt"]\nwindow = 30\n[network]\n'
        f'model = "stranger:{factory}"\nweights = "weights.safetensors"\nvocabulary = "vocabulary.json"\n{more}'
    )
    return path


def flags(factory: str = "make", weights: str = "weights.safetensors") -> list[str]:
    """The same as flags, typed in the folder."""
    words = ["dump", "--model", f"stranger:{factory}", "--weights", weights, "--vocabulary", "vocabulary.json"]
    return [*words, "--corpus", "corpus.txt", "--window", "30", "--runner", "local", "--root", "lake"]


@contextmanager
def imported(folder: Path) -> Iterator[object]:
    """The package, imported from one folder and forgotten afterwards."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module("stranger")
    finally:
        forget(folder)


def forget(folder: Path) -> None:
    """Let the next test import a package of the same name from elsewhere."""
    sys.modules.pop("stranger", None)
    sys.path[:] = [path for path in sys.path if path != str(folder)]
