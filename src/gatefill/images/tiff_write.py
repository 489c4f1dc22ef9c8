"""Writing TIFFs: Pillow cannot write 16-bit colour, nor EXIF into compressed files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, TiffImagePlugin

from gatefill.images.convert import Pixels
from gatefill.images.meta import EXIF_IFD, GPS_IFD

# Tags and their values (TIFF 6.0; deflate and predictor from Adobe's technical notes).
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS = 256, 257, 258, 259, 262, 273
_SAMPLES, _ROWS_PER_STRIP, _BYTE_COUNTS, _X_DPI, _Y_DPI, _DPI_UNIT = 277, 278, 279, 282, 283, 296
_PREDICTOR, _EXTRA_SAMPLES, _ICC = 317, 338, 34675
_DEFLATE, _GREY, _RGB, _INCH, _HORIZONTAL, _STRAIGHT_ALPHA = 8, 1, 2, 2, 2, 2
_LONG = 4

_STRIP_BYTES = 1 << 18


def encode_tiff(
    image: Pixels,
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """A deflated TIFF of ``HWC`` uint8 or uint16 with 1 to 4 channels, straight alpha."""
    height, width, channels = image.shape
    rows = max(_STRIP_BYTES // image[0].nbytes, 1)
    strips = list(_compressed_strips(image, rows))
    sizes = [len(strip) for strip in strips]

    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    if exif:
        _add_exif(directory, exif)
    directory[_WIDTH], directory[_HEIGHT] = width, height
    directory[_SAMPLES], directory[_BITS] = channels, (8 * image.dtype.itemsize,) * channels
    directory[_PHOTOMETRIC] = _RGB if channels > 2 else _GREY
    if channels in (2, 4):
        directory[_EXTRA_SAMPLES] = _STRAIGHT_ALPHA
    directory[_COMPRESSION], directory[_PREDICTOR] = _DEFLATE, _HORIZONTAL
    directory[_ROWS_PER_STRIP] = rows
    directory[_BYTE_COUNTS] = tuple(sizes)
    # From the end of the directory; Pillow adds where that is.
    directory[_OFFSETS] = tuple(np.cumsum([0, *sizes[:-1]]).tolist())
    directory.tagtype[_OFFSETS] = directory.tagtype[_BYTE_COUNTS] = _LONG
    if dpi:
        directory[_X_DPI], directory[_Y_DPI] = dpi
        directory[_DPI_UNIT] = _INCH
    if icc:
        directory[_ICC] = icc
    return b"".join([b"II*\0", struct.pack("<I", 8), directory.tobytes(8), *strips])


def _add_exif(directory: TiffImagePlugin.ImageFileDirectory_v2, exif: bytes) -> None:
    found = Image.Exif()
    found.load(exif)
    for tag in list(found):
        directory[tag] = found.get_ifd(tag) if tag in (EXIF_IFD, GPS_IFD) else found[tag]


def _compressed_strips(image: Pixels, rows: int) -> Iterator[bytes]:
    """Rows as differences to the pixel on the left, deflated strip by strip."""
    for start in range(0, image.shape[0], rows):
        strip = image[start : start + rows]
        differences = strip.astype(strip.dtype.newbyteorder("<"))
        differences[:, 1:] -= strip[:, :-1]
        yield zlib.compress(differences.tobytes(), 5)
