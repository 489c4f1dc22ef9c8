"""Reading a photo from whatever it is given as."""

from __future__ import annotations

from typing import Any

import numpy as np
import PIL.Image

from gatefill.images.convert import Planes, from_array, tensor_to_array, to_depth
from gatefill.images.decode import Decoded, check_size, decode, from_opened
from gatefill.images.meta import Meta, first_line
from gatefill.images.photo import Photo
from gatefill.images.source import (
    DEFAULT_MAX_PIXELS,
    ImageError,
    Source,
    fetch_bytes,
    is_array_like,
    label_of,
)


def read_photo(source: Source, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Photo:
    """Read a photo upright, in its own bit depth, with what came with it.

    source: see `Source`. Files: JPEG, PNG, WebP, TIFF, BMP, GIF and PNM, the first frame of them;
        palettes become RGB, CMYK and Lab become sRGB (CMYK through the file's ICC profile where
        there is one), 16 bits stay 16 bits. Float arrays become 8 bits, float files 16.
    max_pixels: larger files and PIL images are refused before they are decoded.
    Raises FileNotFoundError where there is no such file, ImageError (a ValueError) for all else.
    """
    planes, meta = read_planes(source, label_of(source, "photo"), max_pixels)
    colour = to_depth(planes.colour, meta.name)
    alpha = None if planes.alpha is None else to_depth(planes.alpha, meta.name)
    return Photo(colour, alpha, meta)


def read_planes(source: Source, label: str, max_pixels: int) -> Decoded:
    """The upright planes of any source; those of arrays keep their dtype."""
    if isinstance(source, PIL.Image.Image):
        return _from_pil_image(source, label, max_pixels)
    if is_array_like(source):
        array: Any = source
        array = array if isinstance(array, np.ndarray) else tensor_to_array(array, label)
        colour, alpha = from_array(array, label)
        return Decoded(Planes(colour, alpha), Meta(name=label))
    return decode(fetch_bytes(source, label, max_pixels), label, max_pixels)


def _from_pil_image(image: PIL.Image.Image, label: str, max_pixels: int) -> Decoded:
    check_size(*image.size, label, max_pixels)
    try:
        return from_opened(image, label)
    except ImageError:
        raise
    except Exception as error:  # an image opened lazily may be truncated
        raise ImageError(f"{label}: the image cannot be read ({first_line(error)})") from error
