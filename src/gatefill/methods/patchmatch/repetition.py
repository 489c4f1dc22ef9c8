"""Finds how a photo repeats itself around a hole: bricks, tiles, windows, stripes, screen dots.

A few offsets at which many parts of a photo are similar are enough to continue a repetition (He,
Sun: Statistics of Patch Offsets for Image Completion, ECCV 2012). Here the offsets come from the
autocorrelation of the known pixels, computed for all offsets at once by the Fourier transform, with
holes left out of every sum (Padfield: Masked Object Registration in the Fourier Domain, 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.compiling import compiled
from gatefill.geometry import Box, bounding_box
from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

LEAST = 8  # shortest offset, pixels; shorter ones are similar in any smooth photo
DETAIL = 16.0  # standard deviation, pixels, of the high-pass filter that removes lighting
NOISE = 2e-4  # variance of noise in a color
OVERLAP = 0.1  # smallest share of known pixels with a known partner at an offset
OFFSETS = 40  # number of offsets that are kept
ALIKE = 0.45  # largest remaining share of the variance between a part and its repetition
CONTRAST = 0.15  # by which the share is higher on the way there; not so along a mere edge
WORSE = 0.1  # by which an offset's share may exceed the best one's
DEPART = 16  # distance in pixels for CONTRAST
REPEATS = 3  # number of similar offsets that make a repetition
SURE = 0.4  # largest remaining share around a hole pixel that is predicted
SHORT = 64  # rows and columns of offsets that are tested first, at full size
STEPS = 16  # largest number of offsets from a hole pixel to a known one
SAMPLES = 4000  # number of pixels for refining offsets at a finer level
CELL = 8  # side in pixels of the squares over which differences are summed

BESIDE = np.array([(0, 0), *((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x)])

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Repetition:
    """The repetition of a photo around its hole."""

    offsets: NDArray[np.int32]  # K2 (down, right), most similar first
    choice: NDArray[np.int16]  # HW, index of the best offset of a hole pixel; -1: none is reliable
    targets: tuple[NDArray[np.int64], ...]  # rows and columns of the N predicted pixels
    sources: tuple[NDArray[np.int64], ...]  # rows and columns of their sources

    @property
    def predicted(self) -> Mask:
        """``HW``, True where the choice is reliable."""
        mask = np.zeros(self.choice.shape, bool)
        mask[self.targets] = True
        return mask

    def copied(self, plane: Plane) -> Plane:
        """Copy the predicted pixels into the hole of a plane ``HW`` or ``HWC``."""
        plane = plane.copy()
        plane[self.targets] = plane[self.sources]
        return plane

    def finer(self, image: Image, material: Mask, hole: Mask) -> Repetition:
        """Refine the repetition for twice the size.

        image, material, hole: as for `find_repetition`, at the larger size.
        """
        known = material & ~hole
        offsets = _refined(2 * self.offsets, image, known, _near(hole))
        height, width = self.choice.shape
        ys, xs = np.nonzero(hole)
        choice = np.full(hole.shape, -1, np.int16)
        choice[ys, xs] = self.choice[
            np.minimum(ys // 2, height - 1), np.minimum(xs // 2, width - 1)
        ]
        return _followed(offsets, choice, known)


def _followed(offsets: NDArray[np.int32], choice: NDArray[np.int16], known: Mask) -> Repetition:
    """Follow each choice until a known pixel is reached; drop those that reach none."""
    targets = np.nonzero(choice >= 0)
    ys, xs = targets[0].copy(), targets[1].copy()
    height, width = known.shape
    moving = np.ones(ys.shape, bool)
    for _ in range(STEPS):
        stop_point()
        chosen = choice[ys[moving], xs[moving]]
        ys[moving] += offsets[chosen, 0]
        xs[moving] += offsets[chosen, 1]
        moving &= (ys >= 0) & (xs >= 0) & (ys < height) & (xs < width)
        moving[moving] = choice[ys[moving], xs[moving]] >= 0
    good = (ys >= 0) & (xs >= 0) & (ys < height) & (xs < width)
    good[good] = known[ys[good], xs[good]]
    return Repetition(offsets, choice, tuple(axis[good] for axis in targets), (ys[good], xs[good]))


def search_area(hole: Mask) -> int:
    """Return the number of pixels that `find_repetition` examines."""
    box = _near(hole)
    return box.height * box.width


def _near(hole: Mask) -> Box:
    """Return the hole's surroundings, as wide as the hole; empty without a hole."""
    box = bounding_box(hole)
    if box is None:
        return Box(0, 0, 0, 0)
    return box.grown(max(64, box.height, box.width), *hole.shape)


