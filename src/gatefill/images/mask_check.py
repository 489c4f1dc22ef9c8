"""Warnings about masks that are probably wrong, given before the fill."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import MaskError, Warning
from gatefill.images.photo import Photo
from gatefill.stopping import left_behind, stop_point, strips

INVERTED_SHARE = 0.7

# A mask that misses the edge of an object leaves a thin rim of it outside the hole: going outwards,
# colors then change within a few pixels, at about the same distance all along the hole. Elsewhere
# in photographs they change just as often a little further out. Distances are in pixels outwards;
# the other constants were chosen on pasted objects with masks two and three pixels too small.
_REACH = 11
_NEAR, _BEYOND, _FAR = slice(2), slice(4, 7), slice(8, _REACH)
_CHANGE = 0.06  # smallest change of color, as a share of the range of a channel
_TIMES = 2.0  # smallest ratio of the larger of the two changes to the smaller
_RIM_SHARE = 0.25
_MIN_RIM, _MAX_RIM = 20, 20_000  # number of points along the hole to examine
_MOST_CHANGES = 500_000  # more changes mean noise, whose edge has no outside
_TANGENT = 4  # contour points on each side that give its direction


def mask_warnings(photo: Photo, mask: NDArray[np.bool_]) -> list[Warning]:
    """Return warnings about a mask that is probably wrong.

    Args:
        photo: The photo that the mask is for.
        mask: Bool ``HW``, True = hole.

    Returns:
        A warning for each likely mistake; usually none.
    """
    if mask.shape != photo.shape:
        raise MaskError(
            f"expected a mask of size {photo.shape}, got {mask.shape}",
            code="frame.plane",
            plane="mask",
            shape=list(mask.shape),
        )
    if not mask.any():
        return [
            Warning(
                "mask.empty",
                "the mask is empty: the photo comes back unchanged (white marks the hole)",
            )
        ]
    warnings = []
    share = float(mask.mean())
    if share > INVERTED_SHARE:
        warnings.append(
            Warning(
                "mask.inverted",
                f"the hole covers {share:.0%} of the photo: is the mask inverted?",
                {"percent": round(100 * share)},
            )
        )
    if rim_share(photo, mask) > _RIM_SHARE:
        warnings.append(
            Warning(
                "mask.rim",
                "a thin rim of something is left around the hole: does the mask cover all of the "
                "object? Growing it by 4 pixels may help",
            )
        )
    return warnings


def rim_share(photo: Photo, mask: NDArray[np.bool_]) -> float:
    """Compare how often colors change close to the hole with how often they do further out.

    Returns:
        The difference of the two shares, in [-1, 1]: 1 if a thin rim of another color surrounds the
        whole hole, about 0 for a hole anywhere in a photograph. 0 if the edge is too short to tell.
    """
    colors = _outwards(photo.pixels, mask)
    if len(colors) < _MIN_RIM:
        return 0.0
    values = colors.astype(np.float32) / photo.max_value
    near, beyond, far = (values[:, part].mean(axis=1) for part in (_NEAR, _BEYOND, _FAR))
    close = np.abs(near - beyond).max(axis=1)
    further = np.abs(beyond - far).max(axis=1)
    rim = (close > _CHANGE) & (close > _TIMES * further)
    control = (further > _CHANGE) & (further > _TIMES * close)
    return float(rim.mean() - control.mean())


def _outwards(pixels: Any, mask: NDArray[np.bool_]) -> Any:
    """Return ``NKC``: the pixels at 1 to K steps outwards from N points on the hole's edge.

    Points are left out if their line leaves the photo or enters the hole again.
    """
    places, normals = _edge(mask)
    steps = np.arange(-1, _REACH + 1)
    ways = np.rint(places[:, None] + normals[:, None] * steps[:, None]).astype(np.intp)
    inside = ((ways >= 0) & (ways < mask.shape)).all(axis=(1, 2))
    rows, columns = ways[inside].transpose(2, 0, 1)
    hole = mask[rows, columns]
    # One step back is hole; the first step may be hole, too, the others must not.
    usable = hole[:, 0] & ~hole[:, 3:].any(axis=1)
    return pixels[rows[usable, 2:], columns[usable, 2:]]


def _changes(mask: NDArray[np.bool_]) -> int:
    """Count how often hole and known pixels alternate along the rows."""
    count = 0
    for rows in strips(*mask.shape):
        count += int(np.count_nonzero(mask[rows, 1:] != mask[rows, :-1]))
    return count


def _edge(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pixels on the hole's edge, ``N2`` (row, column), and unit normals outwards, ``N2``."""
    nothing = np.empty((0, 2))
    if _changes(mask) > _MOST_CHANGES:
        return nothing, nothing
    plane = mask.view(np.uint8)
    found, _ = left_behind(
        lambda: cv2.findContours(plane, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE), mask.size
    )
    contours = [contour[:, 0, ::-1] for contour in found if len(contour) > 2 * _TANGENT]
    if not contours:
        return nothing, nothing
    tangents = []
    for line in contours:
        stop_point()
        tangents.append(np.roll(line, -_TANGENT, 0) - np.roll(line, _TANGENT, 0))
    places, tangent = np.concatenate(contours), np.concatenate(tangents).astype(np.float64)
    every = -(-len(places) // _MAX_RIM)
    places, tangent = places[::every], tangent[::every]
    length = np.hypot(*tangent.T)
    places, tangent = places[length > 0], tangent[length > 0] / length[length > 0, None]
    # OpenCV orders contour points so that the hole is always on the same side.
    return places.astype(np.float64), np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
