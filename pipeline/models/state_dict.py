"""The state_dict of a network that was trained elsewhere: read from a file, and put into its module.

{"module.lstm.weight_ih_l0": …}          saved from an nn.DataParallel: fits without "module.", and this is told
{"state_dict": {…}, "optimizer": {…}}    a checkpoint of a training: the one state_dict in it is taken, and told
"""

import io
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from pipeline.models.checkpoint import bytes_to_tensors
from schemas.errors import UsageError, some

PREFIXES = 4  # of all that some names have before those of a module, the most common are tried
WRAPPERS = {"module": "nn.DataParallel", "_orig_mod": "torch.compile"}  # what they call the module inside


@dataclass(frozen=True)
class StateDict:
    """Tensors by name."""

    tensors: Mapping[str, Tensor]
    told: str = ""  # what was done to find them in their file or to fit them, for a person; "" for nothing


def parse_weights(data: bytes, name: str) -> StateDict:
    """The tensors of a state_dict file: safetensors, or torch.save's own where the name says .pt or .pth.

    torch's file is a pickle, and only its tensors are read: code in it is refused, never run. Raises UsageError
    that names the file and says how to write one that can be read.
    """
    how = f'from safetensors.torch import save_file; save_file(model.state_dict(), "{_stem(name)}.safetensors")'
    if not name.endswith((".pt", ".pth")):
        try:
            return StateDict(bytes_to_tensors(data))
        except SafetensorError as error:
            raise UsageError(f"{name} is not a whole safetensors file ({error}): write it again: {how}") from None

    loaded = _torch_load(data, name, how)
    if not isinstance(loaded, Mapping):
        raise UsageError(
            f"{name} holds no state_dict but a {type(loaded).__name__}: take the state_dict out of it, then {how}"
        )
    if all(isinstance(tensor, Tensor) for tensor in loaded.values()):
        return StateDict(_by_name(loaded))

    inside = {str(key): value for key, value in loaded.items() if _is_state_dict(value)}
    if len(inside) != 1:
        several = f"{len(inside)} state_dicts, {some(list(inside))}" if inside else "no state_dict"
        content = "" if inside else f" but {some(list(map(str, loaded)))}"
        raise UsageError(f"{name} holds {several}{content}: take the state_dict out of it, then {how}")
    ((key, value),) = inside.items()
    return StateDict(_by_name(value), f"{name}: taken is what it holds under {key!r}")


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


def _is_state_dict(value: object) -> bool:
    """Whether a part of a checkpoint is the weights of something: generators' states hold whole numbers only."""
    if not isinstance(value, Mapping) or not all(isinstance(tensor, Tensor) for tensor in value.values()):
        return False
    return any(tensor.is_floating_point() for tensor in value.values())


def _by_name(tensors: Mapping[object, Tensor]) -> dict[str, Tensor]:
    return {str(key): tensor for key, tensor in tensors.items()}


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> str:
    """Put weights into a module, on the CPU and ready to evaluate.

    A prefix that all names have (module., _orig_mod., model. …), or that they all lack, is taken off or put on
    where everything then fits.

    Returns:
        What was done to the names, for a person; "" for nothing.

    Raises UsageError when a name or shape does not fit, a weight is no finite float32, or another tensor (a mask,
    a counter: a buffer) would not be the same in the module.
    """
    expected = module.cpu().state_dict(keep_vars=True)
    fitted = _fit(expected, tensors, name)
    _check_numbers(expected, fitted.tensors, name)

    module.load_state_dict(dict(fitted.tensors), strict=False)
    module.eval()

    for key, parameter in module.named_parameters():
        if parameter.dtype != torch.float32:
            raise UsageError(
                f"the model's {key} is {parameter.dtype}, and the tables hold float32: give model.float()"
            )
    return fitted.told


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """A module's weights as they are stored: on the CPU, each by itself, so that tied ones are written twice."""
    return {key: tensor.detach().cpu().clone() for key, tensor in module.state_dict().items()}


