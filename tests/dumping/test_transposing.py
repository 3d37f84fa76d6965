"""Neuron by neuron, whatever the layout of what a network gave, and however many steps."""

import pytest
import torch

from pipeline.dumping.transposing import _IMAGE, _ROWS, neuron_major


@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (3, 40), (1, _ROWS + 3 * _IMAGE + 5), (60, 2 * _IMAGE + 1)])
@pytest.mark.parametrize("neurons", [1, 8, 13])
@pytest.mark.parametrize("steps_first", [True, False])
@pytest.mark.parametrize("kept", [1.0, 0.6])
def test_every_real_step_is_in_its_place(
    batch: int, steps: int, neurons: int, steps_first: bool, kept: float
) -> None:
    random = torch.Generator().manual_seed(1)
    shape = (steps, batch, neurons + 5) if steps_first else (batch, steps, neurons + 5)
    whole = torch.randn(shape, generator=random)
    values = (whole.transpose(0, 1) if steps_first else whole)[..., 3 : 3 + neurons]
    real = torch.rand(batch, steps, generator=random) < kept
    found = neuron_major(values, *real.nonzero(as_tuple=True))
    assert found.is_contiguous()
    assert torch.equal(found, values[real].t())
