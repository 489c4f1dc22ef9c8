"""Make a sample from an image: scale, crop, flip, mask, sketch, with one random generator."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.masks import Mask
from gatefill.training.config import DataConfig
from gatefill.training.data.batch import Pixels, Sample
from gatefill.training.data.masks import MaskMaker, is_hole
from gatefill.training.data.sketches import SketchExtractor, drawn_sketch, read_edges

TRIES = 10  # crops to try until one contains a part of the mask of the image


class CutPlanes(NamedTuple):
    """An image, its edges and its mask, which are cropped together; each may have any size."""

    image: Pixels  # HW3 RGB uint8
    edges: NDArray[np.uint8] | None = None  # HW, of an edge file, if sketches come from files
    mask: NDArray[np.uint8] | None = None  # HW, of the mask of this image, if it has one


class Cutter:
    """Cuts samples out of images.

    Args:
        config: Config of the data.
        masks: Makes the holes of images that have no mask of their own.
        extractor: Computes sketches if the config has `sketches` drawn.
    """

    def __init__(
        self, config: DataConfig, masks: MaskMaker, extractor: SketchExtractor = drawn_sketch
    ) -> None:
        self.config, self.masks, self.extractor = config, masks, extractor

    def random(self, planes: CutPlanes, rng: np.random.Generator) -> Sample:
        """Cut a random sample of an image."""
        config = self.config
        for _ in range(TRIES):
            height, width = _scaled_size(planes.image, config, rng)
            top, left = (
                int(rng.integers(whole - side + 1))
                for whole, side in zip((height, width), config.shape, strict=True)
            )
            flip = config.flip and rng.random() < 0.5
            place = _Place(height, width, top, left, flip, config.shape)
            mask = None if planes.mask is None else is_hole(_cut(planes.mask, place))
            if mask is None or (mask.any() and not mask.all()):
                break
        return self._sample(planes, place, mask, rng)

    def middle(self, planes: CutPlanes, rng: np.random.Generator) -> Sample:
        """Cut the center of an image at the mean scale, for validation; only the mask is random."""
        config = self.config
        factor = math.sqrt(config.scale[0] * config.scale[1])
        height, width = _size_at(planes.image, config, factor)
        top, left = (height - config.shape[0]) // 2, (width - config.shape[1]) // 2
        place = _Place(height, width, top, left, False, config.shape)
        mask = None if planes.mask is None else is_hole(_cut(planes.mask, place))
        return self._sample(planes, place, mask, rng)

    def _sample(
        self, planes: CutPlanes, place: _Place, mask: Mask | None, rng: np.random.Generator
    ) -> Sample:
        image, edges = _cut(planes.image, place), planes.edges
        if edges is not None:
            if edges.shape != planes.image.shape[:2]:
                edges = cv2.resize(edges, planes.image.shape[1::-1]).astype(np.uint8)
            # Thin lines would fade when images are downscaled.
            shrink = max(round(edges.shape[0] / place.height), 1)
            edges = cv2.dilate(edges, np.ones((shrink, shrink), np.uint8)).astype(np.uint8)
            edges = _cut(edges, place)
        if mask is None:
            mask = self.masks.random(*self.config.shape, rng)
        return Sample(image, mask, _sketch(image, edges, self.config, rng, self.extractor))


class _Place(NamedTuple):
    """The position of a sample in an image that is scaled to height x width."""

    height: int
    width: int
    top: int
    left: int
    flip: bool
    shape: tuple[int, int]  # of the sample


def _scaled_size(image: Pixels, config: DataConfig, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width before the crop, by a random factor; even on a logarithmic scale."""
    low, high = (math.log(factor) for factor in config.scale)
    return _size_at(image, config, math.exp(rng.uniform(low, high)))


def _size_at(image: Pixels, config: DataConfig, factor: float) -> tuple[int, int]:
    sides = config.shape
    if not config.random_crop:
        # The whole image as in the official code: both sides to those of the sample, times factor.
        height, width = (max(round(side * factor), side) for side in sides)
        return height, width
    given = image.shape[:2]
    factor = max(factor, *(side / whole for side, whole in zip(sides, given, strict=True)))
    height, width = (
        max(round(whole * factor), side) for side, whole in zip(sides, given, strict=True)
    )
    return height, width


def _cut(plane: NDArray[np.uint8], place: _Place) -> NDArray[np.uint8]:
    """Scale a plane and crop the sample."""
    (rows, columns), (height, width, top, left, flip, _) = place.shape, place
    if (height, width) == plane.shape[:2]:
        part = plane[top : top + rows, left : left + columns]
    else:
        # Only the cropped part is resized: photos are large and samples small.
        per_row, per_column = plane.shape[0] / height, plane.shape[1] / width
        across = slice(int(left * per_column), math.ceil((left + columns) * per_column))
        down = slice(int(top * per_row), math.ceil((top + rows) * per_row))
        smaller = per_row > 1 or per_column > 1
        way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        part = cv2.resize(plane[down, across], (columns, rows), interpolation=way).astype(np.uint8)
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
    if config.sketches == "files" or (config.sketches == "both" and rng.random() < 0.5):
        assert edges is not None
        return read_edges(edges)
    return extractor(image, rng)
