"""What all that is shown of a neuron has in common: its signal, and one scale over the whole probe split."""

from collections.abc import Mapping

from pipeline.queries.lake import Lake
from pipeline.rendering.terminal import Scale, scale_of
from schemas.signals import CELL_SIGNALS


def neuron_scale(lake: Lake, run: str, place: Mapping[str, object], signal: str) -> tuple[int, Scale]:
    """The checkpoint that is shown, and the scale of a neuron's signal there.

    Args:
        lake: that the run lies in.
        run: its id.
        place: model, layer, neuron, and a checkpoint or None for the last; something was dumped there.
        signal: one of those that were dumped.
    """
    query = (
        f"select checkpoint, max(abs({signal})) as widest from activations where run = $run and model = $model "
        "and layer = $layer and neuron = $neuron and checkpoint = coalesce($checkpoint, "
        "(select max(checkpoint) from activations where run = $run and model = $model)) group by checkpoint"
    )
    (row,) = lake.fetch(query, {"run": run, **place}).to_pylist()
    return row["checkpoint"], scale_of(signal, row["widest"])


def usual_signal(lake: Lake, run: str, model: str) -> str | None:
    """The signal to show where none is asked for; None of a model that the run does not have."""
    query = "select cell from models where run = $run and model = $model"
    cells = lake.fetch(query, {"run": run, "model": model})["cell"].to_pylist()
    dumped = lake.catalog.dumped_signals(run)
    signals = [signal for cell in cells for signal in CELL_SIGNALS[cell] if signal in dumped]
    return next(
        (signal for signal in ("cell_state", "hidden_state") if signal in signals), next(iter(signals), None)
    )
