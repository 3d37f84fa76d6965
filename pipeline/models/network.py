"""A network that was trained elsewhere: its recurrent module, and what it must be for the tables."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from schemas.errors import UsageError, some
from schemas.experiment import ModelSpec

MODES = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "rnn", "RNN_RELU": "rnn"}
BY_HAND = "use `with unrolled.capture(module)` in Python"


def sole_recurrent(module: nn.Module, path: str = "") -> tuple[str, nn.RNNBase]:
    """The recurrent module of a network, and its path within it.

    Raises UsageError when there is none, when there are several and no path says which, or when the table has no
    place for it.
    """
    inside = dict(module.named_modules())
    candidates = {name: part for name, part in inside.items() if isinstance(part, nn.RNNBase)}

    if not candidates:
        names = [f"{name or 'the module itself'} ({type(part).__name__})" for name, part in inside.items()]
        raise UsageError(f"the model holds no nn.LSTM, nn.GRU or nn.RNN, only {some(names, 8)}: {BY_HAND}")

    if path and path not in candidates:
        raise UsageError(
            f"the model has no recurrent module {path!r}: --recurrent is one of {', '.join(candidates)}"
        )
    if not path and len(candidates) > 1:
        raise UsageError(
            f"the model has {len(candidates)} recurrent modules: say --recurrent with one of "
            f"{', '.join(candidates)}"
        )

    path = path or next(iter(candidates))
    recurrent = candidates[path]
    for trait, present in (("bidirectional", recurrent.bidirectional), ("proj_size", recurrent.proj_size)):
        if present:
            raise UsageError(f"{path or 'the model'} has {trait}, which the table has no place for: {BY_HAND}")
    return path, recurrent


def spec_of(recurrent: nn.RNNBase) -> ModelSpec:
    """The shape of a recurrent module, as a model of a run."""
    return ModelSpec.model_validate(
        {
            "cell": MODES[recurrent.mode],
            "layers": recurrent.num_layers,
            "hidden_size": recurrent.hidden_size,
            "seed": None,
            "nonlinearity": "relu" if recurrent.mode == "RNN_RELU" else "tanh",
        }
    )


def logits_of(module: nn.Module, tokens: Tensor) -> Tensor:
    """Logits (batch, steps, vocabulary) of tokens (batch, steps); they may come in a tuple with more."""
    output = module(tokens)
    logits: Tensor = output[0] if isinstance(output, tuple | list) else output
    return logits


def check_network(module: nn.Module, vocabulary_size: int) -> None:
    """Read the vocabulary's first and last token once. Raises UsageError when no logits of its size come back."""
    tokens = torch.tensor([[0, vocabulary_size - 1]])
    try:
        with torch.no_grad():
            logits = logits_of(module, tokens)
    except Exception as error:  # noqa: BLE001  # it is someone else's code
        embedded = [part.num_embeddings for part in module.modules() if isinstance(part, nn.Embedding)]
        if embedded and min(embedded) < vocabulary_size:
            raise UsageError(
                f"the vocabulary has {vocabulary_size} texts, and the model embeds {min(embedded)} tokens: "
                "give the vocabulary that it was trained with"
            ) from None

        reason = (str(error).splitlines() or [""])[0]
        raise UsageError(
            f"the model fails on tokens (1 sequence, 2 steps) of int64 with {type(error).__name__}: {reason}; "
            "it is called as model(tokens)"
        ) from None

    if not isinstance(logits, Tensor) or logits.shape[:-1] != tokens.shape:
        given = tuple(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise UsageError(
            f"the model gives {given} for tokens (1, 2): logits (1, 2, vocabulary) are needed, or a tuple that "
            "begins with them"
        )

    if logits.shape[-1] != vocabulary_size:
        raise UsageError(
            f"the vocabulary has {vocabulary_size} texts, and the model gives {logits.shape[-1]} logits: "
            "give the vocabulary that it was trained with"
        )

    if not torch.isfinite(logits).all():
        buffers = [name for name, values in module.named_buffers() if not torch.isfinite(values).all()]
        blamed = f"its buffers {some(buffers)} hold such values" if buffers else "look at its factory"
        raise UsageError(f"the model gives NaN or infinite logits: {blamed}")


def copied(module: nn.Module) -> nn.Module:
    """A copy of a module as it is now, also of one that `copy.deepcopy` refuses.

    That takes no tensor which a graph has made, such as the weight that weight_norm or a pruning leaves in the
    module, or a state that it keeps from its training: the copy has the same values without the graph.

    Raises UsageError when a part of it cannot be copied.
    """
    try:
        made = {id(tensor): tensor for part in module.modules() for tensor in _graph_made(vars(part))}
        return copy.deepcopy(module, {key: tensor.detach().clone() for key, tensor in made.items()})
    except Exception as error:  # noqa: BLE001  # whatever someone else's module holds
        reason = (str(error).splitlines() or [""])[0]
        raise UsageError(
            f"{type(module).__name__} cannot be copied ({type(error).__name__}: {reason}): take what is no weight "
            "out of it, or give its code and weights as files: unrolled dump --model … --weights …"
        ) from None


def _graph_made(value: object) -> Iterator[Tensor]:
    """The tensors inside a value that are no leaves of a graph."""
    if isinstance(value, Tensor):
        if not value.is_leaf:
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _graph_made(inner)
    elif isinstance(value, list | tuple | set):
        for inner in value:
            yield from _graph_made(inner)
