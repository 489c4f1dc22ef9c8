"""TIFF beyond 8 bits per channel: read whatever there is, write 16 bits."""

from __future__ import annotations

import io
import logging
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from gatefill.images.meta import EXIF_IFD, GPS_IFD
from gatefill.images.source import ImageError

logger = logging.getLogger(__name__)

_PLAIN_COMPRESSIONS = (1, 8, 32946)  # none and deflate: what tifffile reads on its own
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB = 0, 1, 2
_PREMULTIPLIED, _STRAIGHT = 1, 2
# Text tags of the first directory: description, make, model, software, date, artist, copyright.
_TEXT_TAGS = (270, 271, 272, 305, 306, 315, 33432)


class DeepTiff:
    """The first page of a TIFF that has more than 8 bits per channel."""

    def __init__(self, page: Any, data: bytes) -> None:
        self._page = page
        self._data = data
        self.height, self.width = int(page.imagelength), int(page.imagewidth)

    @classmethod
    def open(cls, data: bytes) -> DeepTiff | None:
        """Read the header; None where it has 8 bits or fewer, or is no TIFF that tifffile knows."""
        import tifffile

        try:
            page = tifffile.TiffFile(io.BytesIO(data)).pages.first
            bits = page.bitspersample
            deep = (max(bits) if isinstance(bits, tuple) else bits) > 8
        except Exception:  # whatever is wrong with it, Pillow's reader will say so
            return None
        return cls(page, data) if deep else None

    @property
    def icc(self) -> bytes | None:
        profile = self._page.iccprofile
        return bytes(profile) if profile else None

    @property
    def dpi(self) -> tuple[float, float] | None:
        try:
            horizontal, vertical = self._page.get_resolution(2)  # per inch
        except Exception:
            return None
        return float(horizontal), float(vertical)

    def exif(self) -> Image.Exif:
        """The first directory with its sub-directories, as EXIF."""
        exif = Image.Exif()
        exif.load(self._data)
        return exif

    def pixels(self, label: str) -> NDArray[Any]:
        """The decoded page as ``HWC``, straight alpha, before its orientation is applied."""
        page = self._page
        if page.photometric not in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB) or not (
            1 <= page.samplesperpixel <= 4
        ):
            raise ImageError(
                f"{label}: expected a grey or RGB TIFF, with or without alpha, got "
                f"{page.samplesperpixel} channels of {page.bitspersample} bits "
                f"({getattr(page.photometric, 'name', page.photometric)}); convert it to RGB"
            )
        array = self._decoded(label)
        if array.dtype.byteorder not in ("=", "|"):
            array = array.astype(array.dtype.newbyteorder("="))
        if page.photometric == _MIN_IS_WHITE and array.dtype == np.uint16:
            array[..., 0] = 65535 - array[..., 0]
        if page.samplesperpixel in (2, 4) and _PREMULTIPLIED in tuple(page.extrasamples):
            array = _straight(array)
        return array

    def _decoded(self, label: str) -> NDArray[Any]:
        page = self._page
        channels = page.samplesperpixel
        shape = (self.height, self.width, channels)
        if page.compression in _PLAIN_COMPRESSIONS:
            array = page.asarray()
            if array.shape == (channels, self.height, self.width) and page.planarconfig == 2:
                array = np.moveaxis(array, 0, -1)
            return np.array(array.reshape(shape))
        import cv2

        found = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_UNCHANGED)
        if found is None or found.reshape(*found.shape[:2], -1).shape != shape:
            raise ImageError(
                f"{label}: truncated or corrupt, or a TIFF compressed in a way that is not "
                "supported; save it with deflate or LZW"
            )
        if found.dtype.itemsize * 8 < page.bitspersample:
            raise ImageError(
                f"{label}: {page.bitspersample} bits with this TIFF compression are not supported"
            )
        if channels >= 3:
            found = cv2.cvtColor(found, cv2.COLOR_BGRA2RGBA if channels == 4 else cv2.COLOR_BGR2RGB)
        return np.array(found.reshape(shape))


def _straight(array: NDArray[Any]) -> NDArray[Any]:
    """Divide colour by the alpha it was multiplied with; the same dtype."""
    if array.dtype != np.uint16:
        return array
    alpha = array[..., -1:].astype(np.float32)
    colour = array[..., :-1] * (65535 / np.maximum(alpha, 1))
    return np.concatenate(
        [np.rint(np.minimum(colour, 65535)).astype(np.uint16), array[..., -1:]], axis=2
    )


def encode_tiff16(
    image: NDArray[np.uint16],
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """A deflated little-endian TIFF of ``HWC`` uint16 with 1 to 4 channels."""
    import tifffile

    channels = image.shape[2]
    found = Image.Exif()
    if exif:
        found.load(exif)
    directories = {tag: dict(found.get_ifd(tag)) for tag in (EXIF_IFD, GPS_IFD)}
    directories = {tag: directory for tag, directory in directories.items() if directory}
    tags: list[tuple[Any, ...]] = [
        (tag, "s", 0, text) for tag in _TEXT_TAGS if isinstance(text := found.get(tag), str)
    ]
    tags += [(tag, "I", 1, 0) for tag in directories]  # the offset comes below
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        image if channels > 1 else image[..., 0],
        byteorder="<",
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="zlib",
        predictor=True,
        iccprofile=icc,
        resolution=dpi,
        resolutionunit="inch" if dpi else None,
        software=False,
        metadata=None,
        extratags=tags,
    )
    return _with_directories(file.getvalue(), directories)


def _with_directories(data: bytes, directories: dict[int, dict[int, Any]]) -> bytes:
    """Append EXIF directories to a little-endian TIFF whose pointers to them are still 0."""
    import tifffile

    whole = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pointers = {tag: file.pages.first.tags[tag].valueoffset for tag in directories}
    for tag, directory in directories.items():
        whole += b"\0" * (len(whole) % 2)  # directories begin on a word
        block = TiffImagePlugin.ImageFileDirectory_v2(group=tag)
        for key, value in directory.items():
            block[key] = value
        struct.pack_into("<I", whole, pointers[tag], len(whole))
        whole += block.tobytes(len(whole))
    return bytes(whole)
