"""Pixels of TIFFs of more than 8 bits, however they are cut up, ordered and packed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.images import ImageError, read_photo
from tests.images.helpers import SRGB, noise
from tests.images.structures import Values, long, short, structure

FORMATS = {"u": 1, "i": 2, "f": 3}


def pieces(array: Any, tall: int, wide: int, *, padded: bool) -> Iterator[Any]:
    """Strips or tiles of ``HWC``, by rows; tiles are padded to their full size."""
    for top in range(0, array.shape[0], tall):
        for left in range(0, array.shape[1], wide):
            part = array[top : top + tall, left : left + wide]
            if padded:
                sides = (0, tall - part.shape[0]), (0, wide - part.shape[1]), (0, 0)
                part = np.pad(part, sides, constant_values=1)
            yield part


def encoded(part: Any, order: str, predictor: int) -> bytes:
    """A strip or tile ``HWC`` as bytes (TIFF 6.0, section 14; Adobe's technical note 3)."""
    values = part.astype(part.dtype.newbyteorder(order))
    if predictor == 2:
        whole = part.view(f"u{part.itemsize}")
        steps = whole.copy()
        steps[:, 1:] -= whole[:, :-1]
        values = steps.astype(steps.dtype.newbyteorder(order))
    if predictor == 3:
        rows = part.astype(part.dtype.newbyteorder(">")).reshape(len(part), -1)
        planes = rows.view(np.uint8).reshape(len(part), rows.shape[1], part.itemsize)
        ordered = np.ascontiguousarray(planes.swapaxes(1, 2)).reshape(len(part), -1, part.shape[2])
        values = ordered.copy()
        values[:, 1:] -= ordered[:, :-1]
    return values.tobytes()


def tiff(
    array: Any,
    order: str = "<",
    *,
    big: bool = False,
    planar: bool = False,
    rows: int | None = None,
    tile: tuple[int, int] | None = None,
    packed: bool = False,
    reversed_bits: bool = False,
    predictor: int = 1,
    tags: Values | None = None,
) -> bytes:
    """A TIFF of ``HWC``; the strips or tiles lie behind its directory."""
    height, width, channels = array.shape
    planes = [array[..., at : at + 1] for at in range(channels)] if planar else [array]
    tall, wide = tile or (min(rows or height, height), width)
    parts = [
        encoded(part, order, predictor)
        for plane in planes
        for part in pieces(np.ascontiguousarray(plane), tall, wide, padded=bool(tile))
    ]
    if packed:
        parts = [zlib.compress(part) for part in parts]
    if reversed_bits:
        turned = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
        parts = [part.translate(turned) for part in parts]
    page: Values = {
        256: long(order, width),
        257: short(order, height),
        258: short(order, *[8 * array.itemsize] * channels),
        259: short(order, 8 if packed else 1),
        262: short(order, 2 if channels > 2 else 1),
        266: short(order, 2 if reversed_bits else 1),
        277: short(order, channels),
        284: short(order, 2 if planar else 1),
        317: short(order, predictor),
        339: short(order, *[FORMATS[array.dtype.kind]] * channels),
    }
    if tile:
        page |= {322: short(order, wide), 323: short(order, tall)}
    elif rows is not None:
        page[278] = long(order, rows)
    if channels in (2, 4):
        page[338] = short(order, 2)
    page |= tags or {}
    places, counts = (324, 325) if tile else (273, 279)

    def made(start: int) -> bytes:
        starts = [start + sum(map(len, parts[:at])) for at in range(len(parts))]
        own = {places: long(order, *starts), counts: long(order, *map(len, parts))}
        return structure(order, own | page, big=big)

    return made(len(made(0))) + b"".join(parts)


def values(dtype: str, height: int, width: int, channels: int) -> tuple[Any, Any]:
    """Values of a dtype, and the 16 bits that they are read as."""
    levels = noise(height, width, channels, np.uint16)
    if dtype == "i2":
        levels >>= 1
    if dtype[0] != "f":
        levels[0, 0, 0] |= 256  # more than 8 bits
        return levels.astype(dtype), levels
    shares = (levels / 65535).astype(dtype)
    return shares, np.rint(shares.astype(np.float64) * 65535).astype(np.uint16)


def assert_reads(data: bytes, levels: Any) -> None:
    photo = read_photo(data)
    color = levels.shape[2] - (levels.shape[2] in (2, 4))
    assert photo.pixels.dtype == np.uint16
    assert (photo.pixels == levels[..., :color]).all()
    assert (photo.alpha is not None) == (color < levels.shape[2])
    if photo.alpha is not None:
        assert (photo.alpha == levels[..., -1]).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's
@given(
    dtype=st.sampled_from(["u2", "u4", "i2", "i4", "f2", "f4", "f8"]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)),
    order=st.sampled_from("<>"),
    big=st.booleans(),
    planar=st.booleans(),
    rows=st.none() | st.integers(1, 50),
    tile=st.none() | st.tuples(st.integers(1, 48), st.integers(1, 48)),
    packed=st.booleans(),
    reversed_bits=st.booleans(),
    predicted=st.booleans(),
)
def test_every_layout_of_pixels(
    dtype: str, size: tuple[int, int, int], predicted: bool, **options: Any
) -> None:
    array, levels = values(dtype, *size)
    predictor = (3 if dtype[0] == "f" else 2) if predicted else 1
    assert_reads(tiff(array, predictor=predictor, **options), levels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("tile", [None, (16, 16), (5, 7)])
@pytest.mark.parametrize("planar", [False, True])
def test_planes_and_tiles(planar: bool, tile: tuple[int, int] | None, channels: int) -> None:
    array, levels = values("u2", 21, 18, channels)
    assert_reads(tiff(array, planar=planar, tile=tile), levels)
    assert_reads(tiff(array, planar=planar, tile=tile, rows=4, predictor=2), levels)


def without(data: bytes, tag: int) -> bytes:
    """The file with the number of a tag changed to one that means nothing."""
    at = data.index(struct.pack("<HH", tag, 4 if tag != 338 else 3))
    return data[:at] + struct.pack("<H", 60_000) + data[at + 2 :]


def test_sizes_of_strips_may_be_missing_where_there_is_one() -> None:
    array, levels = values("u2", 9, 7, 3)
    assert_reads(without(tiff(array), 279), levels)
    with pytest.raises(ImageError, match="truncated or corrupt TIFF"):
        read_photo(without(tiff(array, rows=4), 279))


@pytest.mark.parametrize("cut", [1, 41, 42, 43, 200])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_what_is_there_of_a_file_that_is_cut_off(dtype: str, cut: int) -> None:
    array, levels = values(dtype, 9, 7, 3)
    data = tiff(array, rows=2)
    with pytest.raises(ImageError, match="allow_truncated") as found:
        read_photo(data[:-cut])
    assert found.value.code == "image.truncated"
    photo = read_photo(data[:-cut], allow_truncated=True)
    whole = -(-cut // array.itemsize)
    flat = photo.pixels.ravel()
    assert (flat[:-whole] == levels.ravel()[:-whole]).all()
    assert (flat[-(cut // array.itemsize) or len(flat) :] == 0).all()
    assert "file.truncated" in [each.code for each in photo.meta.warnings]


@pytest.mark.parametrize(("dtype", "most"), [("u2", 65535), ("u4", 2**32 - 1), ("f4", 1)])
def test_zero_may_be_white(dtype: str, most: float) -> None:
    array, levels = values(dtype, 5, 4, 1)
    stored = (most - array.astype(np.float64)).astype(dtype)
    levels = np.rint((1 - stored.astype(np.float64)) * 65535) if dtype == "f4" else levels
    assert_reads(tiff(stored, tags={262: short("<", 0)}), levels)
    both = np.dstack([stored, array])
    alpha = np.rint(array.astype(np.float64) * 65535) if dtype == "f4" else array
    assert_reads(tiff(both, tags={262: short("<", 0)}), np.dstack([levels, alpha]))


@pytest.mark.parametrize("order", ["<", ">"])
def test_premultiplied_color_is_divided_by_alpha(order: str) -> None:
    array = np.array([[[100, 200, 300, 65535], [100, 200, 300, 13107]]], np.uint16)
    array = np.concatenate([array, [[[7, 8, 9, 0], [60_000, 100, 0, 100]]]]).astype(np.uint16)
    photo = read_photo(tiff(array, order, tags={338: short(order, 1)}))
    assert photo.pixels.tolist() == [
        [[100, 200, 300], [500, 1000, 1500]],
        [[7, 8, 9], [65535, 65535, 0]],
    ]
    plain = read_photo(tiff(array, order, tags={338: short(order, 0)}))
    assert (plain.pixels == array[..., :3]).all()
    gray = read_photo(tiff(array[..., 2:], order, tags={338: short(order, 1)}))
    assert gray.pixels[..., 0].tolist() == [[300, 1500], [9, 0]]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("unit", "across", "down", "expected"),
    [
        (2, (300, 1), (600, 2), (300, 300)),
        (3, (100, 1), (200, 1), (254, 508)),
        (None, (72, 1), (144, 2), (72, 72)),
        (1, (70_000, 100), (75, 1), (700, 75)),
        (2, (300, 0), (300, 1), None),
        (2, (300, 1), (300, 0), None),
        (2, (0, 1), (300, 1), None),
    ],
)
def test_the_resolution(
    unit: int | None,
    across: tuple[int, int],
    down: tuple[int, int],
    expected: tuple[float, float] | None,
    order: str,
) -> None:
    array, _ = values("u2", 5, 4, 1)
    tags: Values = {282: (5, 1, struct.pack(order + "2I", *across))}
    tags[283] = (5, 1, struct.pack(order + "2I", *down))
    if unit is not None:
        tags[296] = short(order, unit)
    found = read_photo(tiff(array, order, tags=tags)).meta.dpi
    assert found == (expected and pytest.approx(expected))
    tags[282] = (10, *tags[282][1:])  # type: ignore[misc] # signed: not what is asked for
    assert read_photo(tiff(array, order, tags=tags)).meta.dpi is None


@pytest.mark.filterwarnings("ignore:Truncated File Read")  # Pillow's
@pytest.mark.parametrize(("left", "known"), [(8, True), (7, False)])
def test_a_resolution_that_is_cut_off_is_none(left: int, known: bool) -> None:
    array, _ = values("u2", 5, 4, 1)
    ratio = struct.pack("<2I", 300, 1)
    tags: Values = {282: (5, 1, ratio), 283: (5, 1, ratio)}
    data = bytearray(tiff(array, tags=tags) + ratio)
    at = data.index(struct.pack("<HHI", 282, 5, 1)) + 8
    struct.pack_into("<I", data, at, len(data) - left)
    assert read_photo(bytes(data)).meta.dpi == ((300, 300) if known else None)


@pytest.mark.parametrize("channels", [0, 5, 65535])
@pytest.mark.parametrize("planar", [1, 2])
def test_impossible_numbers_of_channels_are_refused(planar: int, channels: int) -> None:
    array, _ = values("u2", 5, 4, 1)
    tags: Values = {277: short("<", channels), 284: short("<", planar)}
    with pytest.raises(ImageError, match=f"got {channels} channels") as found:
        read_photo(tiff(array, tags=tags))
    assert found.value.code == "image.channels"


@pytest.mark.parametrize(("kind", "known"), [(1, True), (7, True), (2, False), (6, False)])
def test_the_type_of_a_color_profile(kind: int, known: bool) -> None:
    array, _ = values("u2", 5, 4, 3)
    photo = read_photo(tiff(array, tags={34675: (kind, len(SRGB), SRGB)}))
    assert photo.meta.icc == (SRGB if known else None)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("photo", "tile", "allowed"),
    [
        ((3, 3), (1024, 1024), True),
        ((3, 3), (1024, 1025), False),
        ((3, 3), (2048, 512), True),
        ((600, 500), (1200, 1000), True),
        ((600, 500), (1201, 1000), False),
        ((3, 3), (0, 16), False),
        ((3, 3), (16, 0), False),
    ],
)
def test_tiles_are_not_much_larger_than_the_photo(
    photo: tuple[int, int], tile: tuple[int, int], allowed: bool, bits: int
) -> None:
    height, width = photo
    page: Values = {
        **{256: short("<", width), 257: short("<", height), 258: short("<", bits)},
        **{259: short("<", 8), 262: short("<", 1), 277: short("<", 1), 317: short("<", 1)},
        **{322: short("<", tile[1]), 323: short("<", tile[0])},
    }
    data = zlib.compress(bytes(tile[0] * tile[1] * bits // 8))
    page[325] = long("<", len(data))
    start = len(structure("<", page | {324: long("<", 0)}))
    file = structure("<", page | {324: long("<", start)}) + data
    if allowed:
        assert (read_photo(file).pixels == 0).all()
        assert read_photo(file).size == (width, height)
    else:
        said = f"tiles of {tile[0]} x {tile[1]}" if tile[0] == tile[1] else "tiles of"
        with pytest.raises(ImageError, match=f"{said}.*for {width} x {height} pixels") as found:
            read_photo(file)
        assert found.value.code == "image.bomb"


def test_kinds_of_pixels_that_are_not_read_are_named() -> None:
    array, _ = values("u2", 5, 4, 3)
    for tags, what in (
        ({262: short("<", 5)}, r"3 channels of 16 bits \(photometric 5, kind u\)"),
        ({258: short("<", 16, 16, 32)}, "3 channels of 16 bits"),
        ({258: short("<", 12, 12, 12)}, "3 channels of 12 bits"),
        ({339: short("<", 1, 1, 3)}, "3 channels of 16 bits"),
        ({339: short("<", 9, 9, 9)}, r"kind \?"),
        ({277: short("<", 5), 258: short("<", *[16] * 5)}, "5 channels"),
        ({258: short("<", *[64] * 3)}, "3 channels of 64 bits"),
    ):
        with pytest.raises(ImageError, match=what) as found:
            read_photo(tiff(array, tags=tags))
        assert found.value.code == "image.channels"
    with pytest.raises(ImageError, match=r"of 16 bits .*got compression 9") as packed:
        read_photo(tiff(array, tags={259: short("<", 9)}))
    assert packed.value.code == "image.compression"
    undefined = {339: short("<", 4, 4, 4)}
    assert (read_photo(tiff(array, tags=undefined)).pixels == array).all()
