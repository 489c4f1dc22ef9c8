"""From an image to a sample: scale, crop, flip, mask, sketch; all chance from one generator."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.masks import MASKS, Mask
from gatefill.training.config import DataConfig
from gatefill.training.data.batch import Pixels, Sample
from gatefill.training.data.sketches import SketchExtractor, drawn_sketch, read_edges


def cut_sample(
    image: Pixels,
    edges: NDArray[np.uint8] | None,
    config: DataConfig,
    rng: np.random.Generator,
    extractor: SketchExtractor = drawn_sketch,
) -> Sample:
    """A random sample of an image.

    image: ``HW3`` RGB uint8 of any size. edges: ``HW`` uint8 of an edge file, of any size; read
    only where the config wants sketches from files.
    """
    if edges is not None and edges.shape != image.shape[:2]:
        edges = cv2.resize(edges, image.shape[1::-1]).astype(np.uint8)
    height, width = _scaled_size(image, config, rng)
    top, left = (int(rng.integers(side - config.size + 1)) for side in (height, width))
    flip = config.flip and rng.random() < 0.5
    image = _cut(image, height, width, top, left, flip, config.size)
    if edges is not None:
        # Thin lines would fade where images shrink.
        shrink = max(round(edges.shape[0] / height), 1)
        edges = cv2.dilate(edges, np.ones((shrink, shrink), np.uint8)).astype(np.uint8)
        edges = _cut(edges, height, width, top, left, flip, config.size)
    mask = MASKS[config.masks](config.size, config.size, rng)
    return Sample(image, mask, _sketch(image, edges, config, rng, extractor))


def centre_sample(
    image: Pixels,
    edges: NDArray[np.uint8] | None,
    config: DataConfig,
    rng: np.random.Generator,
    extractor: SketchExtractor = drawn_sketch,
) -> Sample:
    """The middle of an image at the mean scale, for validation; only the mask is random."""
    if edges is not None and edges.shape != image.shape[:2]:
        edges = cv2.resize(edges, image.shape[1::-1]).astype(np.uint8)
    height, width = _size_at(image, config, math.sqrt(config.scale[0] * config.scale[1]))
    top, left = (height - config.size) // 2, (width - config.size) // 2
    place = (height, width, top, left, False, config.size)
    mask = MASKS[config.masks](config.size, config.size, rng)
    image = _cut(image, *place)
    edges = None if edges is None else _cut(edges, *place)
    return Sample(image, mask, _sketch(image, edges, config, rng, extractor))


def _scaled_size(image: Pixels, config: DataConfig, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width before the crop, by a random factor; even on a logarithmic scale."""
    low, high = (math.log(factor) for factor in config.scale)
    return _size_at(image, config, math.exp(rng.uniform(low, high)))


def _size_at(image: Pixels, config: DataConfig, factor: float) -> tuple[int, int]:
    height, width = image.shape[:2]
    if not config.random_crop:
        # The whole image as the official code takes it: both sides to the sample's, times factor.
        side = max(round(config.size * factor), config.size)
        return side, side
    factor = max(factor, config.size / min(height, width))
    return max(round(height * factor), config.size), max(round(width * factor), config.size)


def _cut(
    plane: NDArray[np.uint8], height: int, width: int, top: int, left: int, flip: bool, size: int
) -> NDArray[np.uint8]:
    """The square at (top, left) of a plane once it is scaled to height x width."""
    if (height, width) == plane.shape[:2]:
        part = plane[top : top + size, left : left + size]
    else:
        # Only the part that is wanted is resized: photos are large and samples small.
        per_row, per_column = plane.shape[0] / height, plane.shape[1] / width
        rows = slice(int(top * per_row), math.ceil((top + size) * per_row))
        columns = slice(int(left * per_column), math.ceil((left + size) * per_column))
        smaller = per_row > 1 or per_column > 1
        way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        part = cv2.resize(plane[rows, columns], (size, size), interpolation=way).astype(np.uint8)
    return np.ascontiguousarray(part[:, ::-1] if flip else part)


def _sketch(
    image: Pixels,
    edges: NDArray[np.uint8] | None,
    config: DataConfig,
    rng: np.random.Generator,
    extractor: SketchExtractor,
) -> Mask | None:
    if config.sketches == "none":
        return None
    if rng.random() >= config.sketch_share:
        return np.zeros(image.shape[:2], np.bool_)
    if config.sketches == "files":
        assert edges is not None
        return read_edges(edges)
    return extractor(image, rng)
