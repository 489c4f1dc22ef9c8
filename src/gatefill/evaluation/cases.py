"""Cases: a photo with a hole, determined by the seed and the content of the photo."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatefill.errors import ConfigError, DataError, MaskError
from gatefill.evaluation.mask_folder import MaskFolder
from gatefill.evaluation.metrics.base import Mask, Pixels
from gatefill.evaluation.photos import SUFFIXES, PhotoEntry
from gatefill.images import Photo, read_photo
from gatefill.masks import (
    HOLE_BINS,
    MASK_KINDS,
    MASKS,
    OBJECT,
    generator,
    hole_share,
    place_cutout,
    unknown_kind,
)

GRAY = 127  # fills the holes of inputs, so that methods cannot see the truth


@dataclass(frozen=True, eq=False)
class Case:
    """A photo with a hole, and the true pixels."""

    entry: PhotoEntry
    kind: str
    truth: Pixels  # HW3
    given: Pixels  # HW3, the input of methods; equal to the truth outside the mask
    mask: Mask  # HW, True = hole

    @property
    def key(self) -> str:
        return case_key(self.entry.sum, self.kind)

    @property
    def share(self) -> float:
        """The share of hole pixels, in [0, 1]."""
        return hole_share(self.mask)


def case_key(sum: str, kind: str) -> str:
    """Return the name of a case's files."""
    return f"{sum[:16]}-{kind}"


def read_kinds(
    names: Sequence[str], cutouts: Sequence[Path], folders: Collection[str] = ()
) -> list[str]:
    """Return the kinds of masks after checking their names.

    folders: Names that stand for folders of masks. Raises GatefillError for unknown and repeated
        names,
    and for ``object`` without cut-outs.
    """
    kinds = list(names)
    for kind in kinds:
        if kind not in MASK_KINDS and kind not in folders:
            raise unknown_kind(kind)
        if kinds.count(kind) > 1:
            raise ConfigError(
                f"expected each kind of mask once, got {kind} {kinds.count(kind)} times",
                code="compare.twice",
                name=kind,
            )
    if not kinds:
        raise ConfigError("expected at least one kind of mask, got none", code="compare.no_masks")
    if OBJECT in kinds and not cutouts:
        raise ConfigError(
            "expected a folder of cut-outs (images with alpha) for object masks, got none",
            code="compare.no_cutouts",
        )
    if cutouts and OBJECT not in kinds:
        raise ConfigError(
            "expected cut-outs with masks of kind 'object' only", code="masks.unused_cutouts"
        )
    return kinds


def list_cutouts(folder: Path) -> list[Path]:
    """Return the images in a folder, sorted by name. Raises GatefillError if there are none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(
            f"expected cut-outs, images with alpha, in {folder}, found none",
            code="compare.no_cutouts",
            folder=str(folder),
        )
    return found


def case_seed(seed: int, kind: str, sum: str) -> int:
    """Return the random seed of a case, by seed, kind and content of the photo."""
    digest = hashlib.sha256(f"{seed}/{kind}/{sum}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def make_case(
    entry: PhotoEntry, truth: Pixels, kind: str, seed: int, cutouts: Sequence[Path] = ()
) -> Case:
    """Make a hole of a kind in a photo.

    The hole is gray in the input; for ``object`` it shows one of the cut-outs, the object to
    remove. Raises ImageError or MaskError for a cut-out that cannot be used.
    """
    rng = generator(case_seed(seed, kind, entry.sum))
    height, width = truth.shape[:2]
    if kind == OBJECT:
        rgba = _read_cutout(cutouts[int(rng.integers(len(cutouts)))])
        placement = place_cutout(rgba, height, width, rng)
        return Case(entry, kind, truth, placement.onto(truth), placement.mask)
    return _blanked(entry, kind, truth, MASKS[kind](height, width, rng))


def case_from_folder(
    entry: PhotoEntry, photo: Photo, truth: Pixels, folder: MaskFolder, size: int | None, seed: int
) -> Case:
    """Make a hole in a photo by a mask of a folder.

    photo: As it was read; truth: the compared part of it, at `size`.
    Raises ImageError or MaskError for a mask that cannot be used.
    """
    rng = generator(case_seed(seed, folder.name, entry.sum))
    mask = folder.mask(entry, photo, truth, size, rng)
    return _blanked(entry, folder.name, truth, mask)


def _blanked(entry: PhotoEntry, kind: str, truth: Pixels, mask: Mask) -> Case:
    given = np.where(mask[..., None], np.uint8(GRAY), truth)
    return Case(entry, kind, truth, given, mask)


def _read_cutout(path: Path) -> Pixels:
    photo = read_photo(path)
    if photo.alpha is None:
        raise MaskError(
            f"expected a cut-out with alpha, got one without: {path}",
            code="masks.cutout",
            file=str(path),
        )
    color = np.rint(photo.rgb() * 255).astype(np.uint8)
    alpha = np.rint(photo.alpha / photo.max_value * 255).astype(np.uint8)
    rgba: Pixels = np.dstack([color, alpha])
    return rgba


def check_cutouts(paths: Iterable[Path]) -> None:
    """Raise an error for a cut-out that cannot be used, before the comparison starts."""
    for path in paths:
        place_cutout(_read_cutout(path), 16, 16, 0)


def bin_of(share: float) -> str:
    """Return the bin of a hole share: ``"0-10"`` up to 10 %, ``"60-100"`` above 60 %."""
    for name, (low, high) in HOLE_BINS.items():
        if low < share <= high:
            return name
    return "60-100"
