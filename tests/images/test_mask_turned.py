"""Masks of photos that EXIF turns, and holes that are not seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gatefill.errors import MaskError
from gatefill.images import MaskOptions, Meta, Photo, mask_warnings, read_drawing, read_hole
from gatefill.images.mask import hidden_pixels
from tests.images.helpers import noise


def turned(orientation: int, height: int = 600, width: int = 400) -> Photo:
    return Photo(np.full((height, width, 1), 90, np.uint8), None, Meta(orientation=orientation))


def mask_of(height: int, width: int) -> Any:
    mask = np.zeros((height, width), np.uint8)
    mask[: height // 2, : width // 2] = 255
    return mask


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_for_a_photo_that_exif_turns(orientation: int) -> None:
    photo = turned(orientation)
    options = MaskOptions(resize=True)
    said = read_hole(mask_of(600, 400), photo, options).warnings
    if orientation == 1:
        assert said == ()
    else:
        assert [each.code for each in said] == ["mask.turned"]
        assert said[0].values == {"orientation": orientation, "plane": "mask"}
    # Of the shape of the stored photo, or close to it.
    for height, width, fits in (
        (400, 600, True),
        (200, 300, True),
        (400, round(600 * math.exp(0.029)), True),
        (400, round(600 * math.exp(-0.029)), True),
        (400, round(600 * math.exp(0.0315)), False),
        (400, round(600 * math.exp(-0.0315)), False),
        (300, 200, False),
    ):
        if fits and orientation >= 5:
            with pytest.raises(MaskError, match=f"is {width} x {height} and fits") as found:
                read_hole(mask_of(height, width), photo, options)
            assert found.value.code == "mask.orientation"
            assert found.value.values == {"orientation": orientation, "plane": "mask"}
        else:
            assert read_hole(mask_of(height, width), photo, options).warnings == ()
    seen = MaskOptions(seen_upright=True)
    assert read_hole(mask_of(600, 400), photo, seen).warnings == ()


def test_of_nearly_square_photos_the_shape_tells_nothing() -> None:
    photo, options = turned(6, 100, 101), MaskOptions(resize=True)
    assert read_hole(mask_of(202, 200), photo, options).warnings == ()
    with pytest.raises(MaskError, match="is 100 x 101 and fits"):
        read_hole(mask_of(101, 100), photo, options)


@pytest.mark.parametrize(("hidden", "told"), [(100, True), (99, False)])
def test_a_hole_where_nothing_is_seen(hidden: int, told: bool) -> None:
    hole = np.zeros((20, 20), bool)
    hole[5:15, 5:15] = True
    alpha = np.full((20, 20), 255, np.uint8)
    alpha[hole] = np.where(np.arange(100) < hidden, 0, 1)
    said = read_hole(hole, Photo(noise(20, 20, 3), alpha)).warnings
    assert [each.code for each in said] == (["mask.hidden"] if told else [])
    assert read_hole(np.zeros((20, 20), bool), Photo(noise(20, 20, 3), alpha)).warnings == ()


def test_known_pixels_of_which_the_color_is_not_seen() -> None:
    hole = np.zeros((6, 8), bool)
    hole[1:3, 1:3] = True
    pixels, alpha = noise(6, 8, 3), np.full((6, 8), 255, np.uint8)
    assert hidden_pixels(Photo(pixels), hole) is None
    alpha[hole] = 0  # those are filled
    assert hidden_pixels(Photo(pixels, alpha), hole) is None
    alpha[4] = 0
    alpha[5] = 1
    hidden = hidden_pixels(Photo(pixels, alpha), hole)
    assert hidden is not None
    assert (hidden == (np.arange(6)[:, None] == 4).repeat(8, 1)).all()
    assert hidden_pixels(Photo(pixels, alpha), np.zeros((6, 8), bool)) is None
    alpha[~hole] = 0
    with pytest.raises(MaskError, match="to fill from") as found:
        hidden_pixels(Photo(pixels, alpha), hole)
    assert found.value.code == "mask.all_hole"


def test_sizes_that_differ_are_told() -> None:
    photo = Photo(noise(6, 8, 3))
    for read in (read_hole, lambda mask, photo: read_drawing(mask, photo, "sketch")):
        with pytest.raises(MaskError, match=r"is 5 x 7 and .* 8 x 6") as found:
            read(mask_of(7, 5), photo)
        assert found.value.code == "mask.size"
        assert found.value.values == {
            "plane": "mask" if read is read_hole else "sketch",
            **{"width": 5, "height": 7, "photo_width": 8, "photo_height": 6},
        }
    with pytest.raises(MaskError, match=r"\(6, 8\), got \(7, 5\)") as other:
        mask_warnings(photo, np.zeros((7, 5), bool))
    assert other.value.values == {"plane": "mask", "shape": [7, 5]}
