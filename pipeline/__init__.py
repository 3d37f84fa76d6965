"""Unrolled's rooms. `pipeline.capture(module)` shows a network's gates, `pipeline.open(root)` opens a lake."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from pipeline.capturing.capture import Capture
    from pipeline.queries.lake import Lake


def capture(module: "nn.Module") -> "Capture":
    """Every gate and state of every recurrent layer inside a network, while it runs as usual.

    Args:
        module: any `torch.nn.Module` that holds nn.LSTM, nn.GRU, nn.RNN, their Cell forms or our own layers;
            float32 or float64, on any device.

    Returns:
        A context manager. After `with unrolled.capture(module) as captured: module(batch)`,
        `captured["path.of.lstm"]["forget_gate"]` is a tensor (layers, directions, batch, steps, neurons), batch
        before steps whatever `batch_first` says; the path of the module itself is "". Several calls lie in
        `captured.calls`, one after another. `pipeline.capture(module)(batch)` does it in one expression.

    Raises:
        UsageError: there is no recurrent layer, or one whose signals would not be its own: a subclass with another
            forward, a scripted or quantised one, dropout while training, half precision, NaN or infinite weights.
            Inside the `with`, for a call that the module itself would refuse.
    """
    from pipeline.capturing.capture import Capture

    return Capture(module)


def open(root: str) -> "Lake":  # noqa: A001  # `pipeline.open(root)` reads as it should
    """Open a lake, read-only.

    Args:
        root: a folder, or any URI that fsspec knows.

    Returns:
        A `Lake`: its `.sql("select …")` gives an answer that pandas (`.df()`), Polars (`.pl()`) and Arrow
        (`.to_arrow_table()`) read, `.ask("top_neurons", …)` answers a shipped question, and `.run("counting")`
        is one run by itself.

    Raises:
        UsageError: nothing is there, or it is a lake of another format version.
    """
    from pipeline.queries.lake import open_lake

    return open_lake(root)


def __getattr__(name: str) -> object:
    raise AttributeError(
        f"Unrolled's package `pipeline` has no {name!r}; a pipeline.py of your own needs another name"
    )
