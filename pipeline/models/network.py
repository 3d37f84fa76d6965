"""A network that was trained elsewhere: its weights, its recurrent module, what it must be for the tables."""

import io
import pickle
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from pipeline.models.checkpoint import bytes_to_tensors
from schemas.errors import UsageError
from schemas.experiment import ModelSpec

NAMED = 3  # of a list of names, the first that are told
MODES = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "rnn", "RNN_RELU": "rnn"}
BY_HAND = "use `with unrolled.capture(module)` in Python"


def parse_weights(data: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a state_dict file by name: safetensors, or torch.save's own where the name says .pt or .pth.

    torch's file is a pickle, and only its tensors are read: code in it is refused, never run. Raises UsageError
    that names the file and says how to write one that can be read.
    """
    how = f'from safetensors.torch import save_file; save_file(model.state_dict(), "{_stem(name)}.safetensors")'
    if not name.endswith((".pt", ".pth")):
        try:
            return bytes_to_tensors(data)
        except SafetensorError as error:
            raise UsageError(f"{name} is not a whole safetensors file ({error}): write it again: {how}") from None

    loaded = _torch_load(data, name, how)
    if not isinstance(loaded, Mapping) or not all(isinstance(tensor, Tensor) for tensor in loaded.values()):
        content = _some(list(map(str, loaded))) if isinstance(loaded, Mapping) else f"a {type(loaded).__name__}"
        raise UsageError(f"{name} holds no state_dict but {content}: take the state_dict out of it, then {how}")
    return {str(key): tensor for key, tensor in loaded.items()}


def _torch_load(data: bytes, name: str, how: str) -> object:
    """What torch.save has put into a file, if that is nothing but tensors and plain values."""
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UsageError(
            f"{name} holds more than tensors, and the rest is not read, for it could run code: {how}"
        ) from None
    except Exception as error:  # noqa: BLE001  # torch's readers of broken files raise all kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{name} is not a file that torch.save made ({reason}): write it again: {how}") from None


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Put weights into a module, on the CPU and ready to evaluate.

    Raises UsageError when a name or shape does not fit, or a tensor is no finite float32.
    """
    _check_numbers(tensors, name)
    _check_fit(module.cpu().state_dict(keep_vars=True), tensors, name)

    module.load_state_dict(dict(tensors), strict=False)
    module.eval()

    for key, parameter in module.named_parameters():
        if parameter.dtype != torch.float32:
            raise UsageError(
                f"the model's {key} is {parameter.dtype}, and the tables hold float32: give model.float()"
            )


def _check_numbers(tensors: Mapping[str, Tensor], name: str) -> None:
    """Raise UsageError for a tensor of a file that is no finite float32."""
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise UsageError(
                f"{name}: {key} is {str(tensor.dtype).removeprefix('torch.')}, and the tables hold float32: "
                "save model.float().state_dict()"
            )
        if not torch.isfinite(tensor).all():
            raise UsageError(
                f"{name}: {key} holds NaN or infinite values: give weights from before training diverged"
            )


def _check_fit(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], name: str) -> None:
    """Raise UsageError when a file's tensors are not those that a module expects, by name and shape."""
    given = {id(expected[key]) for key in tensors if key in expected}  # tied ones count under any of their names
    missing = [key for key, tensor in expected.items() if key not in tensors and id(tensor) not in given]
    shapes = [
        f"{key} is {tuple(tensors[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in tensors and tensors[key].shape != tensor.shape
    ]

    problems = {"lacks": missing, "has besides": sorted(set(tensors) - set(expected)), "where": shapes}
    misfit = "; ".join(f"{problem} {_some(names)}" for problem, names in problems.items() if names)
    if misfit:
        raise UsageError(f"{name} does not fit the model: it {misfit}: give the weights of this model")


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """A module's weights as they are stored: on the CPU, each by itself, so that tied ones are written twice."""
    return {key: tensor.detach().cpu().clone() for key, tensor in module.state_dict().items()}


def sole_recurrent(module: nn.Module, path: str = "") -> tuple[str, nn.RNNBase]:
    """The recurrent module of a network, and its path within it.

    Raises UsageError when there is none, when there are several and no path says which, or when the table has no
    place for it.
    """
    inside = dict(module.named_modules())
    candidates = {name: part for name, part in inside.items() if isinstance(part, nn.RNNBase)}

    if not candidates:
        names = [f"{name or 'the module itself'} ({type(part).__name__})" for name, part in inside.items()]
        raise UsageError(f"the model holds no nn.LSTM, nn.GRU or nn.RNN, only {_some(names, 8)}: {BY_HAND}")

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
        raise UsageError("the model gives NaN or infinite logits: look at its factory")


def _some(names: list[str], most: int = NAMED) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
