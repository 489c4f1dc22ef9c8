"""The step of color between a fill and its photo, evened out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gatefill.methods.base import Image, Mask
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.methods.registry import with_network
from gatefill.methods.rim import LARGEST_MISS, even_miss


@pytest.fixture
def photo() -> Image:
    return np.random.default_rng(3).uniform(0.3, 0.7, (40, 56, 3)).astype(np.float32)


@pytest.fixture
def mask() -> Mask:
    hole = np.zeros((40, 56), bool)
    hole[8:30, 0:33] = True
    return hole


def test_light_that_is_wrong_everywhere_is_put_right(photo: Image, mask: Mask) -> None:
    tint = np.array([0.1, -0.05, 0.02], np.float32)
    np.testing.assert_allclose(
        even_miss(photo + tint, photo, mask),
        np.where(mask[..., None], photo, photo + tint),
        atol=1e-5,
    )


def test_a_miss_is_no_more_than_the_largest(photo: Image, mask: Mask) -> None:
    evened = even_miss(np.zeros_like(photo), np.ones_like(photo), mask)
    np.testing.assert_allclose(evened[mask], LARGEST_MISS, atol=1e-5)


def test_what_is_seen_beside_the_hole_counts_and_nothing_far_away(photo: Image, mask: Mask) -> None:
    frame = photo.copy()
    frame[:, 40:] = 0.0
    np.testing.assert_array_equal(even_miss(frame, photo, mask), frame)


@pytest.mark.parametrize("value", [False, True])
def test_without_a_rim_nothing_changes(photo: Image, value: bool) -> None:
    everywhere = np.full(photo.shape[:2], value)
    np.testing.assert_array_equal(even_miss(photo * 0.5, photo, everywhere), photo * 0.5)


def test_a_network_with_a_finish_steps_less_at_the_rim(photo: Image, mask: Mask) -> None:
    steps = {}
    for finish in (False, True):
        torch.manual_seed(0)
        network = DeepFillV2Network(DeepFillV2Config(width=4))
        method = with_network("deepfill_v2", network, finish=finish)
        smooth = np.full_like(photo, 0.55)  # an untrained network paints gray
        filled = method.fill(smooth, mask).image
        steps[finish] = np.abs(filled[8:30, 32] - smooth[8:30, 33]).mean()
    assert steps[True] < 0.2 * steps[False]
