"""What every picture of a neuron has in common: one scale, over the whole probe split, so that they compare."""

from collections.abc import Mapping

from pipeline.queries.lake import Lake
from pipeline.rendering.terminal import Scale, scale_of


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
