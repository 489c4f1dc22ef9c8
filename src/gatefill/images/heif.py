"""HEIC and AVIF support that Pillow lacks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gatefill.errors import Warning
from gatefill.extras import MissingExtra, need
from gatefill.images.source import ImageError

_HIGH_BIT_DEPTH = 0x40  # flag in the third byte of a configuration (AV1-ISOBMFF, 2.3.3)


def open_heif(data: bytes, label: str) -> PIL.Image.Image:
    """Open a HEIC file with pillow-heif, without decoding it; libheif rotates it upright.

    Raises:
        ImageError: If pillow-heif, the extra `heif`, is not installed.
    """
    try:
        plugin: Any = need("pillow_heif", "heif", "it")
    except MissingExtra as missing:
        raise ImageError(f"{label} is a HEIC file: {missing}", code="image.heif") from missing
    image: PIL.Image.Image = plugin.HeifImageFile(io.BytesIO(data))
    return image


def decode_deep(data: bytes, image: PIL.Image.Image) -> NDArray[np.uint16] | None:
    """Decode a HEIC of more than 8 bits to ``HWC``, scaled to 16 bits; None if it has 8 bits."""
    if image.info.get("bit_depth", 8) <= 8:
        return None
    plugin: Any = need("pillow_heif", "heif", "HEIC")
    opened = plugin.open_heif(data, convert_hdr_to_8bit=False)
    array = np.asarray(opened)
    return array if array.dtype == np.uint16 else None


def is_deep_avif(data: bytes) -> bool:
    """Return whether the first configuration of an AVIF declares more than 8 bits per channel."""
    at = data.find(b"av1C")
    return 0 < at < len(data) - 6 and bool(data[at + 6] & _HIGH_BIT_DEPTH)


def left_out(image: PIL.Image.Image, label: str) -> Iterator[Warning]:
    """Yield warnings about images in a HEIC or AVIF that are not filled."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        text = f"{label}: only the first of {frames} frames is filled, the others are left out"
        yield Warning("file.frames", text, {"name": label, "number": frames})
    if "hdrgainmap" in " ".join(map(str, image.info.get("aux", {}))):
        yield Warning("file.gain_map", f"{label}: its gain map is left out", {"name": label})
    if image.info.get("depth_images"):
        text = f"{label}: its depth map is left out"
        yield Warning("file.depth_map", text, {"name": label})
