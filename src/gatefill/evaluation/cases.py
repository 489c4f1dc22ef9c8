"""A case: one photo with one hole. It follows from the seed and the photo's content alone."""

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

GRAY = 127  # stands in holes, so that no method can see what it has to find


@dataclass(frozen=True, eq=False)
class Case:
    """A photo with a hole, and what was there."""

    entry: PhotoEntry
    kind: str
    truth: Pixels  # HW3
    given: Pixels  # HW3: what methods get; equal to the truth outside the mask
    mask: Mask  # HW, True = hole

    @property
    def key(self) -> str:
        return case_key(self.entry.sum, self.kind)

    @property
    def share(self) -> float:
        """The hole's share of the photo, in [0, 1]."""
        return hole_share(self.mask)


def case_key(sum: str, kind: str) -> str:
    """What files of a case are called."""
    return f"{sum[:16]}-{kind}"


def read_kinds(
    names: Sequence[str], cutouts: Sequence[Path], folders: Collection[str] = ()
) -> list[str]:
    """Mask kinds by their names, once they are known to be some.

    folders: Names that stand for folders of masks.
    Raises GatefillError for unknown ones, ones that come twice, and ``object`` without cut-outs.
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
    """The images in a folder, sorted by name. Raises GatefillError where there is none."""
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
    """The seed of a case: another for each photo and kind, and the same wherever the photo lies."""
    digest = hashlib.sha256(f"{seed}/{kind}/{sum}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def make_case(
    entry: PhotoEntry, truth: Pixels, kind: str, seed: int, cutouts: Sequence[Path] = ()
) -> Case:
    """Lay a hole of that kind into the photo.

    What stands in the hole is gray. For ``object`` one of the cut-outs stands there, as the thing
    to be removed. Raises ImageError or MaskError for a cut-out that cannot be used.
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
    """Lay a hole of a folder into the photo.

    photo: As it was read; truth: what is compared of it, at `size`.
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
    """Raise for a cut-out that cannot be used, before the work begins."""
    for path in paths:
        place_cutout(_read_cutout(path), 16, 16, 0)


def bin_of(share: float) -> str:
    """The bin of a hole share; "0-10" for more than none and up to 10 %, ``"60-100"`` above all."""
    for name, (low, high) in HOLE_BINS.items():
        if low < share <= high:
            return name
    return "60-100"
