"""Early stopping: training ends when the validation loss has not fallen for some evaluations."""

import math

import torch
from torch import Tensor


class Patience:
    """Remembers the best evaluation and its weights; of 0 evaluations it is endless, and remembers nothing."""

    def __init__(self, evaluations: int) -> None:
        self._evaluations = evaluations
        self._best = math.inf
        self._since = 0
        self.weights: dict[str, Tensor] = {}

    @property
    def has_ended(self) -> bool:
        """Whether there is no more training to do."""
        return 0 < self._evaluations <= self._since

    def see(self, loss: float, weights: dict[str, Tensor]) -> None:
        """Take note of an evaluation on the valid split, nats/char, and of the weights that it was made with."""
        if not self._evaluations:
            return
        if loss < self._best:
            self._best, self._since = loss, 0
            self.weights = {name: weight.detach().clone() for name, weight in weights.items()}
        else:
            self._since += 1

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on from here, as named tensors; none for endless patience."""
        if not self._evaluations:
            return {}
        seen = torch.tensor([self._best, self._since], dtype=torch.float64)
        return {"patience": seen, **{f"best.{name}": weight for name, weight in self.weights.items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        if "patience" in state:
            best, since = state["patience"].tolist()
            self._best, self._since = best, int(since)
            self.weights = {n.removeprefix("best."): v for n, v in state.items() if n.startswith("best.")}
