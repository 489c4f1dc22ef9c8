"""Finds the mask of each photo by file names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

MASK_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".pgm")


def mask_owner(name: str) -> str | None:
    """Return the photo that a mask's name refers to; None if it could be the name of a photo.

    ``sub/a.jpg.mask.png`` -> ``sub/a.jpg``; ``sub/a_mask001.png`` -> ``sub/a``.
    """
    path = PurePosixPath(name)
    if path.suffix.lower() not in MASK_SUFFIXES:
        return None
    if path.stem.lower().endswith(".mask"):
        return str(path.with_name(path.stem[: -len(".mask")]))
    before, found, _ = path.stem.rpartition("_mask")
    return str(path.with_name(before)) if found and before else None


class MaskNames:
    """The masks of a folder, by the photos they may belong to.

    The masks of the photo ``sub/a.jpg`` are, in this order: ``sub/a.jpg.mask.png``;
    ``sub/a_mask*.png``, of which there may be several, each a separate hole (as in LaMa);
    ``sub/a.jpg`` and then ``sub/a.png``, unless `beside` the photos, where these are photos.
    """

    def __init__(self, names: Iterable[str], *, beside: bool = False) -> None:
        self._owned: dict[str, list[str]] = defaultdict(list)
        self._exact: set[str] = set()
        self._stems: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            owner = mask_owner(name)
            if owner is not None:
                self._owned[owner].append(name)
            if not beside:
                self._exact.add(name)
                self._stems[str(PurePosixPath(name).with_suffix(""))].append(name)

    def of(self, photo: str) -> list[str]:
        """Return the masks of a photo; several masks are filled one by one."""
        stem = str(PurePosixPath(photo).with_suffix(""))
        if found := self._owned.get(photo) or self._owned.get(stem):
            return found
        if photo in self._exact:
            return [photo]
        return self._stems.get(stem, [])[:1]
