"""Masks: usable at any size, the same for the same seed, and shaped as the field's are."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatefill import masks
from gatefill.masks import HOLE_BINS, MASKS, hole_share, object_mask, place_cutout, sample_in_bin

SIDES = st.integers(1, 90)
SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(sorted(MASKS))


def star(height: int = 60, width: int = 40) -> np.ndarray:
    """A cut-out with a soft rim, a hole in it and faint dust in one corner."""
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[..., :3] = (200, 40, 90)
    alpha = np.zeros((height, width), np.uint8)
    cv2.ellipse(alpha, (width // 2, height // 2), (width // 4, height // 3), 20, 0, 360, 255, 6)
    rgba[..., 3] = cv2.GaussianBlur(alpha, (5, 5), 0)
    rgba[0, 0, 3] = 3
    return rgba


def shares(kind: str, count: int, height: int = 256, width: int = 256) -> np.ndarray:
    rng = masks.generator(7)
    return np.array([hole_share(MASKS[kind](height, width, rng)) for _ in range(count)])


@given(KINDS, SIDES, SIDES, SEEDS)
@settings(max_examples=200, deadline=None)
def test_any_size_gives_a_usable_mask(kind: str, height: int, width: int, seed: int) -> None:
    mask = MASKS[kind](height, width, seed)
    assert mask.shape == (height, width)
    assert mask.dtype == np.bool_
    assert mask.any()
    assert not mask.all() or mask.size == 1
    np.testing.assert_array_equal(MASKS[kind](height, width, seed), mask)


@pytest.mark.parametrize("kind", sorted(MASKS))
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (1, 700), (700, 1), (3, 4000)])
def test_odd_sizes(kind: str, size: tuple[int, int]) -> None:
    for seed in range(20):
        mask = MASKS[kind](*size, seed)
        assert mask.any()
        assert not mask.all() or mask.size == 1


@pytest.mark.parametrize("kind", sorted(MASKS))
def test_size_below_one_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="at least 1x1 pixels, got 5x0"):
        MASKS[kind](0, 5, 0)


def test_seed_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="seed of 0 or more, got -1"):
        masks.brush(5, 5, -1)


# First 12 digits of the sha1 over the packed masks of seeds 0..4 at 120x200. They hold for every
# platform and for OpenCV 4 and 5; when one changes, the masks people trained with change.
FINGERPRINTS = {
    "box": "e5bb5447bbee",
    "box_or_brush": "f28c2ded5d65",
    "brush": "74a8e728e89a",
    "center": "b474a8efde00",
    "irregular": "6532b1c62d50",
    "lama_medium": "dfb5236b16b6",
    "lama_thick": "b0e217c6457d",
    "lama_thin": "027b6059c261",
}


@pytest.mark.parametrize("kind", sorted(MASKS))
def test_a_seed_gives_the_same_masks_everywhere(kind: str) -> None:
    drawn = [np.packbits(MASKS[kind](120, 200, seed)).tobytes() for seed in range(5)]
    assert hashlib.sha1(b"".join(drawn)).hexdigest()[:12] == FINGERPRINTS[kind]


@pytest.mark.parametrize("kind", sorted(set(MASKS) - {"center"}))
def test_a_generator_moves_on(kind: str) -> None:
    rng = masks.generator(0)
    drawn = [MASKS[kind](64, 64, rng) for _ in range(4)]
    assert all((a != b).any() for a, b in pairwise(drawn))


# Hole shares of the released code over 2000 samples at 256x256: mean, 5 %, median, 95 %.
@pytest.mark.parametrize(
    ("kind", "mean", "low", "median", "high"),
    [
        ("brush", 0.150, 0.034, 0.140, 0.292),
        ("box", 0.191, 0.153, 0.191, 0.231),
        ("box_or_brush", 0.309, 0.208, 0.301, 0.437),
    ],
)
def test_hole_shares_are_those_of_the_paper(
    kind: str, mean: float, low: float, median: float, high: float
) -> None:
    found = shares(kind, 1500)
    assert found.mean() == pytest.approx(mean, abs=0.006)
    assert np.quantile(found, [0.05, 0.5, 0.95]) == pytest.approx([low, median, high], abs=0.012)


@pytest.mark.parametrize(
    ("kind", "name"), [("brush", "brush"), ("box", "bbox"), ("box_or_brush", "union")]
)
def test_hole_shares_are_distributed_as_in_the_released_code(
    shared: Path, kind: str, name: str
) -> None:
    """Kolmogorov-Smirnov distance to 2000 samples of it: .052 is the 1 % level for equal laws."""
    official = np.load(shared / "official" / "masks.npz")[f"{name}_ratio_2000"]
    found = shares(kind, 2000)
    at = np.sort(np.concatenate([official, found]))
    official_below = np.searchsorted(np.sort(official), at, side="right") / official.size
    found_below = np.searchsorted(np.sort(found), at, side="right") / found.size
    assert np.abs(official_below - found_below).max() < 0.052


def test_brush_falls_where_it_falls_in_the_released_code(shared: Path) -> None:
    """How often each of 32x32 cells is hole; without its defects, left and right, top and bottom
    are alike."""
    official = np.load(shared / "official" / "masks.npz")["occupancy_32x32"]
    official = (official + official[::-1]) / 2
    official = (official + official[:, ::-1]) / 2
    rng = masks.generator(5)
    drawn = [masks.brush(256, 256, rng).reshape(32, 8, 32, 8).mean((1, 3)) for _ in range(2000)]
    found = np.mean(drawn, axis=0)
    assert np.abs(found - official).max() < 0.035
    assert np.corrcoef(found.ravel(), official.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("size", [(64, 64), (512, 512), (300, 500)])
def test_brush_share_does_not_depend_on_the_size(size: tuple[int, int]) -> None:
    assert shares("brush", 500, *size).mean() == pytest.approx(0.155, abs=0.02)


def test_brush_flips_and_fills_frames_that_are_not_square() -> None:
    rng = masks.generator(1)
    where = np.mean([masks.brush(100, 300, rng) for _ in range(600)], axis=0)
    corners = [where[:50, :150], where[50:, :150], where[:50, 150:], where[50:, 150:]]
    assert np.ptp([corner.mean() for corner in corners]) < 0.03
    assert min(corner.mean() for corner in corners) > 0.1


def test_box_is_one_rectangle_of_the_papers_size() -> None:
    for seed in range(50):
        mask = masks.box(256, 512, seed)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == rows.size * columns.size
        assert 96 <= rows.size <= 128
        assert 192 <= columns.size <= 256


def test_center_is_half_of_each_side() -> None:
    mask = masks.center(256, 128, 0)
    assert mask[64:192, 32:96].all()
    assert mask.sum() == 128 * 64


def test_lama_sets_grow_thicker_and_stay_below_half() -> None:
    """Thickness: how far the middle of the hole is from the known region."""
    thickness = {}
    for kind in ("lama_thin", "lama_medium", "lama_thick"):
        depths = []
        for seed in range(40):
            mask = MASKS[kind](256, 256, seed)
            assert hole_share(mask) <= 0.5
            depths.append(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max())
        thickness[kind] = float(np.median(depths))
    assert thickness["lama_thin"] < 20
    assert 1.4 * thickness["lama_thin"] < thickness["lama_medium"] < 0.8 * thickness["lama_thick"]


@pytest.mark.parametrize("config", [(1 / 2, 1 / 3), (0.0, 0.0), (1.5, 0.1)])
def test_impossible_boxes_are_refused(config: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="expected a box side"):
        masks.BoxConfig(*config)


@pytest.mark.parametrize("name", ["0-10", "10-20", "20-30", "30-40"])
def test_bins_hold_what_they_say(name: str) -> None:
    low, high = HOLE_BINS[name]
    for seed in range(5):
        mask = sample_in_bin(masks.brush, 64, 96, seed, low, high)
        assert low < hole_share(mask) <= high
        np.testing.assert_array_equal(mask, sample_in_bin(masks.brush, 64, 96, seed, low, high))


def test_a_bin_out_of_reach_says_what_came_instead() -> None:
    with pytest.raises(ValueError, match=r"between 50% and 60%, got none in 30 tries.*25\.0%"):
        sample_in_bin(masks.center, 64, 64, 0, 0.5, 0.6, tries=30)
    with pytest.raises(ValueError, match=r"0 <= low < high <= 1, got 0\.6 and 0\.5"):
        sample_in_bin(masks.center, 64, 64, 0, 0.6, 0.5)


@given(SIDES, SIDES, SIDES, SIDES, SEEDS)
@settings(max_examples=100, deadline=None)
def test_cutouts_lie_inside_the_frame(
    height: int, width: int, tall: int, wide: int, seed: int
) -> None:
    rgba = np.full((tall, wide, 4), 255, np.uint8)
    placement = place_cutout(rgba, height, width, seed)
    assert placement.layer.shape == (height, width, 4)
    assert placement.mask.any()
    assert not placement.mask.all() or placement.mask.size == 1
    assert (placement.layer[~placement.mask] == 0).all()
    photo = np.full((height, width, 3), 77, np.uint8)
    np.testing.assert_array_equal(placement.onto(photo)[~placement.mask], photo[~placement.mask])


def test_a_pasted_cutout_is_seen_whole_and_keeps_its_color() -> None:
    photo = np.full((200, 300, 3), 90, np.uint8)
    for seed in range(20):
        placement = place_cutout(star(), 200, 300, seed)
        pasted = placement.onto(photo)
        opaque = placement.layer[..., 3] == 255  # a thin ring when the cut-out is small
        assert opaque.sum() > 30
        assert np.abs(pasted[opaque].astype(int) - (200, 40, 90)).max() <= 2
        # The mask covers more than what changed, but is no mere box around it.
        changed = (pasted != photo).any(axis=2)
        assert not (changed & ~placement.mask).any()
        assert changed.sum() < placement.mask.sum() < 3 * changed.sum()


def test_object_masks_take_the_shape_of_the_cutout() -> None:
    alpha = star()[..., 3]
    config = masks.ObjectConfig(size=(1.0, 1.0), turn=0.0, flip=False, grow=0.0)
    rows, columns = np.nonzero(alpha >= 8)
    trimmed = alpha[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] >= 8
    side = max(trimmed.shape)
    mask = object_mask(side, side, 3, [alpha], config)
    rows, columns = np.nonzero(mask)
    found = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert abs(found.shape[1] - trimmed.shape[1]) <= 2
    assert mask.sum() == pytest.approx(trimmed.sum(), rel=0.1)


def test_wrong_cutouts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8 cut-out HW4 with alpha, got uint8 \(4, 4, 3\)"):
        place_cutout(np.zeros((4, 4, 3), np.uint8), 8, 8, 0)
    with pytest.raises(ValueError, match="fully transparent"):
        place_cutout(np.zeros((4, 4, 4), np.uint8), 8, 8, 0)
    with pytest.raises(ValueError, match="at least one cut-out"):
        object_mask(8, 8, 0, [])
    with pytest.raises(ValueError, match="expected a uint8 photo"):
        place_cutout(star(), 8, 8, 0).onto(np.zeros((8, 9, 3), np.uint8))
