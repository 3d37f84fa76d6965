"""Where a run's models are trained. It enters no fingerprint: the same run may go on elsewhere."""

from dataclasses import dataclass

from schemas.errors import UsageError


@dataclass(frozen=True)
class Placement:
    """Where training happens, and how much of it may be lost."""

    together: tuple[int, int] | None = None  # least and most workers that share every batch of one model
    gpus: float = 0.0  # of each worker: 1, 2 and so on, or a share that tiles one, as 0.5 or 0.25
    save_minutes: float = 5.0  # between two states in the lake, beside the one after each evaluation
    tensorboard: str = ""  # the folder for TensorBoard's event files; none without


HERE = Placement()  # each model by one worker, on its CPU


def parse_together(text: str) -> tuple[int, int]:
    """Least and most workers: "4" is both, "2:8" what there is between. Raises UsageError."""
    least, colon, most = text.partition(":")
    try:
        bounds = int(least), int(most if colon else least)
    except ValueError:
        bounds = 0, 0
    if not 1 <= bounds[0] <= bounds[1]:
        raise UsageError(f"--data-parallel takes a number of workers or a range, as 4 or 2:8, not {text!r}")
    return bounds


def parse_gpus(text: str) -> float:
    """GPUs of a worker. Raises UsageError for a share that Ray could not place.

    Shares that do not tile a GPU may wait forever beside free ones (ray-project/ray#52133).
    """
    try:
        gpus = float(text)
    except ValueError:
        gpus = -1.0
    tiles = 0 < gpus < 1 and abs(1 / gpus - round(1 / gpus)) < 0.05
    if not (tiles or (gpus >= 0 and gpus.is_integer())):
        raise UsageError(f"--gpus-per-worker takes 0, 1, 2 … or a share 1/k, as 0.5 or 0.25, not {text!r}")
    return 1 / round(1 / gpus) if tiles else gpus
