"""Reading TIFFs beyond 8 bits per channel, which Pillow rounds or does not know."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gatefill.images.meta import ORIENTATION
from gatefill.images.source import ImageError

_PLAIN_COMPRESSIONS = (1, 8, 32946)  # none and deflate: what tifffile reads on its own
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB = 0, 1, 2
_PREMULTIPLIED = 1


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
            page: Any = tifffile.TiffFile(io.BytesIO(data)).pages.first
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
        try:
            exif.load(self._data)
        except Exception:  # Pillow does not take the directories of a BigTIFF
            exif = Image.Exif()
            exif[ORIENTATION] = self._page.tags.valueof(ORIENTATION, 1)
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
