"""OpenCV's decoder, for 16-bit files that Pillow rounds to 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def decode_with_opencv(data: bytes) -> NDArray[Any] | None:
    """``HWC`` grey, RGB or RGBA at the file's own depth, not turned upright; None where it fails.

    It takes truncated files without a word, so somebody else has to vouch for them.
    """
    import cv2

    # What it finds wrong would be written to the terminal as well.
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if found is None:
        return None
    array = found.reshape(*found.shape[:2], -1)
    if array.shape[2] >= 3:  # BGR
        array = np.concatenate([array[..., 2::-1], array[..., 3:]], axis=2)
    return array
