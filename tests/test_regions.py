"""The boxes that are looked at around holes: few, apart, with enough to fill from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gatefill.geometry import Box, bounding_box
from gatefill.regions import KNOWN_PER_HOLE, LEAST_MARGIN, regions


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


def is_frame(box: Box, mask: np.ndarray) -> bool:
    return box == Box(0, 0, *mask.shape)


@given(masks_with_holes())
def test_boxes_hold_every_hole_with_enough_around(mask: np.ndarray) -> None:
    boxes = regions(mask)
    covered = np.zeros_like(mask)
    for box in boxes:
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


@given(masks_with_holes(), st.integers(0, 2**32 - 1))
def test_boxes_reach_the_search_region(mask: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    search = np.zeros_like(mask)
    top, left = (int(rng.integers(side)) for side in mask.shape)
    search[top : top + 40, left : left + 40] = True
    usable = search & ~mask
    for box in regions(mask, search=search):
        inside = usable[box.slices].sum()
        assert inside == usable.sum() or inside >= KNOWN_PER_HOLE * mask[box.slices].sum()


def test_far_holes_stay_apart_and_near_ones_come_together() -> None:
    mask = np.zeros((1000, 3000), bool)
    mask[500:520, 300:320] = mask[500:520, 2500:2520] = True
    assert regions(mask) == [Box(372, 172, 648, 448), Box(372, 2372, 648, 2648)]
    mask[500:520, 500:520] = True
    assert regions(mask) == [Box(372, 172, 648, 648), Box(372, 2372, 648, 2648)]


def test_the_margin_follows_the_hole() -> None:
    mask = np.zeros((3000, 3000), bool)
    mask[1300:1700, 1300:1700] = True
    assert regions(mask) == [Box(900, 900, 2100, 2100)]
    assert regions(mask, context=0.5) == [Box(1100, 1100, 1900, 1900)]
    # With no context at all, 128 pixels are too few for 400x400: the box grows by itself.
    (box,) = regions(mask, context=0.0)
    assert box.area - 160000 >= 3 * 160000


def test_thousands_of_specks_make_few_boxes() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((3000, 4000), bool)
    mask[rng.integers(0, 3000, 20000), rng.integers(0, 2000, 20000)] = True
    boxes = regions(mask)
    assert len(boxes) == 1
    assert boxes[0].right <= 2000 + 2 * LEAST_MARGIN


def test_a_wire_is_not_taken_for_a_block() -> None:
    mask = np.zeros((2000, 4000), bool)
    mask[1000:1010, 500:3500] = True
    assert regions(mask) == [Box(827, 327, 1183, 3673)]


def test_no_hole_no_box() -> None:
    assert regions(np.zeros((5, 7), bool)) == []