def _check_numbers(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], name: str) -> None:
    """Raise UsageError for a weight that is no finite float32, or a buffer that the module would hold otherwise.

    Buffers may be infinite, as a causal mask is, and so may parameters that no training changes.
    """
    for key, tensor in tensors.items():
        own = expected[key]
        if not isinstance(own, nn.Parameter):
            if not torch.equal(_as_bytes(tensor.to(own.dtype).to(tensor.dtype)), _as_bytes(tensor)):
                raise UsageError(f"{name}: {key} is {tensor.dtype} and loses digits in the model's {own.dtype}")
            continue
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise UsageError(
                f"{name}: {key} is {str(tensor.dtype).removeprefix('torch.')}, and the tables hold float32: "
                "save model.float().state_dict()"
            )
        if tensor.isnan().any() or (own.requires_grad and not torch.isfinite(tensor).all()):
            raise UsageError(
                f"{name}: {key} holds NaN or infinite values: give weights from before training diverged"
            )


def _as_bytes(tensor: Tensor) -> Tensor:
    """A tensor's bytes, in which NaN equals itself."""
    return tensor.detach().contiguous().flatten().view(torch.uint8)


def _fit(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], name: str) -> StateDict:
    """Tensors by the names that a module has for them. Raises UsageError when they are not all that it expects."""
    for reading in _readings(expected, tensors):
        if not _misfits(expected, reading.tensors):
            return StateDict(reading.tensors, reading.told and f"{name}: {reading.told}")

    told = "; ".join(f"{problem} {some(names)}" for problem, names in _misfits(expected, tensors).items())
    prefixed = _prefixes(tensors, expected)[:1]
    hint = "".join(f" ({count} of its names begin with {_explained(prefix)})" for prefix, count in prefixed)
    raise UsageError(f"{name} does not fit the model: it {told}{hint}: give the weights of this model")


def _misfits(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """What keeps tensors from being those that a module expects, by name and shape."""
    given = {id(expected[key]) for key in tensors if key in expected}  # tied ones count under any of their names
    missing = [key for key, tensor in expected.items() if key not in tensors and id(tensor) not in given]
    shapes = [
        f"{key} is {tuple(tensors[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in tensors and tensors[key].shape != tensor.shape
    ]
    problems = {
        "lacks": missing,
        "has besides": sorted(set(tensors) - set(expected)),
        "has another shape where": shapes,
    }
    return {problem: names for problem, names in problems.items() if names}


def _readings(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> Iterator[StateDict]:
    """The tensors by their own names, and then by all that these may stand for in a module."""
    yield StateDict(tensors)

    for prefix, count in _prefixes(tensors, expected):
        if count == len(tensors):
            shorter = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
            yield StateDict(shorter, f"its names are read without {_explained(prefix)}")

    for prefix, _ in _prefixes(expected, tensors):
        longer = {prefix + key: tensor for key, tensor in tensors.items()}
        yield StateDict(longer, f"its names are read with {_explained(prefix)} before them")

    bare = {_unwrapped(key): key for key in expected}
    named = {bare.get(_unwrapped(key), key): tensor for key, tensor in tensors.items()}
    if len(bare) == len(expected) and len(named) == len(tensors):
        yield StateDict(named, f"its names are read without regard to {' and '.join(WRAPPERS)} in them")


def _prefixes(longer: Iterable[str], shorter: Iterable[str]) -> list[tuple[str, int]]:
    """What stands before the shorter names in the longer ones, as "module.", how often; the commonest first."""
    ends = set(shorter)
    found: Counter[str] = Counter()
    for name in longer:
        parts = name.split(".")
        tails = (place for place in range(1, len(parts)) if ".".join(parts[place:]) in ends)
        found.update(".".join(parts[:place]) + "." for place in tails)
    return found.most_common(PREFIXES)


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _explained(prefix: str) -> str:
    """As 'module.' (nn.DataParallel)."""
    wrappers = dict.fromkeys(WRAPPERS[part] for part in prefix.split(".") if part in WRAPPERS)
    return repr(prefix) + (f" ({', '.join(wrappers)})" if wrappers else "")


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
