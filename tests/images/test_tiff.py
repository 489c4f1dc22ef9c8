"""TIFF files: previews, compressions, predictors."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from gatefill.images import read_photo
from tests.images.cases import case
from tests.images.helpers import (
    SRGB,
    noise,
    pil_file,
    smooth,
    tiff_file,
)


def test_the_page_at_full_resolution_is_the_photo() -> None:
    photo = read_photo(case("tiff-thumbnail-first", "scan.tif"))
    assert photo.size == (384, 256)
    expected = tifffile.TiffFile(case("tiff-thumbnail-first", "scan.tif")).pages[1].asarray()
    assert (photo.pixels == expected).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kinds", [(1, 0), (2, 0), (1, 2, 0), (0, 1), (1, 1, 0, 0), (1, 1)])
def test_previews_in_a_tiff_are_passed_over(kinds: tuple[int, ...], big: bool, bits: int) -> None:
    dtype = np.uint8 if bits == 8 else np.uint16
    # 2 is a page of several: as good as 0.
    wanted = next((at for at, kind in enumerate(kinds) if not kind & 1), len(kinds) - 1)
    pages = [noise(8 + 4 * at, 10 + 3 * at, 3, dtype, seed=at) for at in range(len(kinds))]
    file = io.BytesIO()
    with tifffile.TiffWriter(file, bigtiff=big) as writer:
        for page, kind in zip(pages, kinds, strict=True):
            writer.write(
                page,
                photometric="rgb",
                subfiletype=kind,
                resolution=(300, 300) if page is pages[wanted] else (72, 72),
                resolutionunit="INCH",
                iccprofile=SRGB if page is pages[wanted] else None,
            )
    photo = read_photo(file.getvalue())
    assert (photo.pixels == pages[wanted]).all()
    if not (big and bits == 8):  # Pillow reads no profile there
        assert photo.meta.icc == SRGB
    assert photo.meta.dpi == (300, 300)


@pytest.mark.parametrize("compression", [5, 8, 32773, 34925, 50000, 1])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("shape", [(21, 18, 1), (21, 18, 4)])
def test_deep_tiffs_of_every_compression(
    shape: tuple[int, int, int], predictor: int, compression: int
) -> None:
    array = smooth(*shape, np.uint16)
    values = array.astype("<u2").copy()
    if predictor == 2:
        values[:, 1:] -= array[:, :-1]
    # libtiff packs bytes, whatever they mean.
    rows = np.frombuffer(values.tobytes(), np.uint8).reshape(21, -1)
    tags: dict[int, Any] = {278: 21}
    names = {5: "tiff_lzw", 8: "tiff_adobe_deflate", 32773: "packbits", 34925: "lzma"}
    names |= {50000: "zstd", 1: "raw"}
    packed = pil_file(Image.fromarray(rows), "TIFF", compression=names[compression], tiffinfo=tags)
    found = Image.open(io.BytesIO(packed)).tag_v2
    strip = packed[found[273][0] : found[273][0] + found[279][0]]
    samples = shape[2]
    entries = {
        256: 18, 257: 21, 258: 16, 259: compression, 262: 1 if samples == 1 else 2, 273: 8,
        277: samples, 278: 21, 279: len(strip), 317: predictor, 338: 2,
    }  # fmt: skip
    if samples == 1:
        del entries[338]
    body = strip + bytes(len(strip) % 2)
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    data = b"II*\0" + struct.pack("<I", 8 + len(body)) + body
    data += struct.pack("<H", len(entries)) + table + bytes(4)
    photo = read_photo(data)
    assert (photo.pixels == array[..., :3]).all()
    if samples == 4:
        assert photo.alpha is not None
        assert (photo.alpha == array[..., 3]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_the_floating_point_predictor(byteorder: str, dtype: Any) -> None:
    from tests.images.bombs import tiff

    array = (smooth(64, 64, 1)[..., 0] / 255).astype(dtype)
    size = array.itemsize
    planes = array.astype(array.dtype.newbyteorder(">")).view(np.uint8).reshape(64, 64, size)
    rows = np.ascontiguousarray(np.moveaxis(planes, 2, 1)).reshape(64, -1)
    rows[:, 1:] -= rows[:, :-1].copy()
    data = tiff(zlib.compress(rows.tobytes()), {317: 3, 339: 3}, bits=8 * size)
    expected = np.rint(array.astype(np.float64) * 65535)
    assert (read_photo(data).pixels[..., 0] == expected).all()
    if byteorder == ">" and dtype != np.float16:
        assert (read_photo(tiff_file(array, byteorder=">")).pixels[..., 0] == expected).all()
