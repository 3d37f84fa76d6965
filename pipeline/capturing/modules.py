"""Recurrent modules of PyTorch, and our own, as layers of weights; what cannot be captured is refused here."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.models.cells import Weights
from pipeline.models.recurrent_lm import Layers, layer_weights
from schemas.errors import UsageError

SEQUENCE_MODULES: dict[type[nn.Module], str] = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn"}
STEP_MODULES: dict[type[nn.Module], str] = {nn.LSTMCell: "lstm", nn.GRUCell: "gru", nn.RNNCell: "rnn"}
RECURRENT: tuple[type[nn.Module], ...] = (*SEQUENCE_MODULES, *STEP_MODULES, Layers)
KNOWN = "nn.LSTM, nn.GRU, nn.RNN, their Cell forms and unrolled's own layers"

SCRIPTED = "is scripted or traced, and runs outside of Python: give the module that it was made from"
NAMES = tuple(kind.__name__ for kind in (*SEQUENCE_MODULES, *STEP_MODULES))  # in all of torch's variants


@dataclass(frozen=True)
class Recurrent:
    """A recurrent module, read."""

    name: str  # of its class
    cell: str
    nonlinearity: str
    weights: list[list[Weights]]  # by layer and direction
    features: int  # of a step of its inputs
    neurons: int
    width: int  # of its hidden state: that of the projection, if it has one
    batch_first: bool
    is_step: bool = False  # a Cell form: one call is one step
    takes_packed: bool = False
    takes_single: bool = True  # also one sequence, or step, without a batch
    takes_tuple: bool = False  # also a state of one part as a tuple of one


def require_module(given: object) -> None:
    """Raise UsageError for what is no module, such as the class of one."""
    if not isinstance(given, nn.Module):
        told = f"the class {given.__name__}" if isinstance(given, type) else f"a {type(given).__name__}"
        raise UsageError(f"capture takes a torch.nn.Module, not {told}")


def uncompiled(module: nn.Module) -> nn.Module:
    """The module that torch.compile was given, or the module itself."""
    return dict(module.named_children()).get("_orig_mod", module)


def find_recurrent(module: nn.Module) -> dict[str, nn.Module]:
    """The recurrent modules inside a module, by path; the module itself is "".

    Raises UsageError when there is none, or one that cannot be captured.
    """
    kinds = (nn.RNNBase, nn.RNNCellBase, Layers)
    inside = dict(module.named_modules())
    for path, inner in inside.items():
        _check_kind(path or "the module itself", inner)
    recurrent: dict[str, nn.Module] = {path: inner for path, inner in inside.items() if isinstance(inner, kinds)}

    if not recurrent:
        if any(isinstance(inner, torch.jit.ScriptModule) for inner in inside.values()):
            raise UsageError(f"{type(module).__name__} {SCRIPTED}")
        names = sorted({type(inner).__name__ for inner in module.modules()})
        raise UsageError(
            f"{type(module).__name__} holds no recurrent layer: found {', '.join(names)}; known are {KNOWN}"
        )

    for path, inner in recurrent.items():
        _check(path or type(module).__name__, inner)
    return recurrent


def check_mode(path: str, module: nn.Module, device: str) -> None:
    """Raise UsageError when a module would not compute what its weights say: dropout, or autocast.

    `device` is the type of the one that the weights lie on.
    """
    if isinstance(module, nn.RNNBase) and module.dropout and module.num_layers > 1 and module.training:
        raise UsageError(f"{path} drops activations at random between its layers: call .eval() on the model first")
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        raise UsageError(
            f"{path} would run under autocast, whose precision is another network's: leave the autocast block"
        )


def check_weight(name: str, values: Tensor) -> None:
    """Raise UsageError for a weight of another precision than our kernels have, or without values."""
    if values.dtype not in (torch.float32, torch.float64):
        raise UsageError(
            f"{name} is {str(values.dtype).removeprefix('torch.')}: convert the model with .float() first; gates "
            "of a lower precision are another network's"
        )
    if values.is_meta:
        raise UsageError(f"{name} is on the meta device, which holds no values: load the weights first")


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """A module's weights by torch's names, as its forward reads them: pruned or reparametrised ones too."""
    if isinstance(module, nn.RNNBase):
        names = [name for name in module._flat_weights_names if name is not None]  # noqa: SLF001
    elif isinstance(module, nn.RNNCellBase):
        names = ["weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if module.bias else ())]
    else:
        names = [name for name, _ in module.named_parameters()]
    return {name: getattr(module, name) for name in names}


def read_recurrent(module: nn.Module) -> Recurrent:
    """A module that `find_recurrent` gave, with its weights as they are now."""
    parameters = _tensors(module)
    name = type(module).__name__
    if isinstance(module, Layers):
        shape = module.architecture
        weights = [[layer_weights(parameters, f"_l{layer}")] for layer in range(shape.layers)]
        return Recurrent(
            name, shape.cell, shape.nonlinearity, weights,
            shape.vocabulary_size, shape.hidden_size, shape.hidden_size,
            batch_first=True, takes_single=False, takes_tuple=True,
        )  # fmt: skip

    nonlinearity = str(getattr(module, "nonlinearity", "tanh"))
    if isinstance(module, nn.RNNBase):
        suffixes = ("", "_reverse") if module.bidirectional else ("",)
        weights = [
            [layer_weights(parameters, f"_l{layer}{suffix}") for suffix in suffixes]
            for layer in range(module.num_layers)
        ]
        return Recurrent(
            name, _kind(module, SEQUENCE_MODULES), nonlinearity, weights,
            module.input_size, module.hidden_size, module.proj_size or module.hidden_size,
            batch_first=module.batch_first, takes_packed=True,
        )  # fmt: skip

    assert isinstance(module, nn.RNNCellBase)
    return Recurrent(
        name, _kind(module, STEP_MODULES), nonlinearity, [[layer_weights(parameters, "")]],
        module.input_size, module.hidden_size, module.hidden_size,
        batch_first=True, is_step=True,
    )  # fmt: skip


def _kind(module: nn.Module, kinds: dict[type[nn.Module], str]) -> str:
    return next(cell for kind, cell in kinds.items() if isinstance(module, kind))


def _check_kind(path: str, module: nn.Module) -> None:
    """Raise UsageError for a recurrent module that torch has turned into something else."""
    if isinstance(module, torch.jit.ScriptModule):
        if module.original_name in NAMES:
            raise UsageError(f"{path}, a {module.original_name}, {SCRIPTED}")
    elif type(module).__module__.startswith("torch.ao.nn.quant") and type(module).__name__ in NAMES:
        raise UsageError(
            f"{path} is a quantised {type(module).__name__} ({type(module).__module__}), whose gates are another "
            "network's: give the float model that it was made from"
        )


def _check(path: str, module: nn.Module) -> None:
    """Raise UsageError, with the path, for a module whose signals would not be its own."""
    kind = next((kind for kind in RECURRENT if isinstance(module, kind)), None)
    if kind is None or type(module).forward is not kind.forward:
        raise UsageError(
            f"{path} is a {type(module).__name__}, whose equations are its own: known are {KNOWN}, not subclasses "
            "with another forward"
        )
    if "forward" in vars(module):
        raise UsageError(
            f"{path} has had its forward replaced by {vars(module)['forward']!r}: give the module without it"
        )

    weights = _tensors(module)
    check_mode(path, module, next(iter(weights.values())).device.type)
    for name, parameter in weights.items():
        check_weight(f"{path}.{name}", parameter)
        if not parameter.numel():
            raise UsageError(
                f"{path}.{name} is {tuple(parameter.shape)}: a layer without neurons or features has no signals"
            )
        # A sum takes a quarter of the time, and is no number when a weight is none.
        if not parameter.sum().isfinite() and not torch.isfinite(parameter).all():
            raise UsageError(f"{path}.{name} holds NaN or infinity: nothing that it computes means anything")