def find_repetition(
    image: Image, material: Mask, hole: Mask, threads: Threads | None = None
) -> Repetition | None:
    """Find the offsets at which the surroundings of the hole repeat; None if nothing does.

    Args:
        image: ``HW3`` in [0, 1].
        material: ``HW``, True = known and may be copied from.
        hole: ``HW``, pixels to predict.
        threads: The threads to use. Default: only the current one.
    """
    near = _near(hole).slices
    if not hole[near].any():
        return None
    image, known, hole_near = image[near], (material & ~hole)[near], hole[near]
    gray = np.asarray(cv2.transform(image, np.full((1, 3), 1 / 3, np.float32)), np.float32)
    detail = _detail(gray.reshape(known.shape), known)
    if not _may_repeat(detail, known):
        return None
    offsets = _alike(detail, known)
    if not len(offsets):
        return None
    period = float(np.hypot(*offsets.T).min())
    offsets = _reaching(np.stack([offsets, -offsets], axis=1).reshape(-1, 2), known, hole_near)
    choice = np.full(hole.shape, -1, np.int16)
    cells = -(-known.shape[0] // CELL), -(-known.shape[1] // CELL)
    differences = np.zeros((len(offsets), *cells, 3), np.float32)
    (threads or Threads(1)).run(
        _differences,
        len(offsets),
        np.ascontiguousarray(image),
        detail,
        known,
        offsets,
        differences,
        tick=stop_point,
    )
    choice[near] = _choice(_shares(differences, period, hole_near), known, hole_near, offsets)
    return _followed(offsets, choice, material & ~hole)


def _detail(gray: Plane, known: Mask) -> Plane:
    """Return the gray image without slow changes, 0 at unknown pixels."""
    weight = known.astype(np.float32)
    height, width = known.shape
    # Slow changes need no resolution; at a quarter of the size this is a sixteenth of the work.
    size = -(-height // 4), -(-width // 4)
    sums, share = (
        cv2.GaussianBlur(
            pyramid.shrink(plane, *size), (0, 0), DETAIL / 4, borderType=cv2.BORDER_CONSTANT
        )
        for plane in (gray * weight, weight)
    )
    mean = np.asarray(sums / np.maximum(share, 1e-4), np.float32)
    return np.asarray((gray - pyramid.enlarge(mean, height, width)) * weight, np.float32)


def _may_repeat(detail: Plane, known: Mask) -> bool:
    """Test quickly for repetition: short offsets at full size, and all at half the size."""
    if len(_alike(detail, known, reach=SHORT)):
        return True
    height, width = -(-detail.shape[0] // 2), -(-detail.shape[1] // 2)
    share = pyramid.shrink(known.astype(np.float32), height, width)
    small = pyramid.shrink(detail, height, width)
    return len(_alike(np.where(share > 0.5, small, np.float32(0)), share > 0.5)) > 0


def _alike(detail: Plane, known: Mask, reach: int | None = None) -> NDArray[np.int32]:
    """Return offsets, in one half of the plane, at which the image repeats itself, the best first.

    The difference at an offset is the mean square over all pairs of known pixels, relative to its
    value for unrelated pixels. It is low at a repetition, and higher between.

    Args:
        detail: The gray image without slow changes, ``HW``.
        known: ``HW``.
        reach: Rows and columns of the longest offset. Default: any.

    Returns:
        ``K2``; empty if there are so few offsets that they may be chance.
    """
    height, width = known.shape
    rows, columns = (side if reach is None else min(side, reach) for side in known.shape)
    shape = cv2.getOptimalDFTSize(height + rows - 1), cv2.getOptimalDFTSize(width + columns - 1)
    weight, squares, values = (
        _spectrum(plane, shape) for plane in (known.astype(np.float32), detail**2, detail)
    )
    pairs = _correlation(_product(weight, weight), rows, columns)
    energy = _correlation(_product(weight, squares) + _product(squares, weight), rows, columns)
    product = _correlation(_product(values, values), rows, columns)
    stop_point()
    difference = energy - 2 * product + NOISE * pairs
    difference /= np.maximum(energy + NOISE * pairs, 1e-6)
    height, width = rows, columns
    down, right = np.ogrid[:height, -width + 1 : width]
    out = (pairs < OVERLAP * known.sum()) | (down**2 + right**2 < LEAST**2)
    far = np.where(out | ((down == 0) & (right < 0)), np.float32(2), difference)
    stop_point()
    lowest = np.asarray(cv2.erode(far, np.ones((3, 3), np.uint8)))
    ys, xs = np.nonzero((far == lowest) & (far < ALIKE))
    order = np.argsort(far[ys, xs], kind="stable")[: 8 * OFFSETS]
    offsets = np.stack([ys[order], xs[order] - width + 1], axis=1).astype(np.int32)
    least = far[ys[order], xs[order]]
    repeats = [
        _on_the_way(difference, offset) > value + CONTRAST
        for offset, value in zip(offsets, least, strict=True)
    ]
    offsets, least = offsets[repeats], least[repeats]
    if _separate(offsets) < REPEATS:
        return offsets[:0]
    return np.asarray(offsets[least < least[0] + WORSE])


def _separate(offsets: NDArray[np.int32]) -> int:
    """Count the offsets, up to `REPEATS`, that are not next to a better one."""
    chosen: list[NDArray[np.int32]] = []
    for offset in offsets:
        apart = np.hypot(*offset) / 4
        if all(np.hypot(*(offset - other)) > apart for other in chosen):
            chosen.append(offset)
        if len(chosen) == REPEATS:
            break
    return len(chosen)


def _on_the_way(difference: Plane, offset: NDArray[np.int32]) -> float:
    """Return the largest difference at the first pixels on the way to an offset.

    Farther away, a hole across an edge could hide that all parts of the edge are similar.
    """
    steps = int(np.abs(offset).max())
    way = np.rint(np.outer(np.arange(min(steps, DEPART)) / steps, offset)).astype(np.intp)
    return float(difference[way[:, 0], way[:, 1] + difference.shape[1] // 2].max())


def _spectrum(plane: Plane, shape: tuple[int, int]) -> Plane:
    stop_point()
    padded = np.zeros(shape, np.float32)
    padded[: plane.shape[0], : plane.shape[1]] = plane
    return np.asarray(cv2.dft(padded), np.float32)


def _product(first: Plane, second: Plane) -> Plane:
    return np.asarray(cv2.mulSpectrums(second, first, 0, conjB=True), np.float32)


def _correlation(product: Plane, rows: int, columns: int) -> Plane:
    """Sum first(p) second(p + d) over p, for d of rows from 0, columns from 1 - columns on."""
    stop_point()
    plane = cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
    part = plane[:rows]
    return np.concatenate([part[:, part.shape[1] - columns + 1 :], part[:, :columns]], axis=1)


def _reaching(offsets: NDArray[np.int32], known: Mask, hole: Mask) -> NDArray[np.int32]:
    """Select the best offsets, and further ones that connect parts of the hole to known pixels."""
    ys, xs = (axis[:: max(len(axis) // 2000, 1)] for axis in np.nonzero(hole))
    height, width = known.shape
    reached = np.zeros(ys.shape, bool)
    chosen: list[int] = []
    for number, (down, right) in enumerate(offsets[: 16 * OFFSETS]):
        if len(chosen) >= OFFSETS * 3 // 4 and reached.all():
            break
        y, x = ys + down, xs + right
        inside = (y >= 0) & (x >= 0) & (y < height) & (x < width)
        inside[inside] = known[y[inside], x[inside]]
        if len(chosen) < OFFSETS * 3 // 4 or (inside & ~reached).sum() > 0.02 * ys.size:
            chosen.append(number)
            reached |= inside
        if len(chosen) == OFFSETS:
            break
    return np.ascontiguousarray(offsets[chosen])


def _refined(offsets: NDArray[np.int32], image: Image, known: Mask, near: Box) -> NDArray[np.int32]:
    """Move each offset by up to one pixel if the photo is more similar there."""
    ys, xs = np.nonzero(known[near.slices])
    step = max(ys.size // SAMPLES, 1)
    ys, xs = ys[::step] + near.top, xs[::step] + near.left
    height, width = known.shape
    found = offsets.copy()
    for number, offset in enumerate(offsets):
        least = np.inf
        for down, right in offset + BESIDE:
            y, x = ys + down, xs + right
            good = (y >= 0) & (x >= 0) & (y < height) & (x < width)
            good[good] = known[y[good], x[good]]
            if good.sum() < 16:
                continue
            apart = image[ys[good], xs[good]] - image[y[good], x[good]]
            difference = float((apart**2).mean())
            if difference < least:
                least, found[number] = difference, (down, right)
    return found


def _shares(differences: Plane, period: float, hole: Mask) -> Plane:
    """Return for each offset and cell the remaining share of the variance, ``Khw``.

    It is averaged over a period, so that plain parts of a pattern count together with the rest, and
    extrapolated into the hole from all sides.
    """
    measured = np.clip(period / 2, CELL, DETAIL * 4) / CELL
    spread = max(CELL, 0.2 * float(np.sqrt(hole.sum()))) / CELL
    shares = np.empty(differences.shape[:3], np.float32)
    for number, cells in enumerate(differences):
        stop_point()
        blurred = cv2.GaussianBlur(cells, (0, 0), measured, borderType=cv2.BORDER_CONSTANT)
        difference, energy, pairs = cv2.split(blurred)
        share = (difference + NOISE * pairs) / (energy + NOISE * pairs + 1e-9)
        weight = cells[..., 2]
        planes = np.stack([np.minimum(share, 1) * weight, weight], axis=2)
        share, weight = cv2.split(
            cv2.GaussianBlur(planes, (0, 0), spread, borderType=cv2.BORDER_CONSTANT)
        )
        near = weight > 1e-3
        mean = np.where(near, share / np.maximum(weight, 1e-3), 1).astype(np.float32)
        shares[number] = pyramid.pull_push(mean[..., None], near)[..., 0] if near.any() else 1
    return shares


def _choice(
    shares: Plane, known: Mask, hole: Mask, offsets: NDArray[np.int32]
) -> NDArray[np.int16]:
    """Return for each hole pixel the index of the offset that fits best around it; -1 for none."""
    height, width = known.shape
    choice = np.full(hole.shape, -1, np.int16)
    reached = known
    for _ in range(STEPS):
        best = np.full(hole.shape, SURE, np.float32)
        missing = hole & ~reached
        for number, (down, right) in enumerate(offsets):
            stop_point()
            rows, there_rows = _overlap(down, height)
            columns, there_columns = _overlap(right, width)
            inside = rows, columns
            share = shares[number]
            if share.min() >= SURE:
                continue
            large = pyramid.enlarge(share, height, width)[inside]
            better = missing[inside] & reached[there_rows, there_columns] & (large < best[inside])
            best[inside][better] = large[better]
            choice[inside][better] = number
        more = missing & (choice >= 0)
        if not more.any():
            break
        reached = reached | more  # pixels far from known ones copy predicted pixels
    return choice


def _overlap(offset: int, length: int) -> tuple[slice, slice]:
    """Return the slices of positions with a partner at an offset, and of the partners."""
    return (
        slice(max(-offset, 0), length - max(offset, 0)),
        slice(max(offset, 0), length + min(offset, 0)),
    )


@compiled()
def _differences(
    start: int, stop: int, image: Any, detail: Any, known: Any, offsets: Any, sums: Any
) -> None:
    """Sum over cells, for each offset: squared difference, both energies, pairs; ``Khw3``."""
    height, width = known.shape
    for number in range(start, stop):
        down, right = offsets[number, 0], offsets[number, 1]
        for y in range(max(-down, 0), height - max(down, 0)):
            for x in range(max(-right, 0), width - max(right, 0)):
                if not (known[y, x] and known[y + down, x + right]):
                    continue
                square = np.float32(0)
                for c in range(3):
                    square += (image[y, x, c] - image[y + down, x + right, c]) ** 2
                row, column = y // CELL, x // CELL
                energy = detail[y, x] ** 2 + detail[y + down, x + right] ** 2
                sums[number, row, column, 0] += square / np.float32(3)
                sums[number, row, column, 1] += energy
                sums[number, row, column, 2] += 1
