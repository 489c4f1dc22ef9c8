"""Which pixels along a hole's edge decide whether a rim of something is left around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gatefill.images import Photo, mask_warnings
from gatefill.images.mask_check import rim_share

HOLE = 50  # columns at the left
LINES = 100  # rows that are examined
ENDS = 6  # rows too close to the corners: their lines leave the photo
STEPS = 14  # columns at the right of the hole


def beside_a_hole(profile: Any, height: int = LINES + ENDS) -> tuple[NDArray[Any], Any]:
    """Gray pixels with a hole at the left, and values at 1, 2, ... steps from it in every row."""
    pixels = np.zeros((height, HOLE + len(profile), 1), np.uint8)
    pixels[:, HOLE:, 0] = profile
    mask = np.zeros(pixels.shape[:2], bool)
    mask[:, :HOLE] = True
    return pixels, mask


def share_of(profile: Any, height: int = LINES + ENDS) -> float:
    pixels, mask = beside_a_hole(profile, height)
    return rim_share(Photo(pixels), mask)


def steps(**values: int) -> NDArray[np.uint8]:
    """Values at the steps that are compared: `near` 1 and 2, `beyond` 5 to 7, `far` 9 to 11."""
    profile = np.zeros(STEPS, np.uint8)
    for name, part in {"near": slice(2), "beyond": slice(4, 7), "far": slice(8, 11)}.items():
        profile[part] = values.get(name, 0)
    return profile


@pytest.mark.parametrize(
    ("near", "expected"),
    [
        (0, [1, 1, 0, 0, 0, 0, 0, 0, -1, -1, -1, 0, 0, 0]),
        (102, [1, 1, 1, 1, -1, -1, -1, 1, 0, 0, 0, 1, 1, 1]),
    ],
)
@pytest.mark.parametrize("negative", [False, True])
def test_which_steps_are_compared(near: int, expected: list[int], negative: bool) -> None:
    found = []
    for step in range(STEPS):
        profile = steps(near=near)
        profile[step] = 255
        found.append(share_of(255 - profile if negative else profile))
    assert found == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # The smallest change is 0.06 of 255, which is 15.3.
        *(({"near": 15}, 0), ({"near": 16}, 1), ({"far": 15}, 0), ({"far": 16}, -1)),
        # The larger change is more than two times the smaller one.
        ({"near": 161, "beyond": 100, "far": 130}, 1),
        ({"near": 159, "beyond": 100, "far": 130}, 0),
        ({"near": 130, "beyond": 100, "far": 161}, -1),
        ({"near": 130, "beyond": 100, "far": 159}, 0),
        *(({"near": 128, "far": 64}, 0), ({"near": 64, "far": 128}, 0)),
        *(({"near": 129, "far": 64}, 1), ({"near": 64, "far": 129}, -1)),
    ],
)
def test_how_much_colors_have_to_change(values: dict[str, int], expected: int) -> None:
    assert share_of(steps(**values)) == expected


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_change_of_one_channel_is_enough(channel: int, dtype: Any) -> None:
    for profile, expected in ((steps(near=16), 1), (steps(far=16), -1), (steps(near=15), 0)):
        pixels, mask = beside_a_hole(profile)
        color = np.full((*mask.shape, 3), 99, dtype)
        color[..., channel] = pixels[..., 0]
        color = color * dtype(np.iinfo(dtype).max // 255)
        assert rim_share(Photo(color), mask) == expected


def test_a_quarter_of_the_hole_may_look_like_a_rim() -> None:
    for rows, expected in ((25, []), (26, ["mask.rim"])):
        pixels, mask = beside_a_hole(steps(near=90))
        pixels[20 + rows :] = 0
        pixels[:20] = 0
        assert rim_share(Photo(pixels), mask) == rows / LINES
        wider = np.pad(pixels, ((0, 0), (0, 50), (0, 0)))  # that the hole is no large part
        assert [
            each.code for each in mask_warnings(Photo(wider), np.pad(mask, ((0, 0), (0, 50))))
        ] == expected


@pytest.mark.parametrize("columns", [69, 70, 71])
def test_a_hole_of_more_than_7_tenths_may_be_inverted(columns: int) -> None:
    mask = np.zeros((40, 100), bool)
    mask[:, :columns] = True
    found = mask_warnings(Photo(np.zeros((40, 100, 3), np.uint8)), mask)
    assert [each.values for each in found] == ([{"percent": 71}] if columns > 70 else [])


def test_a_hole_needs_20_lines() -> None:
    assert share_of(steps(near=90), 19 + ENDS) == 0
    assert share_of(steps(near=90), 20 + ENDS) == 1


def test_the_direction_of_an_edge_is_that_of_4_points_on_each_side() -> None:
    # The lines closest to the corners lean outwards by one pixel in 7.
    pixels, mask = beside_a_hole(steps(near=102))
    for row in (0, -1):
        pixels[row, HOLE + 8 :] = 255
    assert rim_share(Photo(pixels), mask) == 1
    pixels[1, HOLE + 8 :] = 255
    assert rim_share(Photo(pixels), mask) == pytest.approx(1 - 1 / LINES)


@pytest.mark.parametrize("turns", range(4))
def test_lines_may_end_at_the_last_pixel(turns: int) -> None:
    for columns, expected in ((10, 0), (11, 1)):
        pixels, mask = beside_a_hole(steps(near=90)[:columns])
        turned = np.rot90(pixels, turns).copy(), np.rot90(mask, turns).copy()
        assert rim_share(Photo(turned[0]), turned[1]) == expected


@pytest.mark.parametrize("thickness", [1, 2, 3])
def test_a_hole_of_one_pixel_has_no_side(thickness: int) -> None:
    pixels, mask = beside_a_hole(steps(near=90))
    mask[:, : HOLE - thickness] = False
    share = rim_share(Photo(pixels), mask)
    assert share == 0 if thickness == 1 else share > 0.4


def test_another_hole_hides_what_is_in_its_way() -> None:
    for step in range(1, STEPS):
        pixels, mask = beside_a_hole(steps(near=90))
        mask[:, HOLE + step] = True  # too thin to have sides of its own
        assert rim_share(Photo(pixels), mask) == (1 if step > 10 else 0)


def speckles(shape: list[str], color: int) -> float:
    """The share around 36 small holes, with a thin rim of a color around each."""
    hole = np.array([[each == "#" for each in row] for row in shape])
    height, width = hole.shape
    cell, colors = np.zeros((30, 30), bool), np.zeros((30, 30, 1), np.uint8)
    cell[13 : 13 + height, 13 : 13 + width] = hole
    colors[11 : 15 + height, 11 : 15 + width] = color
    return rim_share(Photo(np.tile(colors, (6, 6, 1))), np.tile(cell, (6, 6)))


def test_contours_of_8_points_and_fewer_have_no_direction() -> None:
    for shape in (["#"], ["##", "#."], ["##", "##"], ["##", "##", "#."], ["###", "###", "###"]):
        assert speckles(shape, 200) == 0
    assert speckles(["#.##", "##.."], 200) == 0  # some points would seem to have one
    assert speckles(["####", "####", "####"], 200) > 0.5  # 10 points
    assert speckles([".###", "####", "####"], 200) > 0.5  # 9 points


def test_of_more_than_20_000_points_some_are_examined() -> None:
    for height, cut, all_lines in ((9951, False, True), (9952, True, False), (9952, False, False)):
        pixels, mask = beside_a_hole(steps(near=90), height)
        mask[:, : HOLE - 45] = True
        pixels, mask = np.pad(pixels, ((0, 0), (1, 0), (0, 0))), np.pad(mask, ((0, 0), (1, 0)))
        mask[:, 0] = True  # around the hole: 2 (height + 51) - 4 points
        mask[0, 0] = not cut  # one point fewer
        pixels[::2] = 0  # every other line has a rim
        share = rim_share(Photo(pixels), mask)
        assert share == pytest.approx(0.5, abs=0.01) if all_lines else share in (0, 1)


def test_noise_of_more_than_500_000_changes_has_no_rim() -> None:
    pixels, mask = beside_a_hole(steps(near=90), 800)
    pixels, mask = np.pad(pixels, ((0, 0), (0, 1100), (0, 0))), np.pad(mask, ((0, 0), (0, 1100)))
    mask[:499, 100:1100:2] = True
    mask[499, 100:300:2] = True
    assert np.count_nonzero(mask[:, 1:] != mask[:, :-1]) == 500_000
    assert rim_share(Photo(pixels), mask) > 0.5
    mask[600, -1] = True
    assert np.count_nonzero(mask[:, 1:] != mask[:, :-1]) == 500_001
    assert rim_share(Photo(pixels), mask) == 0
