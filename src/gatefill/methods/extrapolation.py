"""Extrapolate edges into a hole: colors go on in the direction in which the photo is coherent.

A shoreline that ends at a hole in the photo's border has no other end to be joined with. Here the
structure tensor around the hole says which way edges run (Weickert: Coherence-Enhancing Diffusion,
IJCV 1999), and each hole pixel takes the color that a straight line in that direction meets first
(as in Bornemann, Maerz: Fast Image Inpainting Based on Coherence Transport, JMIV 2007, whose lines
are curved). It is a start for a search and no fill: it has no texture.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import bounding_box
from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask

NEAR = 2.0  # pixels, the smallest standard deviation over which tensors are averaged
NOISE = 0.02  # of color from pixel to pixel, which is no edge
UNSURE, SURE = 0.4, 0.8  # coherence that is not trusted at all, and fully
APART = 0.15  # of color between both ends of a line that halves the trust

STEPS = 8  # pixels that lines are followed for at once

Plane = NDArray[np.float32]
Places = NDArray[np.int64]


class Extrapolated(NamedTuple):
    """Colors for a hole, and how far they can be trusted."""

    colors: Image  # HW3
    trust: Plane  # HW, in [0, 1], 0 outside the hole


def extrapolate(image: Image, known: Mask, hole: Mask) -> Extrapolated:
    """Carry the colors around a hole on along the edges around it.

    Args:
        image: ``HW3`` in [0, 1], small: time goes with the hole's pixels times its side.
        known: ``HW``, where colors may be taken from.
        hole: ``HW``, disjoint from `known`.
    """
    box = bounding_box(hole)
    colors, trust = image.copy(), np.zeros(hole.shape, np.float32)
    if box is not None and known.any():
        near = box.grown(2 * max(box.height, box.width), *hole.shape).slices
        found = _extrapolated(image[near], known[near], hole[near])
        colors[near], trust[near] = found
    return Extrapolated(colors, trust)


def _extrapolated(image: Image, known: Mask, hole: Mask) -> Extrapolated:
    """The same for a part of the photo."""
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
    """Follow a straight line from each place to the first known pixel.

    Returns the lines that meet one, rows and columns of it, and the distances, inf for the others.
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
    """The direction of edges at places in the hole, down and right, and their coherence."""
    side = max(np.ptp(ys), np.ptp(xs)) + 1
    tensor, inside = _tensors(image, known)
    sums = np.zeros((ys.size, 4), np.float32)
    planes = np.dstack([tensor, inside])
    height, width = known.shape
    scale = 1
    while scale == 1 or NEAR * scale <= side:  # near edges count most, some are always in reach
        blurred = cv2.GaussianBlur(planes, (0, 0), NEAR, borderType=cv2.BORDER_CONSTANT)
        sums += pyramid.enlarge(np.asarray(blurred, np.float32), height, width)[ys, xs]
        scale *= 2
        planes = pyramid.shrink(planes, -(-height // scale), -(-width // scale))
    xx, xy, yy = (sums[:, :3] / np.maximum(sums[:, 3:], 1e-6)).T
    coherence = np.hypot(xx - yy, 2 * xy) / (xx + yy + NOISE**2)
    across = 0.5 * np.arctan2(2 * xy, xx - yy)
    return np.cos(across), -np.sin(across), np.asarray(coherence, np.float32)


def _tensors(image: Image, known: Mask) -> tuple[Image, Plane]:
    """The structure tensor (xx, xy, yy), ``HW3``, and where it is measured; 0 elsewhere."""
    across, down = np.zeros_like(image), np.zeros_like(image)
    across[:, 1:-1] = (image[:, 2:] - image[:, :-2]) / 2
    down[1:-1] = (image[2:] - image[:-2]) / 2
    inside = np.asarray(cv2.erode(known.astype(np.float32), np.ones((3, 3))), np.float32)
    inside[[0, -1]] = 0
    inside[:, [0, -1]] = 0
    tensor = np.stack([across**2, across * down, down**2], axis=3).sum(axis=2)
    return tensor * inside[..., None], inside
