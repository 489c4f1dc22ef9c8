"""Finds what is drawn in a mask: white on black, opaque on transparent, erased, or nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import MaskError, Warning
from gatefill.images.convert import OVERSHOOT, Planes, check_range
from gatefill.images.photo import Photo

THRESHOLD = 127
"""Levels above this, of 255, are hole."""

# Of 255. A drawing by brightness has dark and bright opaque pixels; one by alpha does not.
_DARK, _BRIGHT = 64, 191
# A photo has many gray levels, most of them neither black nor white. Soft brushes and JPEG produce
# such levels, too, but only along edges.
_PHOTO_LEVELS, _PHOTO_SHARE = 48, 0.4
_NEAR_BLACK, _NEAR_WHITE = 8, 247
_SAMPLE = 1 << 20  # number of pixels to examine
# Levels by which the pixels of a copy may differ, and the share of pixels that must agree.
_SAME, _SAME_SHARE = 24, 0.9
_MOST_LABELS = 64
_LEAST_LABEL = 9  # pixels whose neighbors all have the same value


class Drawing(NamedTuple):
    """A bool mask ``HW``, True = drawn, and warnings about it."""

    mask: NDArray[np.bool_]
    warnings: tuple[Warning, ...] = ()


def drawn(
    planes: Planes, photo: Photo, label: str, *, name: str, threshold: int, lossy: bool
) -> Drawing:
    """Find what is drawn in the planes of a mask, a sketch or a search region.

    Args:
        planes: Of any dtype, upright.
        photo: The photo that the drawing is for.
        label: Name of the file in messages.
        name: Kind of the drawing in messages: "mask", "sketch", "search region".
        threshold: Levels above this, of 255, are drawn.
        lossy: Whether the file is encoded with loss.

    Raises:
        ImageError: If the values have no meaning as a drawing.
    """
    color, alpha = planes
    for plane in (color,) if alpha is None else (color, alpha):
        if plane.dtype.kind not in "buif":
            raise MaskError(
                f"{label}: expected bool, integer or float values, got {plane.dtype}",
                code="mask.values",
                name=label,
            )
    # The brightest channel counts, so that pure red or blue is drawn as well.
    bright = color[..., 0] if color.shape[2] == 1 else color.max(axis=2)
    if alpha is None:
        return _by_brightness(bright, label, name, threshold, lossy)
    opaque = _high(alpha, label, threshold, lossy=False)
    if opaque.all() or not opaque.any():
        return _by_brightness(bright, label, name, threshold, lossy)
    if name == "mask" and (_is_photo(bright[opaque]) or _is_copy(color, opaque, photo)):
        return _from_copy(alpha, opaque, label)
    inside = bright[opaque]
    most = _max_value(bright)
    if inside.min() <= most * _DARK // 255 and inside.max() >= most * _BRIGHT // 255:
        found, said = _by_brightness(bright, label, name, threshold, lossy)
        return Drawing(found & opaque, said)
    return Drawing(opaque)


def erased(alpha: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the erased part of an image with this alpha: transparent parts with soft edges.

    A soft eraser leaves an edge with traces of the erased content. The edge belongs to the hole
    only where it touches a transparent part, so that semi-transparent objects elsewhere are kept.
    """
    clear = alpha <= np.iinfo(alpha.dtype).max // 2
    soft = (alpha < alpha.max()) | clear
    _, labels = cv2.connectedComponents(soft.astype(np.uint8), connectivity=8)
    touched = np.zeros(int(labels.max()) + 1, np.bool_)
    touched[labels[clear]] = True
    joined: NDArray[np.bool_] = touched[labels] & soft
    return joined


def _by_brightness(
    bright: NDArray[Any], label: str, name: str, threshold: int, lossy: bool
) -> Drawing:
    mask = _high(bright, label, threshold, lossy=lossy)
    said: list[Warning] = []
    if _is_photo(bright):
        levels = len(np.unique(_levels(bright)))
        said.append(
            Warning(
                "mask.photo",
                f"{label} has {levels} gray levels, like a photo: is it the {name}? Levels above "
                f"{threshold} of 255 were taken",
                {"plane": name, "levels": levels, "threshold": threshold},
            )
        )
    elif not lossy and (labels := _labels(bright)):
        listed = ", ".join(map(str, labels[:8])) + (", ..." if len(labels) > 8 else "")
        taken = "those" if mask.any() else "none, as none is"
        said.append(
            Warning(
                "mask.labels",
                f"{label} contains the values {listed}, like a label map: taken as white were "
                f"{taken} above {threshold} (threshold)",
                {"plane": name, "values": labels, "threshold": threshold},
            )
        )
    return Drawing(mask, tuple(said))


