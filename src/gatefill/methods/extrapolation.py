"""Extrapolates edges into a hole along the direction in which the photo is coherent.

A shoreline that ends at a hole at the photo's border has no other end to be connected with. The
structure tensor around the hole gives the direction of edges (Weickert: Coherence-Enhancing
Diffusion, IJCV 1999), and each hole pixel takes the color of the first known pixel on a straight
line in that direction (similar to Bornemann, Maerz: Fast Image Inpainting Based on Coherence
Transport, JMIV 2007, with curved lines). The result initializes a search; it has no texture.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import bounding_box
from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask

NEAR = 2.0  # smallest standard deviation for averaging tensors, pixels
NOISE = 0.02  # difference of color between pixels that is not an edge
UNSURE, SURE = 0.4, 0.8  # coherence up to which the trust is 0, and from which it is 1
APART = 0.15  # difference of color of a line's ends that halves the trust

STEPS = 8  # pixels by which all lines are followed at a time

Plane = NDArray[np.float32]
Places = NDArray[np.int64]


class Extrapolated(NamedTuple):
    """Colors for a hole, and their reliability."""

    colors: Image  # HW3
    trust: Plane  # HW, in [0, 1], 0 outside the hole


def extrapolate(image: Image, known: Mask, hole: Mask) -> Extrapolated:
    """Extrapolate the edges around a hole into it.

    Args:
        image: ``HW3`` in [0, 1], small: the time grows with hole pixels times the hole's side.
        known: ``HW``, True = colors may be taken from here.
        hole: ``HW``, True = hole; disjoint from `known`.
    """
    box = bounding_box(hole)
    colors, trust = image.copy(), np.zeros(hole.shape, np.float32)
    if box is not None and known.any():
        near = box.grown(2 * max(box.height, box.width), *hole.shape).slices
        found = _extrapolated(image[near], known[near], hole[near])
        colors[near], trust[near] = found
    return Extrapolated(colors, trust)


def _extrapolated(image: Image, known: Mask, hole: Mask) -> Extrapolated:
    """Do the same for a part of the photo."""
    ys, xs = np.nonzero(hole)
    down, right, coherence = _directions(image, known, ys, xs)
    some = coherence > UNSURE
    ys, xs = ys[some], xs[some]
    down, right, coherence = down[some], right[some], coherence[some]
    smooth = pyramid.smoothed(image, known)
    colors = np.zeros((2, ys.size, 3), np.float32)
    distance = np.full((2, ys.size), np.inf, np.float32)
    for end, sign in enumerate((1, -1)):
        lines, y, x, distance[end] = _first_known(known, ys, xs, sign * down, sign * right)
        colors[end, lines] = smooth[y, x]
    weight = 1 / distance**2
    total = weight.sum(axis=0)
    sure = np.clip((coherence - UNSURE) / (SURE - UNSURE), 0, 1)
    both = np.isfinite(distance).all(axis=0)
    apart = np.abs(colors[0] - colors[1]).max(axis=1)
    sure[both] /= 1 + (apart[both] / APART) ** 2
    found, trust = image.copy(), np.zeros(hole.shape, np.float32)
    met = total > 0
    mean = (weight[..., None] * colors).sum(axis=0)[met] / total[met, None]
    found[ys[met], xs[met]], trust[ys[met], xs[met]] = mean, sure[met]
    return Extrapolated(found, trust)


def _first_known(
    known: Mask, ys: Places, xs: Places, down: Plane, right: Plane
) -> tuple[Places, Places, Places, Plane]:
    """Follow a straight line from each position to the first known pixel.

    Returns the indices of lines that meet one, its rows and columns, and distances; inf for none.
    """
    height, width = known.shape
    beyond = np.pad(np.zeros(known.shape, bool), 1, constant_values=True)
    stops = np.pad(known, 1) | beyond
    distance = np.full(ys.size, np.inf, np.float32)
    end_y, end_x = ys.copy(), xs.copy()
    lines = np.arange(ys.size)
    for begin in range(1, height + width, STEPS):
        steps = np.arange(begin, begin + STEPS, dtype=np.float32)
        y = np.rint(ys[lines, None] + down[lines, None] * steps).astype(np.int64)
        x = np.rint(xs[lines, None] + right[lines, None] * steps).astype(np.int64)
        np.clip(y, -1, height, out=y)
        np.clip(x, -1, width, out=x)
        stop = stops[y + 1, x + 1]
        first = stop.argmax(axis=1)
        row = np.arange(lines.size)
        y, x, ended = y[row, first], x[row, first], stop[row, first]
        met = ended & ~beyond[y + 1, x + 1]
        end_y[lines[met]], end_x[lines[met]] = y[met], x[met]
        distance[lines[met]] = steps[first[met]]
        lines = lines[~ended]
        if not lines.size:
            break
    found = np.flatnonzero(np.isfinite(distance))
    return found, end_y[found], end_x[found], distance


def _directions(image: Image, known: Mask, ys: Places, xs: Places) -> tuple[Plane, Plane, Plane]:
    """Return the direction of edges (down, right) at positions in the hole, and their coherence."""
    side = max(np.ptp(ys), np.ptp(xs)) + 1
    tensor, inside = _tensors(image, known)
    sums = np.zeros((ys.size, 4), np.float32)
    planes = np.dstack([tensor, inside])
    height, width = known.shape
    scale = 1
    while scale == 1 or NEAR * scale <= side:  # near edges weigh most, and some are always in range
        blurred = cv2.GaussianBlur(planes, (0, 0), NEAR, borderType=cv2.BORDER_CONSTANT)
        sums += pyramid.enlarge(np.asarray(blurred, np.float32), height, width)[ys, xs]
        scale *= 2
        planes = pyramid.shrink(planes, -(-height // scale), -(-width // scale))
    xx, xy, yy = (sums[:, :3] / np.maximum(sums[:, 3:], 1e-6)).T
    coherence = np.hypot(xx - yy, 2 * xy) / (xx + yy + NOISE**2)
    across = 0.5 * np.arctan2(2 * xy, xx - yy)
    return np.cos(across), -np.sin(across), np.asarray(coherence, np.float32)


def _tensors(image: Image, known: Mask) -> tuple[Image, Plane]:
    """Return the structure tensor (xx, xy, yy), ``HW3``, and where it is measured; 0 elsewhere."""
    across, down = np.zeros_like(image), np.zeros_like(image)
    across[:, 1:-1] = (image[:, 2:] - image[:, :-2]) / 2
    down[1:-1] = (image[2:] - image[:-2]) / 2
    inside = np.asarray(cv2.erode(known.astype(np.float32), np.ones((3, 3))), np.float32)
    inside[[0, -1]] = 0
    inside[:, [0, -1]] = 0
    tensor = np.stack([across**2, across * down, down**2], axis=3).sum(axis=2)
    return tensor * inside[..., None], inside
