"""What looks wrong with a mask, said before the work rather than seen after it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatefill.images.photo import Photo

INVERTED_SHARE = 0.7


def mask_warnings(photo: Photo, mask: NDArray[np.bool_]) -> list[str]:
    """Sentences for the user about a bool mask ``HW`` of `photo`; none where it looks well."""
    if not mask.any():
        return ["the mask is empty: the photo comes back unchanged (white marks the hole)"]
    share = float(mask.mean())
    if share > INVERTED_SHARE:
        return [f"the hole covers {share:.0%} of the photo: is it inverted? (--invert-mask)"]
    return []
