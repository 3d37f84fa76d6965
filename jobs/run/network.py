"""A network that was trained elsewhere: its code, weights, vocabulary and tokenizer, in files or at hand."""

import importlib
import inspect
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from pipeline.capturing.modules import uncompiled
from pipeline.dumping.as_read import as_read
from pipeline.dumping.soundness import check_sound
from pipeline.models.checkpoint import tensors_to_bytes
from pipeline.models.network import check_network, copied, sole_recurrent, spec_of
from pipeline.models.state_dict import load_weights, parse_weights, weights_of
from pipeline.storage.sources import read_file
from pipeline.tasks.vocabulary import NETWORK_LACKS, Vocabulary, parse_vocabulary
from schemas.errors import UsageError
from schemas.experiment import ImportedModel, NetworkSettings
from schemas.fingerprint import sha256


@dataclass(frozen=True)
class Network:
    """A module with its weights, ready to evaluate, and what its tokens stand for."""

    module: nn.Module
    vocabulary: Vocabulary
    recurrent: str  # the path of its recurrent module
    told: tuple[str, ...] = ()  # what a person should know of how its weights were read

    @property
    def weights(self) -> bytes:
        """As they are stored: a safetensors file, whatever they came in."""
        return tensors_to_bytes(weights_of(self.module))

    @property
    def as_read(self) -> bytes:
        """What its recurrent module reads, as it is stored for the audit: a safetensors file."""
        return tensors_to_bytes(as_read(self.module, self.recurrent, len(self.vocabulary)))

    @property
    def imported(self) -> ImportedModel:
        """What the run is told of it."""
        _, recurrent = sole_recurrent(self.module, self.recurrent)
        return ImportedModel(
            spec=spec_of(recurrent), weights=sha256(self.weights), vocabulary=self.vocabulary.digest
        )


@dataclass(frozen=True)
class ImportedNetwork:
    """A network in files."""

    settings: NetworkSettings
    code: str  # the folder that its Python is imported from, here and in workers
    begun: ImportedModel | None = None  # what the run began with, None before it has begun
    told: tuple[str, ...] = ()  # as of `Network`

    def vocabulary(self) -> Vocabulary:
        """Read from its file."""
        vocabulary = load_vocabulary(self.settings, self.code)
        if self.begun and vocabulary.digest != self.begun.vocabulary:
            raise UsageError(f"{self.settings.vocabulary} has changed since the run began: run it again")
        return vocabulary

    def module(self) -> nn.Module:
        """As its factory makes it."""
        return make_module(self.settings.model, self.code)

    def open(self) -> Network:
        """Read whole."""
        network = open_network(self.settings, self.code)
        if self.begun and network.imported != self.begun:
            raise UsageError(f"the network {self.settings.model} has changed since the run began: run it again")
        return network


@dataclass(frozen=True)
class LiveNetwork:
    """A network at hand, which stays in this process."""

    network: Network

    @property
    def told(self) -> tuple[str, ...]:
        """Nothing: it came in no file."""
        return ()

    def vocabulary(self) -> Vocabulary:
        """The given one."""
        return self.network.vocabulary

    def module(self) -> nn.Module:
        """A copy of the given one."""
        return copied(self.network.module)

    def open(self) -> Network:
        """The given one."""
        return self.network


def open_network(settings: NetworkSettings, code: str) -> Network:
    """Read a network and check all that can be checked of it without a corpus.

    Args:
        settings: the [network] section; its paths are absolute.
        code: the folder that its Python is imported from.

    Raises UsageError with what is wrong and what to type.
    """
    vocabulary = load_vocabulary(settings, code)
    module = make_module(settings.model, code)
    parsed = parse_weights(read_file(settings.weights), settings.weights)
    fitted = load_weights(module, parsed.tensors, settings.weights)
    network = checked_network(module, vocabulary, settings.recurrent)
    return replace(network, told=tuple(told for told in (parsed.told, fitted) if told))


def checked_network(module: nn.Module, vocabulary: Vocabulary, recurrent: str) -> Network:
    """A module that has its weights. Raises UsageError when the tables have no place for it."""
    path, _ = sole_recurrent(module, recurrent)
    check_network(module, len(vocabulary))
    check_sound(module, path, len(vocabulary))
    return Network(module, vocabulary, path)


def load_vocabulary(settings: NetworkSettings, code: str) -> Vocabulary:
    """The vocabulary of a network, with its tokenizer where it has one."""
    characters = parse_vocabulary(read_file(settings.vocabulary), settings.vocabulary)
    if settings.tokenizer:
        return Vocabulary(characters, tokenizer=import_callable(settings.tokenizer, code), lacks=NETWORK_LACKS)
    longer = next((text for text in characters if len(text) != 1), None)
    if longer is not None and not any(len(text) == 1 for text in characters):
        raise UsageError(
            f"{settings.vocabulary} holds {longer!r} and no character: say which tokenizer reads a text"
        )
    return Vocabulary(characters, lacks=NETWORK_LACKS)


def make_module(model: str, code: str) -> nn.Module:
    """The module that a factory gives. Raises UsageError when it needs arguments or gives something else."""
    factory = import_callable(model, code)
    try:
        inspect.signature(factory).bind()
    except TypeError:
        signature = inspect.signature(factory)
        raise UsageError(
            f"{model}{signature} needs arguments: give a function without any, as `def make(): return …`"
        ) from None
    except ValueError:  # a callable that does not tell its arguments
        pass

    try:
        with redirect_stdout(sys.stderr):  # what it prints is no data of ours
            module = factory()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it is someone else's code
        raise UsageError(f"{model}() fails with {type(error).__name__}: {error}") from None

    if not isinstance(module, nn.Module):
        raise UsageError(f"{model}() gives a {type(module).__name__}, not a torch.nn.Module")
    return uncompiled(module)


def import_callable(path: str, code: str) -> Callable[..., Any]:
    """What "package.module:name" names, imported from the folder `code` first of all.

    The folder stays on the path: the code may import more of its own when it is called.
    """
    package, colon, name = path.partition(":")
    if not colon or not package or not name:
        raise UsageError(f"{path!r} is not package.module:name, as in char_rnn:make_model")

    if code not in sys.path:
        sys.path.insert(0, code)
    importlib.invalidate_caches()  # the file may be younger than the folder's listing

    try:
        with redirect_stdout(sys.stderr):
            value: Any = importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name and (package == error.name or package.startswith(f"{error.name}.")):
            raise UsageError(
                f"{path}: there is no Python module {error.name} in {Path(code)} or among the installed ones"
            ) from None
        raise UsageError(f"{path}: {package} needs the module {error.name}, which is not installed") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it is someone else's code
        raise UsageError(f"{path}: importing {package} fails with {type(error).__name__}: {error}") from None

    for part in name.split("."):
        if not hasattr(value, part):
            known = [word for word in vars(value) if callable(getattr(value, word)) and not word.startswith("_")]
            raise UsageError(
                f"{path}: {package} has no {part}; it has {', '.join(sorted(known)) or 'nothing to call'}"
            )
        value = getattr(value, part)

    if not callable(value):
        raise UsageError(f"{path} is a {type(value).__name__}, not something to call")
    result: Callable[..., Any] = value
    return result
