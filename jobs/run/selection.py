"""What a dump writes of a model: the signals and layers that were asked for, of those that it has."""

from collections.abc import Sequence

from schemas.experiment import Experiment, ModelSpec
from schemas.signals import CELL_SIGNALS


def kept_signals(experiment: Experiment, cell: str) -> Sequence[str]:
    """The signals to write, of those that a cell has."""
    asked = experiment.dump.signals
    return [signal for signal in CELL_SIGNALS[cell] if asked == "all" or signal in asked]


def kept_layers(experiment: Experiment, layers: int) -> list[int]:
    """The layers to write, of those that a model has."""
    asked = experiment.dump.layers
    return [layer for layer in range(layers) if asked == "all" or layer in asked]


def values_per_step(experiment: Experiment, model: ModelSpec) -> int:
    """How many values of a model are written at each step."""
    layers, signals = kept_layers(experiment, model.layers), kept_signals(experiment, model.cell)
    return len(layers) * model.hidden_size * len(signals)
