"""The boxes that are looked at around holes: few, apart, with enough to fill from."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.geometry import Box, bounding_box, merge_overlapping
from gatefill.regions import KNOWN_PER_HOLE, LEAST_MARGIN, SPECK_MARGIN, regions


@st.composite
def masks_with_holes(draw: st.DrawFn) -> np.ndarray:
    """Up to six boxes and specks in a frame of up to 900 pixels."""
    height, width = draw(st.integers(1, 900)), draw(st.integers(1, 900))
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(1, 6))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        tall, wide = draw(st.integers(1, 120)), draw(st.integers(1, 120))
        mask[top : top + tall, left : left + wide] = True
    return mask


def boxes(mask: np.ndarray, *args: Any, **options: Any) -> list[Box]:
    """The boxes of regions of which each fills all holes in it."""
    found = regions(mask, *args, **options)
    assert all(region.numbers is None for region in found)
    return [region.box for region in found]


def is_frame(box: Box, mask: np.ndarray) -> bool:
    return box == Box(0, 0, *mask.shape)


@given(masks_with_holes())
def test_boxes_hold_every_hole_with_enough_around(mask: np.ndarray) -> None:
    covered, filled = np.zeros_like(mask), np.zeros(mask.shape, int)
    for region in regions(mask):
        box = region.box
        filled[box.slices] += region.own(mask)
        assert 0 <= box.top < box.bottom <= mask.shape[0]
        assert 0 <= box.left < box.right <= mask.shape[1]
        assert not covered[box.slices].any(), "boxes overlap"
        covered[box.slices] = True
        part = mask[box.slices]
        known = part.size - part.sum()
        assert known >= KNOWN_PER_HOLE * part.sum() or is_frame(box, mask)
        hole = bounding_box(part)
        assert hole is not None
        margins = [hole.top, hole.left, part.shape[0] - hole.bottom, part.shape[1] - hole.right]
        ends = [box.top == 0, box.left == 0]
        ends += [box.bottom == mask.shape[0], box.right == mask.shape[1]]
        assert all(m >= LEAST_MARGIN or end for m, end in zip(margins, ends, strict=True))
    assert covered[mask].all()
    np.testing.assert_array_equal(filled, mask)


@given(masks_with_holes(), st.integers(0, 2**32 - 1))
def test_boxes_reach_the_search_region(mask: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    search = np.zeros_like(mask)
    top, left = (int(rng.integers(side)) for side in mask.shape)
    search[top : top + 40, left : left + 40] = True
    usable = search & ~mask
    for box in boxes(mask, search=search):
        inside = usable[box.slices].sum()
        assert inside == usable.sum() or inside >= KNOWN_PER_HOLE * mask[box.slices].sum()


def test_far_holes_stay_apart_and_near_ones_come_together() -> None:
    mask = np.zeros((1000, 3000), bool)
    mask[500:520, 300:320] = mask[500:520, 2500:2520] = True
    assert boxes(mask) == [Box(372, 172, 648, 448), Box(372, 2372, 648, 2648)]
    mask[500:520, 500:520] = True
    assert boxes(mask) == [Box(372, 172, 648, 648), Box(372, 2372, 648, 2648)]


def test_the_margin_follows_the_hole() -> None:
    mask = np.zeros((3000, 3000), bool)
    mask[1300:1700, 1300:1700] = True
    assert boxes(mask) == [Box(900, 900, 2100, 2100)]
    assert boxes(mask, context=0.5) == [Box(1100, 1100, 1900, 1900)]
    # With no context at all, 128 pixels are too few for 400x400: the box grows by itself.
    (box,) = boxes(mask, context=0.0)
    assert box.area - 160000 >= 3 * 160000


def scattered(height: int, width: int, count: int, side: int = 3) -> np.ndarray:
    """A mask with so many square specks."""
    rng = np.random.default_rng(0)
    mask = np.zeros((height, width), bool)
    for top, left in zip(
        rng.integers(height - side, size=count), rng.integers(width - side, size=count), strict=True
    ):
        mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize("count", [1200, 12000])
def test_scattered_specks_are_worked_off_in_tiles(count: int) -> None:
    mask = scattered(2000, 3000, count)
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    parts = regions(mask)
    filled = np.zeros(mask.shape, int)
    for region in parts:
        own = region.own(mask)
        filled[region.box.slices] += own
        assert region.box.area <= 1000 * 1000
        # No speck is parted between two regions, and all have known pixels around them.
        here = labels[region.box.slices]
        assert not np.intersect1d(here[own], here[mask[region.box.slices] & ~own]).size
        hole = bounding_box(own)
        assert hole is not None
        assert hole.grown(SPECK_MARGIN, *own.shape).area >= hole.area
        margins = [hole.top, own.shape[0] - hole.bottom, hole.left, own.shape[1] - hole.right]
        box = region.box
        ends = [box.top == 0, box.bottom == 2000, box.left == 0, box.right == 3000]
        assert all(m >= SPECK_MARGIN or end for m, end in zip(margins, ends, strict=True))
    np.testing.assert_array_equal(filled, mask)
    assert sum(region.box.area for region in parts) <= 2.5 * mask.size


def test_dust_does_not_widen_a_large_hole() -> None:
    mask = scattered(2000, 3000, 1200)
    mask[800:1100, 1200:1500] = True
    large = regions(mask)[0]
    assert large.own(mask).sum() >= 300 * 300
    assert large.box.area <= 950 * 950


def test_a_cloud_of_dust_in_a_corner_leaves_the_photo_alone() -> None:
    mask = np.zeros((3000, 4000), bool)
    mask[:, :2000] = scattered(3000, 2000, 20000, side=1)
    parts = regions(mask)
    assert len(parts) > 10
    assert max(region.box.right for region in parts) <= 2000 + 2 * LEAST_MARGIN


def test_a_wire_is_not_taken_for_a_block() -> None:
    mask = np.zeros((2000, 4000), bool)
    mask[1000:1010, 500:3500] = True
    assert boxes(mask) == [Box(827, 327, 1183, 3673)]


def test_no_hole_no_box() -> None:
    assert boxes(np.zeros((5, 7), bool)) == []


def test_boxes_that_only_touch_stay_apart() -> None:
    above, below, beside = Box(0, 0, 4, 4), Box(4, 0, 8, 4), Box(0, 4, 4, 8)
    for boxes in ([above, below, beside], [beside, below, above]):
        assert merge_overlapping(boxes) == boxes
    assert merge_overlapping([above, Box(3, 0, 8, 4)]) == [Box(0, 0, 8, 4)]
