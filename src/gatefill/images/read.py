"""Reads a photo from a path, bytes, a file, an array or a PIL image."""

from __future__ import annotations

from typing import Any

import numpy as np
import PIL.Image

from gatefill.images.contents import jpeg_file_of, with_contents, with_info
from gatefill.images.convert import Planes, from_array, tensor_to_array, to_depth
from gatefill.images.damage import is_ours
from gatefill.images.decode import Decoded, decode, from_opened
from gatefill.images.meta import Meta, first_line
from gatefill.images.photo import Photo
from gatefill.images.sizes import check_size
from gatefill.images.source import (
    DEFAULT_MAX_PIXELS,
    ImageError,
    Source,
    fetch_bytes,
    is_array_like,
    label_of,
)


def read_photo(
    source: Source,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    allow_truncated: bool = False,
) -> Photo:
    """Read a photo upright, in its own bit depth, with its metadata.

    The content decides the format, not the file name: JPEG, PNG, WebP, TIFF, BMP, GIF, PNM, AVIF
    and, with the extra `heif`, HEIC. Of several frames the first is read, of a TIFF the first page
    at full resolution. Palettes become RGB; CMYK and Lab become sRGB (CMYK through the file's ICC
    profile if there is one); 16 bits stay 16 bits. Float arrays become 8 bits, float files 16 bits;
    other integers 8 bits if their values fit.

    Args:
        source: See `Source`.
        max_pixels: Files and PIL images with more pixels are refused before they are decoded.
        allow_truncated: Decode the remaining part of a truncated JPEG, PNG, BMP, PNM, or gray or
            RGB TIFF.

    Returns:
        The photo; `meta.warnings` says what was assumed or left out.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImageError: For anything else, such as an unknown format.
    """
    label = label_of(source, "photo")
    planes, meta = read_planes(source, label, max_pixels, allow_truncated=allow_truncated)
    color = to_depth(planes.color, meta.name)
    alpha = None if planes.alpha is None else to_depth(planes.alpha, meta.name)
    return Photo(color, alpha, meta)


def read_planes(
    source: Source, label: str, max_pixels: int, *, allow_truncated: bool = False
) -> Decoded:
    """Read the upright planes of any source; those of arrays keep their dtype."""
    if isinstance(source, PIL.Image.Image):
        return _from_pil_image(source, label, max_pixels)
    if is_array_like(source):
        array: Any = source
        array = array if isinstance(array, np.ndarray) else tensor_to_array(array, label)
        color, alpha = from_array(array, label)
        return Decoded(Planes(color, alpha), Meta(name=label))
    data = fetch_bytes(source, label, max_pixels)
    return decode(data, label, max_pixels, allow_truncated=allow_truncated)


def _from_pil_image(image: PIL.Image.Image, label: str, max_pixels: int) -> Decoded:
    check_size(*image.size, label, max_pixels)
    try:
        data = jpeg_file_of(image)
        planes, meta = from_opened(image, label)
        meta = with_info(meta, image)
        return Decoded(planes, meta if data is None else with_contents(meta, data, "JPEG"))
    except ImageError:
        raise
    except Exception as error:  # an image that was opened lazily may be truncated
        if is_ours(error):
            raise
        raise ImageError(
            f"{label}: the image cannot be read ({first_line(error)})",
            code="image.unreadable",
            name=label,
            reason=first_line(error),
        ) from error