def _from_copy(alpha: NDArray[Any], opaque: NDArray[np.bool_], label: str) -> Drawing:
    """Read the mask from a copy of the photo that was partly erased or cut out."""
    if np.count_nonzero(opaque) * 2 >= opaque.size:
        text = "a photo with a part erased: its transparent part is the hole"
        return Drawing(erased(_as_integers(alpha)), (Warning("mask.erased", f"{label} is {text}"),))
    text = "cut out of a photo: the remaining part is the hole"
    return Drawing(opaque, (Warning("mask.cutout", f"{label} is {text}"),))


def _high(plane: NDArray[Any], label: str, threshold: int, *, lossy: bool) -> NDArray[np.bool_]:
    """Return the pixels above the threshold; the range is 0 to 1, 255 or 65535 by the values.

    Label maps have 0 and 1 even in 8-bit files, but a black JPEG may contain 1s as well.
    """
    if plane.dtype == np.bool_:
        return plane
    if np.issubdtype(plane.dtype, np.floating):
        check_range(plane, label)
        return np.asarray(plane > (threshold + 0.5) / 255)
    low, high = int(plane.min()), int(plane.max())
    if low < 0 or high > 65535:
        raise MaskError(
            f"{label}: expected values of 0 and 1, or up to 255 or 65535, got {low} to {high}",
            code="mask.values",
            name=label,
            low=low,
            high=high,
        )
    if high <= 1 and not lossy:
        return np.asarray(plane == 1)
    most = _max_value(plane)
    return np.asarray(plane > (threshold if most == 255 else threshold * 257 + 128))


def _max_value(plane: NDArray[Any]) -> int:
    return 255 if plane.max() <= 255 else 65535


def _as_integers(plane: NDArray[Any]) -> NDArray[Any]:
    """Convert alpha to uint8 or uint16."""
    if plane.dtype.kind == "f":
        return np.rint(np.clip(plane.astype(np.float64), 0, 1) * 65535).astype(np.uint16)
    if plane.dtype == np.bool_:
        return plane.astype(np.uint8) * np.uint8(255)
    return plane.astype(np.uint8 if plane.max() <= 255 else np.uint16)


def _levels(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Sample about a million values of a plane, scaled to 255; none if they are not gray levels."""
    step = max(1, round((plane.size / _SAMPLE) ** (1 / plane.ndim)))
    values = plane[(slice(None, None, step),) * plane.ndim].ravel()
    if values.dtype.kind == "f":
        if values.size and not (values.min() >= -OVERSHOOT and values.max() <= 1 + OVERSHOOT):
            return np.empty(0, np.uint8)
        return np.rint(np.clip(values.astype(np.float32), 0, 1) * 255).astype(np.uint8)
    if values.dtype == np.bool_ or values.size == 0:
        return np.empty(0, np.uint8)
    return (values if _max_value(plane) == 255 else values // 257).astype(np.uint8)


def _is_photo(plane: NDArray[Any]) -> bool:
    """Return whether values are those of a photo rather than of a drawing."""
    levels = _levels(plane)
    if not levels.size:
        return False
    counts = np.bincount(levels, minlength=256)
    middle = counts[_NEAR_BLACK + 1 : _NEAR_WHITE].sum()
    return bool(np.count_nonzero(counts) >= _PHOTO_LEVELS and middle > _PHOTO_SHARE * levels.size)


def _is_copy(color: NDArray[Any], opaque: NDArray[np.bool_], photo: Photo) -> bool:
    """Return whether the opaque part of a mask shows the same as the photo, mostly."""
    if color.shape[:2] != photo.shape or 2 * np.count_nonzero(opaque) < opaque.size:
        return False
    step = max(1, round((opaque.size / _SAMPLE) ** 0.5))
    seen = opaque[::step, ::step]
    own = color[::step, ::step][seen].astype(np.float32)
    own *= 255 / (1 if color.dtype.kind in "fb" else _max_value(color))
    other = photo.pixels[::step, ::step][seen].astype(np.float32) * (255 / photo.max_value)
    return bool((np.abs(own - other).max(axis=1) <= _SAME).mean() >= _SAME_SHARE)


def _labels(plane: NDArray[Any]) -> list[int]:
    """Return the values of a label map; none for a black-and-white plane, with soft edges or not.

    Soft edges have values between black and white too, but no areas of one value.
    """
    if plane.dtype.kind not in "ui" or plane.max() <= 1 or min(plane.shape) < 3:
        return []
    middle = plane[1:-1, 1:-1]
    most = _max_value(plane)
    flat = (middle > 0) & (middle < most)
    if not flat.any():
        return []
    for beside in (plane[:-2, 1:-1], plane[2:, 1:-1], plane[1:-1, :-2], plane[1:-1, 2:]):
        flat &= beside == middle
    values, counts = np.unique(middle[flat], return_counts=True)
    if not (counts >= _LEAST_LABEL).any():
        return []
    everything = np.unique(plane)
    if len(everything) > _MOST_LABELS:
        return []
    shown = {int(value) for value in values[counts >= _LEAST_LABEL]}
    return [int(value) for value in everything if value in shown or value in (0, most)]
