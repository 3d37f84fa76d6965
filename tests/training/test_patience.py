import torch

from pipeline.training.patience import Patience


def weights(value: float) -> dict[str, torch.Tensor]:
    return {"w": torch.tensor([value])}


def test_it_ends_after_so_many_evaluations_without_a_lower_loss_and_keeps_the_best_weights() -> None:
    patience = Patience(2)
    ended = []
    for step, loss in enumerate([3.0, 2.0, 2.5, 1.9, 1.9, 2.0]):
        patience.see(loss, weights(step))
        ended.append(patience.has_ended)
    assert ended == [False] * 5 + [True]
    assert patience.weights["w"].item() == 3


def test_what_it_keeps_is_a_copy() -> None:
    patience, living = Patience(1), weights(1)
    patience.see(1.0, living)
    living["w"] += 1
    assert patience.weights["w"].item() == 1


def test_it_goes_on_from_its_state() -> None:
    first, second = Patience(2), Patience(2)
    first.see(1.0, weights(7))
    first.see(1.5, weights(8))
    second.restore(first.state())
    second.see(1.0, weights(9))
    assert second.has_ended
    assert second.weights["w"].item() == 7


def test_zero_evaluations_are_endless() -> None:
    patience = Patience(0)
    for loss in (1.0, 2.0, 3.0):
        patience.see(loss, weights(0))
    assert not patience.has_ended
    assert not patience.state()
