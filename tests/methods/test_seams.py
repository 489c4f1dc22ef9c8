"""Seams between copied parts go; texture, edges between materials and all that is known stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gatefill.methods.base import Image, Mask
from gatefill.methods.patchmatch.seams import HOLD, LARGEST_SEAM, seam_change

Plane = NDArray[np.int32]
SIDE, TOP, LEFT, RIGHT = 96, 32, 24, 72  # a frame, and the hole in it from TOP to 2 TOP
MIDDLE = (LEFT + RIGHT) // 2


def textured(seed: int = 0) -> Image:
    noise = np.random.default_rng(seed).normal(0, 0.02, (SIDE, SIDE, 3))
    return (0.5 + noise).astype(np.float32)


def copied(photo: Image, lift: float) -> tuple[Image, Mask, Plane, Plane]:
    """A hole copied from above in its left half, from below in its right; below is lighter."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[TOP : 2 * TOP, LEFT:RIGHT] = True
    photo = photo.copy()
    photo[2 * TOP :] += np.float32(lift)
    copied_y, copied_x = np.full((2, SIDE, SIDE), -1, np.int32)
    ys, xs = np.nonzero(mask)
    copied_y[ys, xs] = np.where(xs < MIDDLE, ys - TOP, ys + TOP)
    copied_x[ys, xs] = xs
    photo[ys, xs] = photo[copied_y[ys, xs], xs]
    return photo, mask, copied_y, copied_x


def seam(frame: Image) -> float:
    """The step at the seam in the middle of the hole, free of texture."""
    rows = slice(TOP + 8, 2 * TOP - 8)
    return float((frame[rows, MIDDLE] - frame[rows, MIDDLE - 1]).mean())


def blended(frame: Image, mask: Mask, copied_y: Plane, copied_x: Plane) -> Image:
    after = frame.copy()
    after[mask] += seam_change(frame, mask, copied_y, copied_x)
    return after


def test_a_change_of_light_between_two_copies_is_spread() -> None:
    frame, *rest = copied(textured(), lift=0.08)
    after = blended(frame, *rest)
    assert seam(frame) == pytest.approx(0.08, abs=0.01)
    assert abs(seam(after)) < 0.02
    # no other step of that size has come up instead
    rows = slice(TOP + 8, 2 * TOP - 8)
    steps = np.diff(after[rows, LEFT:RIGHT].mean(axis=(0, 2)))
    assert np.abs(steps).max() < 0.025


def test_texture_stays() -> None:
    frame, mask, *rest = copied(textured(), lift=0.08)
    after = blended(frame, mask, *rest)
    rows, columns = slice(TOP + 4, 2 * TOP - 4), slice(LEFT + 4, MIDDLE - 4)

    def energy(image: Image) -> float:
        return float(np.diff(image[rows, columns], axis=1).std())

    assert energy(after) == pytest.approx(energy(frame), rel=0.05)


def test_an_edge_between_materials_stays() -> None:
    frame, mask, *rest = copied(np.full((SIDE, SIDE, 3), 0.2, np.float32), 0.32)
    after = blended(frame, mask, *rest)
    inner = slice(TOP + 1, 2 * TOP - 1), slice(MIDDLE - 8, MIDDLE + 8)
    np.testing.assert_array_equal(after[inner], frame[inner])


def test_one_copy_is_left_as_it_is() -> None:
    """Steps inside the hole are those of the source already; at the rim the photo goes on."""
    tile = np.random.default_rng(1).random((32, 32, 3), dtype=np.float32)
    photo = np.tile(tile, (3, 3, 1))
    mask = np.zeros((96, 96), bool)
    mask[32:64, 20:76] = True
    ys, xs = np.indices(mask.shape, np.int32)
    change = seam_change(photo, mask, np.where(mask, ys - 32, -1), np.where(mask, xs, -1))
    np.testing.assert_allclose(change, 0, atol=1e-5)


