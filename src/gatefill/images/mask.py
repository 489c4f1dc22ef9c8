"""Reading masks the way people make them. True = hole; in files white = hole."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.images.convert import check_range
from gatefill.images.photo import Photo
from gatefill.images.read import read_planes
from gatefill.images.source import DEFAULT_MAX_PIXELS, ImageError, Source, label_of

_LOSSY = ("JPEG", "MPO", "WEBP")
# Of 255. A drawing has dark and bright opaque pixels; one that lives in alpha has not.
_DARK, _BRIGHT = 64, 191
_NEARLY_OPAQUE = 250


def read_mask(
    source: Source | None,
    photo: Photo,
    *,
    invert: bool = False,
    grow: int = 0,
    resize: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> NDArray[np.bool_]:
    """The hole of `photo` as bool ``HW``, True = hole. It may be empty, but never everything.

    source: where the hole is drawn, white (above 127 of 255) on black, in grey or any colour; or
        in alpha alone, where what is drawn is the hole; or a bool array. None takes the photo's
        own alpha: what is transparent is the hole, with its soft rim.
    invert: the other custom, black = hole.
    grow: pixels by which the hole is widened all round.
    resize: let a mask of another size be stretched to the photo's.
    Raises FileNotFoundError and ImageError (a ValueError) as `read_photo` does, ImageError where
    sizes differ, the photo has no alpha to take, or the mask covers the whole photo.
    """
    if grow < 0:
        raise ImageError(f"expected to grow the mask by 0 pixels or more, got {grow}")
    hole = _from_own_alpha(photo) if source is None else _read(source, "mask", max_pixels)
    if invert:
        hole = ~hole
    if hole.shape != photo.shape:
        hole = _resized(hole, photo, resize, "mask")
    if grow and hole.any():
        hole = _grown(hole, grow)
    if hole.all():
        raise ImageError(
            "the mask covers the whole photo: nothing known is left to fill from"
            + ("" if invert or grow else " (--invert-mask if black marks the hole)")
        )
    return hole


def read_plane(
    source: Source,
    photo: Photo,
    name: str,
    *,
    resize: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> NDArray[np.bool_]:
    """What is white in a drawing of the photo's size, such as a sketch, as bool ``HW``.

    name: what messages call it. It is read like a mask, but may cover everything.
    Raises as `read_mask` does.
    """
    drawn = _read(source, name, max_pixels)
    return drawn if drawn.shape == photo.shape else _resized(drawn, photo, resize, name)


def _read(source: Source, name: str, max_pixels: int) -> NDArray[np.bool_]:
    label = label_of(source, name)
    (colour, alpha), meta = read_planes(source, label, max_pixels)
    return _drawn(colour, alpha, lossy=meta.format in _LOSSY, label=label)


def _from_own_alpha(photo: Photo) -> NDArray[np.bool_]:
    """Where alpha is low, and the half-transparent rim that belongs to it."""
    if photo.alpha is None:
        raise ImageError(
            f"{photo.meta.name} has no transparent part to fill: give a mask as well, "
            "or a photo whose hole is transparent"
        )
    # A soft eraser leaves a rim with traces of what was erased: it is part of the hole, but only
    # where it touches it, so that half-transparent things elsewhere stay.
    clear = photo.alpha <= photo.max_value // 2
    soft = photo.alpha < photo.max_value * _NEARLY_OPAQUE // 255
    _, labels = cv2.connectedComponents(soft.astype(np.uint8), connectivity=8)
    touched = np.unique(labels[clear])
    return np.isin(labels, touched) & soft


def _drawn(colour: Any, alpha: Any, *, lossy: bool, label: str) -> NDArray[np.bool_]:
    # The brightest channel: a hole drawn in pure red or blue is one, too.
    bright = colour[..., 0] if colour.shape[2] == 1 else colour.max(axis=2)
    if alpha is None:
        return _high(bright, lossy=lossy, label=label)
    opaque = _high(alpha, lossy=False, label=label)
    if opaque.all() or not opaque.any():
        return _high(bright, lossy=lossy, label=label)
    drawn = bright[opaque]
    most = _max_value(bright)
    if drawn.min() <= most * _DARK // 255 and drawn.max() >= most * _BRIGHT // 255:
        return _high(bright, lossy=lossy, label=label) & opaque
    return opaque


def _high(plane: NDArray[Any], *, lossy: bool, label: str) -> NDArray[np.bool_]:
    """Above the middle of the plane's range; the range is 0 to 1, 255 or 65535 as the values say.

    Label maps have 0 and 1 even where the file has 8 bits, but a black JPEG may hold 1s as well.
    """
    if plane.dtype == np.bool_:
        return plane
    if plane.dtype.kind not in "uif":
        raise ImageError(f"{label}: expected bool, integer or float values, got {plane.dtype}")
    low, high = float(plane.min()), float(plane.max())
    if np.issubdtype(plane.dtype, np.floating):
        check_range(plane, label)
        return np.asarray(plane > 0.5)
    if low < 0 or high > 65535:
        raise ImageError(
            f"{label}: expected values of 0 and 1, or up to 255 or 65535, "
            f"got {low:.0f} to {high:.0f}"
        )
    if high <= 1 and not lossy:
        return np.asarray(plane == 1)
    return np.asarray(plane > _max_value(plane) // 2)


def _max_value(plane: NDArray[Any]) -> int:
    return 255 if plane.max() <= 255 else 65535


def _resized(hole: NDArray[np.bool_], photo: Photo, allowed: bool, name: str) -> NDArray[np.bool_]:
    if not allowed:
        raise ImageError(
            f"the {name} is {hole.shape[1]} x {hole.shape[0]} and the photo "
            f"{photo.width} x {photo.height}: make them the same size, or stretch the {name} "
            "with --resize-mask (resize_mask=True)"
        )
    # Each pixel takes the mask's pixel under its own centre.
    rows = (2 * np.arange(photo.height) + 1) * hole.shape[0] // (2 * photo.height)
    columns = (2 * np.arange(photo.width) + 1) * hole.shape[1] // (2 * photo.width)
    stretched: NDArray[np.bool_] = hole[rows[:, None], columns]
    return stretched


def _grown(hole: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Every pixel whose distance to the hole is at most `radius`."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    around = (
        slice(max(rows[0] - radius, 0), rows[-1] + radius + 1),
        slice(max(columns[0] - radius, 0), columns[-1] + radius + 1),
    )
    known = (~hole[around]).astype(np.uint8)
    distance = cv2.distanceTransform(known, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    grown = np.zeros_like(hole)
    grown[around] = distance <= radius
    return grown
