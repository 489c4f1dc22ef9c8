"""Colors written into a JPEG's own blocks: the extremes of every channel and ink, bit for bit."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gatefill.images import Meta, Photo, read_photo
from gatefill.images.jpeg_read import has_all_scans, without_end
from gatefill.images.jpeg_segments import layout_of
from tests.images.helpers import cmyk_profile, pil_file
from tests.images.jpegs import KINDS, stored, texture

EXTREMES = [*product((0, 255), repeat=3), (1, 2, 3), (254, 128, 127), (64, 64, 64)]


def file_of(kind: str) -> bytes:
    """A JPEG of the best quality, 32 x 32 pixels."""
    mode = {"gray": "L", "ycck": "CMYK"}.get(kind, kind)
    pixels: Any = texture(32, 32, len(Image.new(mode, (1, 1)).getbands()))
    image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)
    options: dict[str, Any] = {"quality": 100, "subsampling": "4:4:4"}
    if kind == "RGB":
        options |= {"keep_rgb": True}
    data = pil_file(image, "JPEG", **options)
    if kind == "ycck":  # its transform is said in Adobe's segment
        at = data.index(b"Adobe\0")
        data = data[: at + 11] + b"\2" + data[at + 12 :]
    return data


@pytest.mark.parametrize(("kind", "most"), [("RGB", 0), ("CMYK", 0), ("ycck", 2), ("gray", 0)])
@pytest.mark.parametrize("color", EXTREMES)
def test_extreme_colors_are_read_as_they_were_filled(
    color: tuple[int, int, int], kind: str, most: int
) -> None:
    if kind == "gray" and len(set(color)) > 1:
        return
    photo = read_photo(file_of(kind))
    pixels = photo.pixels.copy()
    pixels[8:24, 8:24] = color[: pixels.shape[2]]
    data, said = photo.replaced(pixels).encoded("jpg")
    assert said == ()
    after = read_photo(data).pixels.astype(int)
    assert abs(after[8:24, 8:24] - color[: pixels.shape[2]]).max() <= most
    rest = np.ones((32, 32), bool)
    rest[8:24, 8:24] = False
    assert (after[rest] == photo.pixels[rest]).all()


@pytest.mark.parametrize("color", EXTREMES)
def test_colors_of_full_chroma_are_off_by_their_rounding_only(color: tuple[int, int, int]) -> None:
    data = pil_file(Image.fromarray(texture(32, 32, 3)), "JPEG", quality=100, subsampling="4:4:4")
    photo = read_photo(data)
    pixels = photo.pixels.copy()
    pixels[8:24, 8:24] = color
    after = read_photo(photo.replaced(pixels).to_bytes("jpg")).pixels.astype(int)
    assert abs(after[8:24, 8:24] - color).max() <= 2


@pytest.mark.parametrize("kind", ["CMYK", "ycck"])
def test_no_ink_and_all_inks_are_stored_as_such(kind: str) -> None:
    # Adobe stores 255 less the ink; a block of one value v has the coefficient 8 (v - 128).
    photo = read_photo(file_of(kind))
    for color, inks in (((255, 255, 255), (0, 0, 0)), ((0, 0, 0), (255, 255, 255))):
        pixels = photo.pixels.copy()
        pixels[8:16, 8:16] = color
        blocks = stored(photo.replaced(pixels).to_bytes("jpg")).blocks
        levels = [int(plane[1, 1, 0, 0]) for plane in blocks]
        if kind == "CMYK":
            expected = [8 * (127 - ink) for ink in inks]
        else:  # of inks that are all the same: luma alone
            expected = [8 * (inks[0] - 128), 0, 0]
        assert levels == [*expected, 8 * 127]


def test_black_ink_of_a_profile_is_written_back() -> None:
    image = Image.fromarray(texture(32, 32, 4), "CMYK")
    profile = cmyk_profile(both_ways=True)
    photo = read_photo(pil_file(image, "JPEG", quality=100, icc_profile=profile))
    for shade in (0, 255):
        pixels = photo.pixels.copy()
        pixels[8:24, 8:24] = shade
        data, said = photo.replaced(pixels).encoded("jpg")
        assert said == ()
        assert abs(read_photo(data).pixels[8:24, 8:24].astype(int) - shade).max() <= 2
        black = [int(plane[1, 1, 0, 0]) for plane in stored(data).blocks]
        assert black == [8 * 127] * 3 + [8 * (127 if shade else -128)]


@pytest.mark.parametrize("kind", ["4:2:0", "4:2:2", "4:4:0", "4:1:1", "gray"])
def test_photos_of_many_batches_of_blocks(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatefill.images import jpeg_blocks

    data = KINDS[kind](70, 90, 0)
    photo = read_photo(data)
    pixels = texture(70, 90, photo.pixels.shape[2], 5)
    whole = photo.replaced(pixels).to_bytes("jpg")
    monkeypatch.setattr(jpeg_blocks, "_BATCH", 9)
    assert photo.replaced(pixels).to_bytes("jpg") == whole


@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_of_other_channels_or_depth_is_encoded_as_from_elsewhere(channels: int) -> None:
    data = KINDS["gray" if channels == 3 else "4:4:4"](16, 24, 0)
    pixels = np.full((16, 24, channels), 99, np.uint8)
    meta = Meta(name="it", format="JPEG", lossy=True, jpeg=data)
    after = read_photo(Photo(pixels, None, meta).to_bytes("jpg"))
    assert after.pixels.shape == pixels.shape
    assert abs(after.pixels.astype(int) - 99).max() <= 2
    deep = Photo(pixels.astype(np.uint16) * 257, None, meta).encoded("jpg")
    assert [each.code for each in deep.warnings] == ["file.depth"]


def scans(data: bytes) -> list[int]:
    found, at = [], data.find(b"\xff\xda")
    while at >= 0:
        found.append(at)
        at = data.find(b"\xff\xda", at + 2)
    return found


@pytest.mark.parametrize("kind", ["progressive", "4:2:0", "gray", "not interleaved"])
def test_every_scan_is_needed(kind: str) -> None:
    data = KINDS[kind](24, 24, 0)
    assert has_all_scans(data)
    starts = [*scans(data), len(data) - 2]
    assert has_all_scans(data[: starts[-1]])  # without the end marker
    for start, following in pairwise(starts):
        assert not has_all_scans(data[:start])
        if kind != "progressive":  # whose scans refine others
            assert not has_all_scans(data[:start] + data[following:])
    assert not has_all_scans(
        b"\xff\xd8" + b"".join(each.tobytes() for each in layout_of(data).head)
    )


@pytest.mark.parametrize("kind", ["progressive", "4:2:0"])
def test_what_is_left_of_a_cut_jpeg_ends_with_whole_parts(kind: str) -> None:
    data = KINDS[kind](24, 24, 0)
    starts = scans(data)
    for start in starts:
        length = int.from_bytes(data[start + 2 : start + 4], "big")
        for end in range(start + 1, start + 3 + length):
            assert without_end(data[:end]) == data[:start]
        assert without_end(data[: start + 3 + length]) == data[: start + 3 + length]
    assert without_end(data) == data
    first = layout_of(data).head[0]
    for end in range(3, len(first.payload) + 6):
        assert without_end(data[:end]) == data[:2]


@pytest.mark.parametrize("kind", ["4:4:4", "4:2:0", "gray", "progressive"])
def test_known_pixels_in_a_touched_block_keep_what_coarse_tables_left(kind: str) -> None:
    data = KINDS[kind](32, 32, 0)
    photo = read_photo(data)
    assert max(map(max, stored(data).tables)) > 10
    pixels = photo.pixels.copy()
    pixels[12, 12] ^= 1  # far less than a step of the tables
    after = stored(photo.replaced(pixels).to_bytes("jpg"))
    for one, other in zip(stored(data).blocks, after.blocks, strict=True):
        assert abs(one - other).max() <= 1
