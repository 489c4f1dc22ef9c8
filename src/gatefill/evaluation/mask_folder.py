"""Masks from a folder: found by the photos' names, or selected at random."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gatefill.errors import DataError, MaskError
from gatefill.evaluation.files import file_sum
from gatefill.evaluation.metrics.base import Mask, Pixels
from gatefill.evaluation.photos import SUFFIXES, PhotoEntry, square
from gatefill.images import Photo, read_mask


class MaskFolder:
    """The masks in a folder, as one kind of mask.

    A mask belongs to a photo ``a.jpg`` if its name is ``a.png``, ``a.jpg.png``, ``a.jpg.mask.png``
    or ``a_mask*.png``. If no mask belongs to any photo, each photo gets a random mask by the seed,
    stretched to the photo.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = re.sub(r"[^A-Za-z0-9_.]", "_", folder.resolve().name)
        self.files = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()
        )
        if not self.files:
            raise DataError(
                f"expected masks in {folder}, found none",
                code="compare.no_mask_files",
                folder=str(folder),
            )
        self._by_name = False

    def sums(self) -> list[list[str]]:
        """Return name and checksum of each file."""
        return [[path.name, file_sum(path)] for path in self.files]

    def match(self, photos: list[PhotoEntry]) -> None:
        """Find out whether masks belong to photos by name."""
        self._by_name = any(self._of(photo) is not None for photo in photos)

    def mask(
        self,
        entry: PhotoEntry,
        photo: Photo,
        truth: Pixels,
        size: int | None,
        rng: np.random.Generator,
    ) -> Mask:
        """Return the mask of a photo, in the size of `truth`, the compared part of the photo.

        Raises ImageError or MaskError if there is none, if it does not fit the photo, or if it
        covers nothing or everything.
        """
        if not self._by_name:
            path = self.files[int(rng.integers(len(self.files)))]
            mask = read_mask(path, Photo(truth), resize=True)
        elif (found := self._of(entry)) is None:
            raise MaskError(f"no mask in {self.folder} is named after it", code="compare.no_mask")
        else:
            path = found
            drawn = read_mask(path, photo).astype(np.uint8) * np.uint8(255)
            mask = square(drawn, size) > 127
        if not mask.any() or mask.all():
            share = "nothing" if not mask.any() else "everything"
            raise MaskError(
                f"{path.name} covers {share} of the square that is compared",
                code="compare.empty_mask",
                file=path.name,
            )
        return mask

    def _of(self, entry: PhotoEntry) -> Path | None:
        whole = Path(entry.name).name
        stem = Path(whole).stem
        for path in self.files:
            name = path.stem
            if name in (stem, whole, f"{whole}.mask") or name.startswith(f"{stem}_mask"):
                return path
        return None


def split(masks: tuple[str, ...]) -> tuple[list[str], dict[str, MaskFolder]]:
    """Return the names of all kinds, and those that are folders, by name."""
    kinds, folders = [], {}
    for text in masks:
        if Path(text).is_dir():
            found = MaskFolder(Path(text))
            folders[found.name] = found
            text = found.name
        kinds.append(text)
    return kinds, folders