@pytest.mark.parametrize("size", [(40, 90), (90, 40)])
@pytest.mark.parametrize("corner", [(0, 0), (0, -24), (-24, 0), (-24, -24)])
def test_at_every_border_of_the_photo_the_change_is_no_larger_than_the_seams(
    size: tuple[int, int], corner: tuple[int, int]
) -> None:
    photo = np.random.default_rng(2).random((*size, 3), dtype=np.float32) * np.float32(0.1)
    mask = np.zeros(size, bool)
    top, left = (each % length for each, length in zip(corner, size, strict=True))
    mask[top : top + 24, left : left + 24] = True
    ys, xs = np.indices(size, np.int32)
    down = -30 if top else 30  # in stripes, each copied from elsewhere
    copied_y = np.where(mask, np.clip(ys + down + xs // 6 % 2 * 5, 0, size[0] - 1), -1)
    copied_x = np.where(mask, xs // 6 * 6 + np.minimum(xs % 6, 5) * (1 if left else -1) % 30, -1)
    copied_x = np.minimum(copied_x, size[1] - 1)
    change = seam_change(photo, mask, copied_y.astype(np.int32), copied_x.astype(np.int32))
    assert 0.02 < np.abs(change).max() < 0.2


def literal_change(photo: Image, mask: Mask, copied_y: Plane, copied_x: Plane) -> Image:
    """The same as a system of equations, of which each is written out."""
    places = [(int(y), int(x)) for y, x in np.argwhere(mask)]
    equations, wanted = np.zeros((len(places),) * 2), np.zeros((len(places), 3))

    def inside(place: tuple[int, int]) -> bool:
        return 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]

    for number, (y, x) in enumerate(places):
        equations[number, number] = HOLD
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            beside = y + down, x + right
            if not inside(beside):
                continue
            equations[number, number] += 1
            if mask[beside]:
                equations[number, places.index(beside)] -= 1
            steps = []  # where this pixel is from, and where the one beside it is from
            for at, forth in (((y, x), 1), (beside, -1)):
                here = int(copied_y[at]), int(copied_x[at])
                there = here[0] + forth * down, here[1] + forth * right
                if here[0] >= 0 and inside(there) and not mask[there]:
                    steps.append(forth * (photo[here] - photo[there]))
            if steps:
                larger = np.where(abs(steps[0]) > abs(steps[-1]), steps[0], steps[-1])
                mean = (steps[0] + steps[-1]) / 2
                step = np.where(steps[0] * steps[-1] > 0, larger, mean)
                change = step - (photo[y, x] - photo[beside])
                share = max(0, 1 - (np.abs(change).max() / LARGEST_SEAM) ** 4)
                wanted[number] += share * change
    return np.asarray(np.linalg.solve(equations, wanted), np.float32)


@pytest.mark.parametrize("corner", [(3, 4), (0, 0), (5, 7)])
@pytest.mark.parametrize("contrast", [0.1, 0.3])
def test_the_change_is_what_the_equations_say(corner: tuple[int, int], contrast: float) -> None:
    dice = np.random.default_rng(3)
    photo = (0.5 + contrast * (dice.random((13, 17, 3)) - 0.5)).astype(np.float32)
    mask = np.zeros(photo.shape[:2], bool)
    mask[corner[0] : corner[0] + 8, corner[1] : corner[1] + 10] = True
    known, targets = np.argwhere(~mask), mask & (dice.random(mask.shape) < 0.9)
    copied_y, copied_x = np.full((2, *mask.shape), -1, np.int32)
    copied_y[targets], copied_x[targets] = known[dice.integers(0, len(known), targets.sum())].T
    wanted = literal_change(photo, mask, copied_y, copied_x)
    assert np.abs(wanted).max() > 0.02
    found = seam_change(photo, mask, copied_y, copied_x)
    np.testing.assert_allclose(found, wanted, atol=1 / 255, err_msg="below a gray level")


@given(data=st.data())
def test_any_hole_and_any_source(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 24)), data.draw(st.integers(1, 24))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    photo = random.random((height, width, 3), dtype=np.float32)
    mask = random.random((height, width)) < data.draw(st.floats(0, 1))
    copied_y, copied_x = np.full((2, height, width), -1, np.int32)
    known = np.argwhere(~mask)
    if len(known):
        some = random.random((height, width)) < 0.8  # others have no source
        copied_y[some], copied_x[some] = known[random.integers(0, len(known), some.sum())].T
    before = photo.copy()
    change = seam_change(photo, mask, copied_y, copied_x)
    np.testing.assert_array_equal(photo, before)
    assert change.shape == (mask.sum(), 3)
    # no more than a seam at every step from border to border
    assert np.abs(change).max(initial=0) < LARGEST_SEAM * (height + width)
