"""Losses against their definitions, spelled out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.training.losses import (
    discount,
    discount_of_square,
    gradient_penalty,
    gram,
    hole_corners,
    patches,
    perceptual_loss,
    style_loss,
    variation_loss,
)


def box_mask(top: int, bottom: int, left: int, right: int, size: int = 16) -> torch.Tensor:
    mask = torch.zeros(1, 1, size, size)
    mask[:, :, top:bottom, left:right] = 1
    return mask


@given(
    top=st.integers(0, 8), height=st.integers(1, 8), left=st.integers(0, 9), width=st.integers(1, 7)
)
def test_discount_follows_the_formula(top: int, height: int, left: int, width: int) -> None:
    mask = box_mask(top, top + height, left, left + width)
    weights = discount(mask, 0.9)[0, 0].numpy()
    expected = np.zeros((16, 16))
    for i in range(height):
        for j in range(width):
            expected[top + i, left + j] = max(0.9 ** min(i, height - i), 0.9 ** min(j, width - j))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_discount_is_zero_outside_a_free_form_hole() -> None:
    mask = box_mask(2, 10, 2, 10)
    mask[0, 0, 4, 4] = 0
    weights = discount(mask)
    assert weights[0, 0, 4, 4] == 0
    assert (weights > 0).sum() == mask.sum()


def test_the_released_discount_begins_at_the_square_that_boxes_are_cut_out_of() -> None:
    """At 256 pixels and a shrink of 16: 0.185 at the hole's boundary, 4144 in all of the square."""
    mask = box_mask(60 + 16, 60 + 128 - 16, 40 + 16, 40 + 128 - 16, size=256)
    weights = discount_of_square(mask, 128)[0, 0]
    assert weights[76, 100].item() == pytest.approx(0.9**16)
    assert weights[60, 40].item() == weights[124, 40].item() == 1.0
    assert weights.sum().item() == pytest.approx(4144, abs=1)
    assert not weights[:60].any()
    assert not weights[:, 168:].any()
    # Beginning at the hole, the boundary would count five times as much.
    assert discount(mask)[0, 0, 76, 100] == 1.0
    assert discount(mask).sum().item() == pytest.approx(2932, abs=1)


def test_gradient_penalty_of_a_linear_critic_is_known() -> None:
    weight = torch.randn(3, 8, 8)
    image = torch.randn(2, 3, 8, 8, requires_grad=True)
    mask = box_mask(0, 4, 0, 8, 8).expand(2, 1, 8, 8)
    score = (image * weight).flatten(1).sum(1, keepdim=True)
    whole = (weight.norm() - 1).square()
    seen = ((weight * mask[0]).norm() - 1).square()
    assert gradient_penalty(score, image).item() == pytest.approx(whole.item(), rel=1e-5)
    assert gradient_penalty(score, image, mask).item() == pytest.approx(seen.item(), rel=1e-5)


def test_gram_and_style() -> None:
    features = torch.randn(2, 3, 4, 5)
    products = torch.zeros(2, 3, 3)
    for b in range(2):
        for i in range(3):
            for j in range(3):
                products[b, i, j] = (features[b, i] * features[b, j]).sum() / 60
    torch.testing.assert_close(gram(features), products)
    other = torch.randn(2, 3, 4, 5)
    expected = (gram(features) - gram(other)).abs().mean()
    assert style_loss([features], [other]).item() == pytest.approx(expected.item())
    assert perceptual_loss([features, other], [features, other]).item() == 0


def test_variation_sees_the_hole_and_one_pixel_around_it() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[..., 8:] = 1
    assert variation_loss(image, box_mask(4, 8, 0, 5)).item() == 0
    # The hole ends left of the step; dilated by one pixel it holds both sides: 6 rows x 3 channels.
    reaching = variation_loss(image, box_mask(4, 8, 0, 8))
    assert reaching.item() == pytest.approx(6 * 3 / image.numel())


@given(top=st.integers(0, 12), left=st.integers(0, 12), side=st.integers(1, 16))
def test_patches_lie_in_the_frame_around_the_hole(top: int, left: int, side: int) -> None:
    mask = box_mask(top, top + 4, left, left + 4)
    ((row, column),) = hole_corners(mask, side)
    assert 0 <= row <= 16 - side
    assert 0 <= column <= 16 - side
    patch = patches(mask, [(row, column)], side)
    assert patch.shape == (1, 1, side, side)
    assert patch.sum() == min(side, 4) ** 2


def test_a_patch_larger_than_the_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 16"):
        hole_corners(box_mask(0, 4, 0, 4), 17)
