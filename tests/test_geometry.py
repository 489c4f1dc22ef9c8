"""Boxes and padding against what they say, written out place by place."""

from __future__ import annotations

import numpy as np
import pytest

from gatefill.geometry import Box, bounding_box, component_boxes, merge_overlapping, pad_to_multiple


def test_a_box_says_its_sides_and_its_part_of_an_array() -> None:
    box = Box(2, 3, 7, 11)
    assert (box.height, box.width, box.area) == (5, 8, 40)
    places = np.arange(20 * 30).reshape(20, 30)
    np.testing.assert_array_equal(places[box.slices], places[2:7, 3:11])


def test_a_box_grows_on_all_sides_and_is_cut_at_the_frame() -> None:
    box = Box(10, 20, 30, 50)
    assert box.grown(3, 100, 200) == Box(7, 17, 33, 53)
    assert box.grown(10, 100, 200) == Box(0, 10, 40, 60)
    assert box.grown(15, 40, 60) == Box(0, 5, 40, 60)
    assert box.grown(0, 100, 200) == box
    assert box.moved(1, -2) == Box(11, 18, 31, 48)


@pytest.mark.parametrize(
    ("other", "shares"),
    [
        (Box(0, 0, 11, 21), True),  # one pixel
        (Box(0, 0, 10, 21), False),
        (Box(0, 0, 11, 20), False),
        (Box(29, 49, 60, 60), True),
        (Box(30, 49, 60, 60), False),
        (Box(29, 50, 60, 60), False),
        (Box(15, 25, 16, 26), True),  # inside
        (Box(0, 0, 60, 60), True),  # around it
        (Box(15, 0, 16, 60), True),  # across
    ],
)
def test_boxes_overlap_where_they_share_a_pixel(other: Box, shares: bool) -> None:
    box = Box(10, 20, 30, 50)
    assert box.overlaps(other) == other.overlaps(box) == shares


def test_the_union_is_the_smallest_box_around_both() -> None:
    one, other = Box(1, 20, 3, 30), Box(10, 2, 12, 25)
    assert one.union(other) == other.union(one) == Box(1, 2, 12, 30)


def test_the_boxes_of_holes_that_touch_at_a_corner_are_one() -> None:
    mask = np.zeros((12, 20), bool)
    mask[1, 2] = mask[2, 3] = mask[3, 4] = True
    mask[3, 9:12] = True
    mask[8:11, 1] = True
    assert component_boxes(mask) == [Box(1, 2, 4, 5), Box(3, 9, 4, 12), Box(8, 1, 11, 2)]
    assert bounding_box(mask) == Box(1, 1, 11, 12)
    assert bounding_box(np.zeros((4, 5), bool)) is None
    assert component_boxes(np.zeros((4, 5), bool)) == []


def test_overlapping_boxes_become_one_through_a_third() -> None:
    one, other, far = Box(0, 0, 4, 4), Box(0, 10, 4, 14), Box(20, 20, 24, 24)
    across = Box(1, 3, 3, 11)
    assert merge_overlapping([one, other, far]) == [one, other, far]
    assert merge_overlapping([one, other, far, across]) == [far, Box(0, 0, 4, 14)]


def padded(side: int, multiple: int) -> list[int]:
    """Which of `side` places stands at each place of a padded side."""
    length = -(-side // multiple) * multiple
    return [
        place if place < side else max(2 * (side - 1) - place, 0) if place < 2 * side - 1 else 0
        for place in range(length)
    ]


@pytest.mark.parametrize("multiple", [1, 4, 8])
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (7, 3), (2, 9), (8, 5), (5, 8), (8, 16), (1, 6)])
@pytest.mark.parametrize("channels", [(), (3,), (2, 2)])
def test_padding_mirrors_as_far_as_it_reaches_and_repeats_the_edge(
    shape: tuple[int, int], multiple: int, channels: tuple[int, ...]
) -> None:
    array = np.arange(np.prod([*shape, *channels])).reshape(*shape, *channels)
    rows, columns = (padded(side, multiple) for side in shape)
    np.testing.assert_array_equal(pad_to_multiple(array, multiple), array[rows][:, columns])
