"""The pixels of a photo in the form that networks and filters for selection need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatefill.images import Photo, Source, read_photo


def bytes_of(photo: Source | Photo) -> NDArray[np.uint8]:
    """Read a photo as uint8 ``HW3``, RGB, upright.

    Raises:
        ImageError, FileNotFoundError: If it cannot be read.
    """
    found = photo if isinstance(photo, Photo) else read_photo(photo)
    pixels: Any = np.rint(found.rgb() * 255)
    return np.ascontiguousarray(pixels.astype(np.uint8))
