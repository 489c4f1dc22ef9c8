"""The boxes that are looked at around holes: few, apart, with enough to fill from."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.geometry import Box, bounding_box, merge_overlapping
from gatefill.holes import LEAST_MARGIN, SPECK_MARGIN, TILE
from gatefill.regions import KNOWN_PER_HOLE, regions


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


def test_a_region_has_the_size_of_its_box() -> None:
    mask = np.zeros((600, 900), bool)
    mask[300:310, 400:440] = True
    (region,) = regions(mask)
    assert mask[region.box.slices].shape == (region.height, region.width)
    assert region.height < region.width


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


@pytest.mark.parametrize(
    ("tall", "wide", "margin"),
    [
        (250, 250, 128),  # 193,536 known pixels around 62,500
        (300, 300, 128 + 140),  # 219,136 around 90,000: a quarter of 556, and one, more
        (600, 300, 128 + 215),  # a quarter of the longer side
        (300, 600, 128 + 215),
    ],
)
def test_a_box_grows_until_it_has_three_known_pixels_for_each_of_the_hole(
    tall: int, wide: int, margin: int
) -> None:
    mask = np.zeros((3000, 3000), bool)
    mask[1000 : 1000 + tall, 1200 : 1200 + wide] = True
    hole = Box(1000, 1200, 1000 + tall, 1200 + wide)
    assert boxes(mask, context=0.0) == [hole.grown(margin, 3000, 3000)]


def test_a_box_with_too_little_to_copy_from_is_stretched_to_all_there_is() -> None:
    mask, search = np.zeros((2, 2000, 2000), bool)
    mask[300:340, 300:340] = True
    search[1500:1510, 1700:1720] = True
    assert boxes(mask, search=search) == [Box(172, 172, 1510, 1720)]
    search[180:280, 180:280] = True  # enough of it is near
    assert boxes(mask, search=search) == [Box(172, 172, 468, 468)]


def specks_in_a_row(*places: int) -> np.ndarray:
    """3 x 3 pixels each, at these columns of row 1500; and far specks that make the box large."""
    mask = np.zeros((3000, 3000), bool)
    for place in places:
        mask[1500:1503, place : place + 3] = True
    return mask


def box_of(first: int, last: int) -> Box:
    return Box(1500 - SPECK_MARGIN, first - SPECK_MARGIN, 1503 + SPECK_MARGIN, last + 3 + 64)


@pytest.mark.parametrize("turned", [False, True])
def test_specks_share_the_tiles_that_their_centers_are_in(turned: bool) -> None:
    mask = specks_in_a_row(*range(100, 2901, 200))
    found = regions(mask.T if turned else mask)
    # The box around all starts at column 0, so that the tiles end at multiples of 512.
    ends = [(100, 500), (700, 900), (1100, 1500), (1700, 1900), (2100, 2500), (2700, 2900)]
    wanted = [box_of(*each) for each in ends]
    if turned:
        wanted = [Box(box.left, box.top, box.right, box.bottom) for box in wanted]
    assert sorted((region.box for region in found), key=lambda box: (box.top, box.left)) == wanted
    held = [int(region.own(mask.T if turned else mask).sum()) // 9 for region in found]
    assert held == sorted(held, reverse=True), "large ones first"
    assert sum(held) == 15


def test_tiles_are_joined_where_one_box_costs_no_more_than_two() -> None:
    far = [100, 300, 780, *range(1000, 2801, 200)]
    apart, joined = specks_in_a_row(*far, 440, 580), specks_in_a_row(*far, 460, 540)
    # Two tiles meet at column 512: 440 and 580 are in boxes that overlap less than they add.
    assert box_of(100, 440) in [region.box for region in regions(apart)]
    assert box_of(580, 1000) in [region.box for region in regions(apart)]
    assert box_of(100, 1000) in [region.box for region in regions(joined)]


@pytest.mark.parametrize(
    ("side", "distance", "number"),
    [
        (200, 300, 1),  # 900 x 600 pixels: no more than a tile
        (200, 420, 2),  # 1,020 x 600, 85 % of the two
        (300, 350, 1),  # 1,250 x 900, 69 % of the two
    ],
)
def test_large_boxes_are_joined_where_that_saves_a_quarter(
    side: int, distance: int, number: int
) -> None:
    mask = np.zeros((3000, 3000), bool)
    for left in (1000, 1000 + distance):
        mask[1000 : 1000 + side, left : left + side] = True
    mask[1900:1903, 1300:1303] = True  # a third one, so that the box around all is no region
    mask[1600:1603, 1300:1303] = True
    with_large = [region for region in regions(mask) if region.own(mask).sum() >= side * side]
    assert len(with_large) == number


@pytest.mark.parametrize(("distance", "number"), [(350, 1), (420, 2)])
def test_two_holes_are_as_good_a_reason_to_split_a_box_as_many(distance: int, number: int) -> None:
    mask = np.zeros((3000, 3000), bool)
    for left in (1000, 1000 + distance):
        mask[1000:1200, left : left + 200] = True
    found = regions(mask)
    assert len(found) == number
    for region in found:
        box = region.box
        assert (box.top, box.bottom, box.height) == (800, 1400, 600)
        assert region.own(mask).sum() == 200 * 200 * 2 // number
    assert {region.box.left for region in found} == ({800} if number == 1 else {800, 1220})


@pytest.mark.parametrize(("distance", "number"), [(370, 1), (380, 2)])
def test_a_box_of_up_to_768_x_768_pixels_is_not_split(distance: int, number: int) -> None:
    mask = np.zeros((2000, 2000), bool)
    for first in (500, 500 + distance):  # boxes of 390 x 390 that share a corner
        mask[first : first + 130, first : first + 130] = True
    found = regions(mask)
    assert len(found) == number
    assert found[0].box.area == (390 + distance if number == 1 else 390) ** 2


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


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])  # many specks; some large; one through it all
def test_noise_is_worked_off_in_tiles(share: float) -> None:
    mask = np.random.default_rng(0).random((1500, 2000)) < share
    filled = np.zeros(mask.shape, int)
    for region in regions(mask):
        filled[region.box.slices] += region.own(mask)
        assert region.box.area <= (TILE + 3 * LEAST_MARGIN) ** 2
    np.testing.assert_array_equal(filled, mask)


def test_a_thick_hole_in_noise_stays_whole() -> None:
    mask = np.random.default_rng(0).random((1500, 2000)) < 0.3
    mask[600:1000, 700:1300] = True
    first, *tiles = regions(mask)
    own = np.zeros_like(mask)
    own[first.box.slices] = first.own(mask)
    assert own[600:1000, 700:1300].all()
    assert len(tiles) > 5


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
