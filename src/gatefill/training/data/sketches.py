"""Edges for guided training that resemble hand-drawn sketches."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.masks import Mask

FILE_THRESHOLD = 0.6  # of the range of an edge file; above is edge, as in the official code


class SketchExtractor(Protocol):
    """Computes the edges of an image; can be replaced by another function (such as HED).

    image: ``HW3`` RGB uint8. rng: the only source of randomness. Returns bool ``HW``, True = edge.
    """

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator, /) -> Mask: ...


def drawn_sketch(image: NDArray[np.uint8], rng: np.random.Generator) -> Mask:
    """Canny edges of a smoothed image, distorted to resemble hand-drawn strokes.

    The smoothing and the thresholds are random, so that sketches range from a few outlines to
    many. Short edges are removed, long ones get gaps, and all lines are slightly distorted and
    drawn two or three pixels wide.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    side = min(gray.shape)
    smooth = cv2.GaussianBlur(gray, (0, 0), rng.uniform(1.0, 2.5) * max(side / 256, 0.5))
    # Thresholds depend on the contrast of the image; otherwise fog would have no edges.
    gradient = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strong = float(np.quantile(np.hypot(*gradient), rng.uniform(0.85, 0.95)))
    edges = np.asarray(cv2.Canny(smooth, 0.4 * strong, max(strong, 8.0)), np.uint8)

    kept = long_edges(edges, shortest=max(side // 16, 3))
    kept = _torn(kept, rng, gaps=int(rng.integers(0, 6)), side=side)
    bent = _bent(kept, rng, reach=max(side / 128, 0.5))
    width = int(rng.integers(2, 4)) if side >= 128 else 1
    drawn = cv2.dilate(bent, np.ones((width, width), np.uint8))
    return drawn > 127


def read_edges(edges: NDArray[np.uint8]) -> Mask:
    """Threshold a channel ``HW`` of an edge file as the official code does."""
    return edges > 255 * FILE_THRESHOLD


def long_edges(edges: NDArray[np.uint8], shortest: int) -> NDArray[np.uint8]:
    """Edges ``HW``, 255 = edge, without connected ones of fewer than `shortest` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    long = stats[:, cv2.CC_STAT_AREA] >= shortest
    long[0] = False  # the background
    return np.where(long[labels], 255, 0).astype(np.uint8)


def _torn(
    edges: NDArray[np.uint8], rng: np.random.Generator, gaps: int, side: int
) -> NDArray[np.uint8]:
    """Add round gaps, as where a pen is lifted."""
    places = np.argwhere(edges)
    for row, column in rng.permutation(places)[:gaps] if len(places) else ():
        radius = int(rng.integers(1, max(side // 20, 2)))
        cv2.circle(edges, (int(column), int(row)), radius, 0, -1)
    return edges


def _bent(edges: NDArray[np.uint8], rng: np.random.Generator, reach: float) -> NDArray[np.uint8]:
    """Shift lines by a smooth random field of about `reach` pixels."""
    height, width = edges.shape
    coarse = rng.normal(0.0, reach, (2, max(height // 16, 2), max(width // 16, 2)))
    rows, columns = (
        cv2.resize(field.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for field in coarse
    )
    grid = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(edges, grid[1] + columns, grid[0] + rows, cv2.INTER_LINEAR).astype(np.uint8)
