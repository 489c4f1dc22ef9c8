"""Where one reading of a mask ends and the other begins: every limit from both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatefill.errors import ConfigError, MaskError
from gatefill.images import MaskOptions, Photo, mask_warnings, read_hole, read_mask
from gatefill.images.mask_check import rim_share
from tests.images.helpers import noise

SIDE = 40
PHOTO = Photo(noise(SIDE, SIDE, 3))


def codes(mask: Any, photo: Photo = PHOTO, **options: Any) -> list[str]:
    return [each.code for each in read_hole(mask, photo, MaskOptions(**options)).warnings]


@pytest.mark.parametrize("threshold", [0, 1, 126, 127, 128, 253, 254])
@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "f4", "f8"])
def test_values_above_the_threshold_are_hole(kind: str, threshold: int) -> None:
    levels = np.arange(256).repeat(2).reshape(2, 256, order="F")
    scale = {"u1": 1, "u2": 257, "i4": 257, "f4": 1 / 255, "f8": 1 / 255}[kind]
    mask = (levels * scale).astype(kind)
    photo = Photo(noise(2, 256, 3))
    hole = read_mask(mask, photo, threshold=threshold)
    assert (hole == (levels > threshold)).all()
    if kind == "u2":  # halfway between two levels of 8 bits
        half = np.where(levels > 0, threshold * 257 + 129, threshold * 257 + 128).astype(kind)
        half[0, 0] = 65535
        expected = levels > 0
        expected[0, 0] = True
        assert (read_mask(half, photo, threshold=threshold) == expected).all()


def test_thresholds_out_of_range_are_refused() -> None:
    for threshold in (-1, 255):
        with pytest.raises(ConfigError, match="from 0 to 254") as found:
            MaskOptions(threshold=threshold)
        assert found.value.values == {"threshold": threshold}
    with pytest.raises(ConfigError, match="0 pixels or more, got -1") as found:
        MaskOptions(grow=-1)
    assert found.value.values == {"grow": -1}


def test_masks_of_zeros_and_ones_and_what_is_out_of_range() -> None:
    hole = np.zeros((SIDE, SIDE), bool)
    hole[3:9, 3:9] = True
    for kind in ("u1", "i8", "u4"):
        assert (read_mask(hole.astype(kind), PHOTO) == hole).all()
        assert not read_mask(hole.astype(kind) * 2, PHOTO).any()
        assert (read_mask(hole.astype(kind) * 200, PHOTO) == hole).all()
    assert (read_mask(np.where(hole, 255, 1).astype("i4"), PHOTO) == hole).all()
    assert not read_mask(np.where(hole, 256, 0).astype("i4"), PHOTO).any()
    assert (read_mask(np.where(hole, 65535, 0).astype("i4"), PHOTO) == hole).all()
    for low, high in ((-1, 1), (0, 65536)):
        with pytest.raises(MaskError, match=f"got {low} to {high}") as found:
            read_mask(np.where(hole, high, low).astype("i4"), PHOTO)
        assert found.value.code == "mask.values"
        assert (found.value.values["low"], found.value.values["high"]) == (low, high)
    with pytest.raises(MaskError, match="got complex") as other:
        read_mask(hole.astype("c8"), PHOTO)
    assert other.value.code == "mask.values"


@pytest.mark.parametrize("depth", [1, 257])
@pytest.mark.parametrize(
    ("dark", "bright", "by_brightness"), [(64, 191, True), (65, 191, False), (64, 190, False)]
)
def test_a_drawing_on_transparent_ground(
    dark: int, bright: int, by_brightness: bool, depth: int
) -> None:
    opaque = np.zeros((SIDE, SIDE), bool)
    opaque[5:20, 5:30] = True
    right = np.arange(SIDE)[None] >= 15
    gray = np.where(right, bright, dark) * opaque
    drawing = np.dstack([gray, opaque * 255]) * depth
    hole = read_mask(drawing.astype(np.uint8 if depth == 1 else np.uint16), PHOTO)
    assert (hole == (opaque & right if by_brightness else opaque)).all()


def gray_of(levels: list[int], middle: float, outside: int = 0) -> Any:
    """All of the levels, a share of the pixels in the middle, the others of one level."""
    plane = np.full((100, 100), outside, np.uint8)
    flat = plane.ravel()
    count = round(middle * flat.size)
    flat[:count] = np.resize(levels, count)
    return plane


def test_how_many_levels_a_photo_has() -> None:
    photo = Photo(noise(100, 100, 3))
    levels = list(range(60, 200))
    # 47 levels and the one outside them are 48.
    for number, told in ((47, True), (46, False)):
        plane = gray_of(levels[:number], 0.7)
        for mask in (plane, plane.astype(np.uint16) * 257, plane.astype(np.float32) / 255):
            assert ("mask.photo" in codes(mask, photo)) == told
    for share, told in ((0.41, True), (0.39, False)):
        assert ("mask.photo" in codes(gray_of(levels, share), photo)) == told
    # Nearly black and nearly white pixels are not in the middle.
    for outside, told in ((8, False), (9, True), (246, True), (247, False)):
        assert ("mask.photo" in codes(gray_of(levels, 0.3, outside), photo)) == told
    (said,) = read_hole(gray_of(levels, 0.7), photo, MaskOptions(threshold=99)).warnings
    assert said.values == {"plane": "mask", "levels": 141, "threshold": 99}


@pytest.mark.parametrize("depth", [1, 257])
def test_how_alike_a_copy_of_the_photo_is(depth: int) -> None:
    # Of few levels, so that only the likeness to the photo tells.
    pixels = np.where(np.indices((SIDE, SIDE)).sum(0)[..., None] % 2, 100, 140).repeat(3, 2)
    photo = Photo((pixels * depth).astype(np.uint8 if depth == 1 else np.uint16))
    alpha = np.full((SIDE, SIDE), 255)
    alpha[:10] = 0
    for off, share, is_copy in (
        (0, 0.0, True),
        (24, 1.0, True),
        (25, 1.0, False),
        (60, 0.1, True),
        (60, 0.11, False),
    ):
        copy = pixels.copy()
        count = round(share * 30 * SIDE)
        copy[10:].reshape(-1, 3)[:count, 1] += off
        mask = np.dstack([copy, alpha]).astype(np.uint8)
        found = codes(mask, photo)
        assert (found == ["mask.erased"]) == is_copy, (off, share)
    # Of another size it is no copy, nor with more than half of it gone.
    assert (
        codes(np.dstack([pixels, alpha]).astype(np.uint8), Photo(noise(SIDE, 9, 3)), resize=True)
        == []
    )
    for gone, is_copy in ((20, True), (21, False)):
        alpha[:gone] = 0
        mask = np.dstack([pixels, alpha]).astype(np.uint8)
        assert (codes(mask, photo) == ["mask.erased"]) == is_copy


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_what_counts_as_erased(kind: str) -> None:
    most = np.iinfo(kind).max
    alpha = np.full((12, 12), most, kind)
    alpha[2:5, 2:5] = most // 2  # clear
    alpha[5, 5] = most - 1  # a soft edge that touches it at a corner
    alpha[8:10, 8:10] = most // 2 + 1  # soft, but apart
    expected = np.zeros((12, 12), bool)
    expected[2:5, 2:5] = expected[5, 5] = True
    pixels = noise(12, 12, 3, np.uint8 if kind == "u1" else np.uint16)
    assert (read_mask(None, Photo(pixels, alpha)) == expected).all()


def labels_of(sizes: dict[int, int]) -> Any:
    """A map with one row of areas, each of so many pixels inside, apart from each other."""
    plane = np.zeros((40, 400), np.uint8)
    left = 3
    for value, side in sizes.items():
        plane[5 : 5 + 3 + 2, left : left + side + 2] = value
        left += side + 6
    return plane


def test_what_counts_as_a_map_of_labels() -> None:
    photo = Photo(noise(40, 400, 3))
    # An area counts from 9 pixels on whose neighbors all have the same value.
    for side, told in ((3, True), (2, False)):
        hole = read_hole(labels_of({5: side}), photo)
        assert [each.code for each in hole.warnings] == (["mask.labels"] if told else [])
    (said,) = read_hole(labels_of({5: 3, 200: 4, 90: 2, 255: 4}), photo).warnings
    assert said.values == {"plane": "mask", "values": [0, 5, 200, 255], "threshold": 127}
    assert "the values 0, 5, 200, 255, " in str(said)
    assert "taken as white were those above 127" in str(said)
    (said,) = read_hole(labels_of(dict.fromkeys(range(2, 10), 3)), photo).warnings
    assert "values 0, 2, 3, 4, 5, 6, 7, 8, ..., " in str(said)
    assert "were none, as none is above 127" in str(said)
    few = np.zeros((40, 400), np.uint8)
    few[5:20, 5:20] = 7
    for number, told in ((62, True), (63, False)):
        many = few.copy()
        many[30, 10 : 10 + number] = np.arange(10, 10 + number)
        assert (codes(many, photo) == ["mask.labels"]) == told
    deep = labels_of({5: 4}).astype(np.uint16) * 300
    (said,) = read_hole(deep, photo).warnings
    assert said.values["values"] == [0, 1500]


EDGE = np.s_[40:60, 30:270]  # a long hole, so that its corners count for little


def around(profile: list[float], dtype: Any = np.uint16) -> tuple[Photo, Any]:
    """A photo whose brightness depends on the distance from a hole: 1, 2, 3, ... pixels."""
    mask = np.zeros((100, 300), bool)
    mask[EDGE] = True
    rows, columns = np.indices(mask.shape)
    far = np.maximum(np.maximum(40 - rows, rows - 59), np.maximum(30 - columns, columns - 269))
    values = np.array([0.5, *profile, *[0.5] * 100])[np.clip(far, 0, 100)]
    pixels = np.rint(values * np.iinfo(dtype).max).astype(dtype)
    return Photo(pixels[..., None]), mask


@pytest.mark.parametrize("place", range(12))
def test_at_which_distances_colors_are_compared(place: int) -> None:
    profile = [0.5] * 12
    profile[place] = 1.0
    expected = 1 if place < 2 else -1 if 8 <= place < 11 else 0
    assert rim_share(*around(profile)) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("sign", [-1, 1])
def test_how_much_a_color_must_change(sign: int) -> None:
    for change, seen in ((0.0605, 1), (0.0595, 0)):
        near = [0.5 + sign * change] * 2 + [0.5] * 12
        assert rim_share(*around(near)) == pytest.approx(seen, abs=0.1)
        far = [0.5] * 7 + [0.5 + sign * change] * 5
        assert rim_share(*around(far)) == pytest.approx(-seen, abs=0.1)
    for ratio, seen in ((2.05, 1), (1.95, 0)):
        near = [0.5 + sign * ratio * 0.1] * 3 + [0.5] * 4 + [0.4] * 6
        assert rim_share(*around(near)) == pytest.approx(seen, abs=0.1)
        far = [0.4] * 3 + [0.5] * 4 + [0.5 + sign * ratio * 0.1] * 6
        assert rim_share(*around(far)) == pytest.approx(-seen, abs=0.1)


def test_a_rim_along_a_quarter_of_the_hole_is_told() -> None:
    for share, told in ((0.32, True), (0.18, False)):
        photo, mask = around([1.0] * 2 + [0.5] * 12)
        pixels = photo.pixels.copy()
        pixels[:, int(30 + 240 * share) :] = 65535 // 2
        found = [each.code for each in mask_warnings(Photo(pixels), mask)]
        assert found == (["mask.rim"] if told else [])


def test_small_holes_have_no_edge_to_compare() -> None:
    for side, seen in ((3, False), (5, True)):
        mask = np.zeros((200, 200), bool)
        pixels = np.full((200, 200, 1), 90, np.uint8)
        for top in range(20, 180, 40):
            for left in range(20, 180, 40):
                pixels[top - 2 : top + side + 2, left - 2 : left + side + 2] = 250
                mask[top : top + side, left : left + side] = True
        assert (rim_share(Photo(pixels), mask) > 0.5) == seen


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize(("room", "seen"), [(11, True), (10, False)])
def test_colors_are_compared_up_to_the_border(room: int, seen: bool, side: int) -> None:
    # On the other sides there is no room for a comparison.
    mask = np.zeros((20 + room, 220), bool)
    mask[room : room + 15, 5:215] = True
    pixels = np.full((*mask.shape, 1), 90, np.uint8)
    pixels[room - 2 : room] = 250
    photo, turned = Photo(np.rot90(pixels, side).copy()), np.rot90(mask, side).copy()
    assert (rim_share(photo, turned) > 0.9) == seen
    assert seen or rim_share(photo, turned) == 0
    for away in range(2, room + 1):  # or up to another hole
        second = mask.copy()
        second[room - away] = True
        assert rim_share(photo, np.rot90(second, side).copy()) == 0


def test_noise_has_no_edge() -> None:
    mask = np.indices((900, 1000)).sum(0) % 2 > 0
    assert rim_share(Photo(noise(900, 1000, 1)), mask) == 0


@pytest.mark.parametrize(("covered", "told"), [(70, False), (71, True)])
def test_how_much_of_a_photo_a_hole_covers(covered: int, told: bool) -> None:
    mask = np.zeros((100, 50), bool)
    mask[:covered] = True
    found = mask_warnings(Photo(np.full((100, 50, 1), 9, np.uint8)), mask)
    assert [each.code for each in found] == (["mask.inverted"] if told else [])
