"""Masks of training samples: drawn at random, from a weighted mix of kinds, or read from files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import DataError
from gatefill.images import read_photo
from gatefill.masks import MASKS, Mask
from gatefill.training.config import DataConfig, mask_weights
from gatefill.training.data.sources import image_files

WHITE = 127  # pixels above this level of 255 are hole


class MaskMaker:
    """Makes the mask of a sample.

    Files in ``data.mask_folder`` are used in one of two ways. If the folder has a file with the
    name of each image (``photos/a.jpg``, ``masks/a.png``), it is the mask of this image, and is
    scaled, cropped and flipped with it. Otherwise each sample gets a random file, stretched to its
    size and randomly flipped.

    Args:
        config: Of the data.
        images: The training images, to find out whether each has its own mask.

    Raises:
        DataError: If the folder has no images, or has masks for a part of the images only.
    """

    def __init__(self, config: DataConfig, images: Sequence[Path] = ()) -> None:
        weights = mask_weights(config.masks)
        self._kinds, total = [*weights], sum(weights.values())
        self._ends = np.cumsum([weight / total for weight in weights.values()])
        self._files: tuple[Path, ...] = ()
        self._pairs: dict[str, Path] = {}
        if config.mask_folder is not None:
            self._files = image_files(config.mask_folder, "masks")
            named = {file.stem: file for file in self._files}
            own = [image for image in images if image.stem in named]
            if own and len(own) == len(images):
                self._pairs = named
            elif own and not _numbered(named):
                lacking = next(image for image in images if image.stem not in named)
                raise DataError(
                    f"expected a mask in {config.mask_folder.name} for each image or for none, got "
                    f"masks for {len(own)} of {len(images)}; none for {lacking.name}",
                    code="data.masks",
                    images=len(images),
                    masks=len(own),
                )

    @property
    def paired(self) -> bool:
        """Whether each image has its own mask."""
        return bool(self._pairs)

    def for_image(self, image: Path, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
        """The image's own mask, ``HW`` 0 to 255 of the image's shape; None where masks are random.

        Raises:
            ValueError, OSError: It cannot be read.
        """
        if not self._pairs:
            return None
        return _stretched(_read(self._pairs[image.stem]), shape)

    def random(self, height: int, width: int, rng: np.random.Generator) -> Mask:
        """A hole of a random kind or file, ``HW``."""
        if self._files and not self._pairs:
            plane = _read(self._files[int(rng.integers(len(self._files)))])
            turned = plane[:: 1 if rng.random() < 0.5 else -1, :: 1 if rng.random() < 0.5 else -1]
            return is_hole(_stretched(np.ascontiguousarray(turned), (height, width)))
        kind = self._kinds[0]
        if len(self._kinds) > 1:
            kind = self._kinds[int(np.searchsorted(self._ends, rng.random(), side="right"))]
        return MASKS[kind](height, width, rng)


def is_hole(plane: NDArray[np.uint8]) -> Mask:
    """Threshold a mask at half of the range; white is hole."""
    return plane > WHITE


def _read(path: Path) -> NDArray[np.uint8]:
    """Read a mask file as ``HW`` of 0 and 255; in files of 0 and 1, 1 is hole."""
    photo = read_photo(path)
    plane = photo.pixels.max(axis=2)
    if photo.alpha is not None and plane.min() == plane.max():
        plane = photo.alpha  # drawn in the alpha channel only
    labels = plane.max() == 1 and not photo.meta.lossy
    limit = 0 if labels else photo.max_value // 2
    return np.where(plane > limit, np.uint8(255), np.uint8(0))


def _stretched(plane: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    if plane.shape == shape:
        return plane
    way = cv2.INTER_AREA if math.prod(plane.shape) > math.prod(shape) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, shape[::-1], interpolation=way), np.uint8)


def _numbered(names: dict[str, Path]) -> bool:
    """Whether names are numbers, which may match those of images by accident."""
    return all(name.isdecimal() for name in names)
