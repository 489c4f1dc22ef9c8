"""The folder of a comparison: paths of its files, and how they are written."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import OutputError
from gatefill.evaluation.metrics.base import Pixels
from gatefill.images import Photo, write_atomically

if TYPE_CHECKING:
    from gatefill.evaluation.cases import Case

THUMBNAIL = 320  # longer side of pictures in the report, pixels
QUALITY = 85  # WebP quality of these pictures
_FILES = ("journal.jsonl", "results.json", "results.csv", "photos.csv", "index.html")
_FOLDERS = ("masks", "pictures", "features", "saved")


class Folder:
    """The paths of a comparison in its folder."""

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise OutputError(
                f"expected a folder to write into, got a file: {root}",
                code="output.no_folder",
                file=str(root),
            )
        self.root = root
        self.journal, self.json, self.csv, self.photos, self.page = (root / name for name in _FILES)
        self.masks, self.pictures, self.features, self.saved = (root / name for name in _FOLDERS)

    def check_ours(self) -> None:
        """Raise OutputError if the folder contains files of something else."""
        from gatefill.training.lock import LOCK

        if not self.root.is_dir() or self.journal.exists():
            return
        if any(each.name != LOCK for each in self.root.iterdir()):
            raise OutputError(
                f"{self.root} is not empty and holds no comparison: choose another folder",
                code="compare.foreign_folder",
                folder=str(self.root),
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock. Raises OutputError if another process has it."""
        from gatefill.training.lock import FolderLock  # not above: `gatefill fetch` has no filelock

        lock = FolderLock(self.root)
        lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def clear(self) -> None:
        """Remove the files of a comparison, and nothing else."""
        if not self.journal.exists():
            return
        for folder in (self.masks, self.pictures, self.features, self.saved):
            shutil.rmtree(folder, ignore_errors=True)
        for name in _FILES:
            (self.root / name).unlink(missing_ok=True)

    def save_case(self, case: Case, *, full: bool) -> None:
        """The mask as PNG (white = hole), and small pictures of truth and input.

        full: Save them at full size, too.
        """
        mask = Photo(_plane(case.mask)).to_bytes("png")
        _write(self.masks / f"{case.key}.png", mask)
        _write(self.picture(case.key, "truth"), thumbnail(case.truth))
        _write(self.picture(case.key, "given"), thumbnail(case.given))
        if full:
            _write(self.saved / case.key / "mask.png", mask)
            for name, pixels in (("truth", case.truth), ("given", case.given)):
                _write(self.saved / case.key / f"{name}.png", Photo(pixels).to_bytes("png"))

    def save_fill(self, key: str, label: str, output: Pixels, *, full: bool) -> None:
        """Write a method's fill as a small picture, and at full size if `full`."""
        _write(self.picture(key, slug(label)), thumbnail(output))
        if full:
            _write(self.saved / key / f"{slug(label)}.png", Photo(output).to_bytes("png"))

    def picture(self, key: str, name: str) -> Path:
        """Return the path of a small picture: ``truth``, ``given`` or the `slug` of a method."""
        return self.pictures / key / f"{name}.webp"

    def save_features(self, key: str, label: str | None, values: NDArray[np.float32]) -> None:
        """Write the features of an output, or of the truth if `label` is None."""
        file = io.BytesIO()
        np.save(file, values, allow_pickle=False)
        _write(self._features(key, label), file.getvalue())

    def load_features(self, key: str, label: str | None) -> NDArray[np.float32] | None:
        path = self._features(key, label)
        return np.load(path, allow_pickle=False) if path.exists() else None

    def _features(self, key: str, label: str | None) -> Path:
        return self.features / f"{key}-{'truth' if label is None else slug(label)}.npy"


def file_sum(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def slug(label: str) -> str:
    """Convert a method's label to a file name."""
    return "of-" + re.sub(r"[^A-Za-z0-9._-]", "-", label)


def thumbnail(picture: Pixels) -> bytes:
    """Encode as WebP of at most 320 pixels a side."""
    import PIL.Image

    image = PIL.Image.fromarray(picture)
    image.thumbnail((THUMBNAIL, THUMBNAIL), PIL.Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()


def _plane(mask: NDArray[np.bool_]) -> Pixels:
    return mask.astype(np.uint8)[..., None] * np.uint8(255)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)
