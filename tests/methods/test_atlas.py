"""Many specks in one frame are filled from close by, for the price of their surroundings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatefill.methods.base import Image, Mask
from gatefill.methods.patchmatch import PatchMatch, PatchMatchConfig, planes
from gatefill.methods.patchmatch.atlas import CLOSE, MARGIN, SPECK, lay_out


def specks(height: int, width: int, side: int = 3, apart: int = 60) -> Mask:
    mask = np.zeros((height, width), bool)
    for top in range(apart // 2, height - side, apart):
        for left in range(apart // 2, width - side, apart):
            mask[top : top + side, left : left + side] = True
    return mask


def waves(height: int, width: int) -> Image:
    """Every place has its own color, so that what was copied from afar is seen."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    colors = rows / height, columns / width, 0.5 + 0.2 * np.sin(rows / 3)
    return np.stack(colors, axis=2).astype(np.float32)


@pytest.fixture
def halved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pixels of each image whose half size is computed."""
    sizes: list[int] = []
    halve = planes.halve

    def counted(image: Image, known: Mask, *args: Any) -> Any:
        sizes.append(known.size)
        return halve(image, known, *args)

    monkeypatch.setattr(planes, "halve", counted)
    return sizes


@pytest.mark.parametrize("guided", [False, True])
def test_work_follows_the_specks_and_not_the_frame(halved: list[int], guided: bool) -> None:
    work = []
    for apart in (60, 120):  # the same specks in four times the frame
        size = 6 * apart, 6 * apart
        image, mask = waves(*size), specks(*size, apart=apart)
        guides: dict[str, Any] = {"guess": image, "guide": image} if guided else {}
        halved.clear()
        PatchMatch().fill(image, mask, **guides)
        work.append(sum(halved))
    assert work[1] < 1.1 * work[0]
    assert max(halved) < 36 * (3 + 2 * MARGIN + 2) ** 2


def test_specks_are_filled_from_close_by() -> None:
    image, mask = waves(400, 500), specks(400, 500)
    spoiled = np.where(mask[..., None], np.float32(0.5), image)
    found = PatchMatch().fill(spoiled, mask)
    np.testing.assert_array_equal(found.image[~mask], spoiled[~mask])
    assert np.abs(found.image - image)[mask].mean() < 0.02
    attention = found.attention
    assert attention is not None
    np.testing.assert_array_equal(attention.target, np.argwhere(mask)[_order(attention.target)])
    rows, columns = attention.source[:, 0].T
    assert not mask[rows, columns].any()
    there = spoiled[rows, columns]
    assert np.abs(there - found.image[tuple(attention.target.T)]).mean() < 0.05


def _order(pixels: np.ndarray) -> np.ndarray:
    """For each pixel its place among all in scan order; each must be there once."""
    order = np.argsort(np.lexsort(pixels.T[::-1]))
    assert len(np.unique(pixels, axis=0)) == len(pixels)
    return np.asarray(order)


def test_only_what_may_be_copied_is() -> None:
    image, mask = waves(400, 500), specks(400, 500)
    search = np.zeros_like(mask)
    search[:, ::2] = True
    assert lay_out(mask, search) is not None
    attention = PatchMatch().fill(image, mask, search=search).attention
    assert attention is not None
    rows, columns = attention.source[:, 0].T
    assert (search & ~mask)[rows, columns].all()


def test_the_same_fill_whatever_stands_in_the_specks() -> None:
    image, mask = waves(400, 500), specks(400, 500)
    first, second = (
        PatchMatch(PatchMatchConfig(seed=1)).fill(np.where(mask[..., None], v, image), mask).image
        for v in (np.float32(0), np.float32(1))
    )
    np.testing.assert_array_equal(first, second)


def test_crops_hold_each_hole_pixel_once_and_the_margin_around_it() -> None:
    mask = specks(400, 500)
    mask[0:4, 0:4] = mask[200:203, 240 : 240 + CLOSE] = mask[399, 499] = True
    mask[210:213, 222:225] = True  # in the margin of the speck to its left, but apart from it
    atlas = lay_out(mask, np.ones_like(mask))
    assert atlas is not None
    places = atlas.places[atlas.own]
    np.testing.assert_array_equal(np.sort(places), np.flatnonzero(mask))
    numbers = np.arange(mask.size).reshape(mask.shape)
    np.testing.assert_array_equal(
        atlas.packed(numbers), np.where(atlas.places < 0, 0, atlas.places)
    )
    # Two neighbors in the atlas are neighbors in the frame, or one of them lies between crops.
    for first, second, step in (
        (atlas.places[:, :-1], atlas.places[:, 1:], 1),
        (atlas.places[:-1], atlas.places[1:], mask.shape[1]),
    ):
        both = (first >= 0) & (second >= 0)
        assert (second - first == step)[both].all()
    rows, columns = np.nonzero(atlas.own)
    for row, column in zip(rows, columns, strict=True):
        y, x = divmod(int(atlas.places[row, column]), mask.shape[1])
        up, left = min(MARGIN, y), min(MARGIN, x)
        assert atlas.places[row - up, column - left] == (y - up) * mask.shape[1] + x - left


def _with(mask: Mask, rows: slice, columns: slice) -> Mask:
    mask = mask.copy()
    mask[rows, columns] = True
    return mask


@pytest.mark.parametrize(
    "mask",
    [
        _with(specks(400, 500), slice(100, 102), slice(100, 101 + SPECK)),  # a scratch
        specks(400, 500, apart=200),  # a few
        specks(400, 500, apart=20),  # so many that their surroundings are the frame
    ],
)
def test_other_holes_are_filled_in_the_frame_as_it_is(mask: Mask) -> None:
    assert lay_out(mask, np.ones_like(mask)) is None


@pytest.mark.parametrize("turned", [False, True])
def test_a_speck_is_up_to_16_pixels_long(turned: bool) -> None:
    for length, is_speck in ((16, True), (17, False)):
        mask = _with(specks(400, 500), slice(100, 102), slice(100, 100 + length))
        mask = np.ascontiguousarray(mask.T) if turned else mask
        assert (lay_out(mask, np.ones_like(mask)) is not None) == is_speck


def test_a_speck_without_material_close_by_is_filled_in_the_frame() -> None:
    mask = specks(400, 500)
    material = np.ones_like(mask)
    material[:80, :80] = False
    assert lay_out(mask, material) is None
