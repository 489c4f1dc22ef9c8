"""The loss of local spectra: what it forgives and what it does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from gatefill.training.spectral import spectral_loss


def grain(seed: int, channels: int = 1) -> Tensor:
    """Noise of one standard deviation; of one channel it is gray."""
    noise = torch.randn(2, channels, 96, 96, generator=torch.Generator().manual_seed(seed))
    return (0.2 * noise).expand(2, 3, 96, 96)


@pytest.fixture
def mask() -> Tensor:
    hole = torch.zeros(2, 1, 96, 96)
    hole[..., 24:72, 24:72] = 1
    return hole


def loss(fill: Tensor, mask: Tensor) -> float:
    truth = grain(0)
    return spectral_loss(torch.lerp(truth, fill, mask), truth, mask).item()


def test_the_truth_costs_nothing(mask: Tensor) -> None:
    assert loss(grain(0), mask) == 0


def test_other_grain_of_the_same_kind_costs_less_than_any_other_fill(mask: Tensor) -> None:
    """L1 would call the flat fill the best of these."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    dots = 0.4 * (rows * torch.pi / 3).sin() * (columns * torch.pi / 4).sin()
    same = loss(grain(1), mask)
    others = {
        "flat": torch.zeros(2, 3, 96, 96),
        "soft": functional.avg_pool2d(grain(1), 3, 1, 1),
        "a grid of dots": dots.expand(2, 3, 96, 96),
        "color noise": grain(1, channels=3),
        "too much": 2 * grain(1),
    }
    costs = {name: loss(fill, mask) for name, fill in others.items()}
    assert all(cost > 1.15 * same for cost in costs.values()), (same, costs)


def test_a_step_at_the_rim_costs(mask: Tensor) -> None:
    flat = torch.zeros(2, 3, 96, 96)
    assert spectral_loss(flat + 0.1 * mask, flat, mask) > 0.02
    assert spectral_loss(flat + 0.1, flat, mask) < 1e-3  # the same light everywhere


def test_only_the_hole_gets_a_gradient_and_it_is_finite(mask: Tensor) -> None:
    fill = torch.zeros(2, 3, 96, 96, requires_grad=True)
    truth = grain(0)
    (gradient,) = torch.autograd.grad(
        spectral_loss(torch.lerp(truth, fill, mask), truth, mask), fill
    )
    assert gradient.isfinite().all()
    assert gradient[..., 30:66, 30:66].any()
    assert not (gradient * (1 - mask)).any()


@pytest.mark.parametrize(("side", "hole"), [(96, 0.0), (4, 1.0)])
def test_without_a_hole_or_room_for_a_window_it_is_zero(side: int, hole: float) -> None:
    fill = torch.rand(1, 3, side, side, requires_grad=True)
    value = spectral_loss(fill, torch.zeros(1, 3, side, side), torch.full((1, 1, side, side), hole))
    value.backward()
    assert value.item() == 0
