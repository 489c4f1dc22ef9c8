"""The list of photos of a comparison, with checksums, and photos cut to the size compared at."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gatefill.errors import ConfigError, DataError
from gatefill.evaluation.files import file_sum
from gatefill.evaluation.metrics.base import Pixels
from gatefill.images import Photo, read_photo

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif"}
    | {".ppm", ".pgm", ".pnm"}
)


@dataclass(frozen=True)
class PhotoEntry:
    """A file of the list. The checksum is its identity; the name is for people."""

    name: str  # the path below the folder given, with forward slashes
    path: Path
    sum: str  # SHA-256 of the file; "" where it cannot be read
    problem: str = ""  # why it takes no part, where that is known before it is decoded


def list_photos(
    given: Sequence[Path], *, leave_out: Path | None = None, limit: int | None = None, seed: int = 0
) -> list[PhotoEntry]:
    """The photos in folders (and folders below them) and single files, sorted by name.

    leave_out: a folder that is skipped, such as the report's own.
    limit: at most so many: those whose checksum, mixed with `seed`, comes first, so that the
        choice depends on neither names nor order.
    A file that is there twice takes part once. Raises FileNotFoundError for what is not there,
    DataError where no photo is found.
    """
    if limit is not None and limit < 1:
        raise ConfigError(
            f"expected a limit of 1 or more, got {limit}",
            code="config.range",
            name="limit",
            value=limit,
            least=1,
        )
    entries: list[PhotoEntry] = []
    seen: dict[str, str] = {}
    for path, name in sorted(_named(_files(given, leave_out)), key=lambda item: item[1]):
        entry = _entry(path, name)
        if entry.sum in seen:
            entry = PhotoEntry(name, path, entry.sum, f"the same file as {seen[entry.sum]}")
        elif entry.sum:
            seen[entry.sum] = name
        entries.append(entry)
    if not entries:
        raise DataError(
            f"expected photos in {', '.join(map(str, given))}, found none", code="compare.no_photos"
        )
    if limit is not None and limit < len(seen):
        order = sorted(seen, key=lambda sum: hashlib.sha256(f"{seed}/{sum}".encode()).digest())
        chosen = set(order[:limit])
        entries = [entry for entry in entries if entry.sum in chosen and not entry.problem]
    return entries


def _files(given: Sequence[Path], leave_out: Path | None) -> list[tuple[Path, str]]:
    avoided = None if leave_out is None else leave_out.resolve()
    found = []
    for place in given:
        if place.is_file():
            found.append((place, place.name))
            continue
        if not place.is_dir():
            raise FileNotFoundError(f"no such file or folder: {place}")
        for path in place.rglob("*"):
            name = path.relative_to(place)
            hidden = any(part.startswith(".") for part in name.parts)
            if path.suffix.lower() not in SUFFIXES or hidden or not path.is_file():
                continue
            if avoided is None or avoided not in path.resolve().parents:
                found.append((path, name.as_posix()))
    return found


def _named(files: list[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """The same, with whole paths where two files of different folders would share a name."""
    count = Counter(name for _, name in files)
    return [(path, name if count[name] == 1 else path.as_posix()) for path, name in files]


def _entry(path: Path, name: str) -> PhotoEntry:
    try:
        return PhotoEntry(name, path, file_sum(path))
    except OSError as error:
        return PhotoEntry(name, path, "", f"cannot be read: {error.strerror or error}")


def read_truth(path: Path, size: int | None) -> Pixels:
    """`truth_of` of a file. Raises ImageError for what cannot be read."""
    return truth_of(read_photo(path), size)


def truth_of(photo: Photo, size: int | None) -> Pixels:
    """The photo as uint8 ``HW3``: its middle square at `size` x `size`, or as it is with None.

    16 bits are rounded to 8, gray becomes three equal channels, transparent parts are put on
    white. Raises DataError for photos smaller than `size`: enlarged, they would be easier than
    photos are.
    """
    photo = _opaque(photo)
    pixels: Pixels = np.rint(photo.rgb() * 255).astype(np.uint8)
    if size is not None and min(photo.shape) < size:
        raise DataError(
            f"smaller than {size} pixels: it is {photo.width} x {photo.height}",
            code="compare.small_photo",
            least=size,
            width=photo.width,
            height=photo.height,
        )
    return square(pixels, size)


def square(pixels: Pixels, size: int | None) -> Pixels:
    """The middle square of ``HW`` or ``HWC``, scaled down to `size`; with None all of it."""
    if size is None:
        return pixels
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    if side == size:
        return middle
    return np.asarray(cv2.resize(middle, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _opaque(photo: Photo) -> Photo:
    if photo.alpha is None:
        return photo
    share = photo.alpha[..., None].astype(np.float64) / photo.max_value
    blend = photo.pixels * share + photo.max_value * (1 - share)
    return Photo(np.rint(blend).astype(photo.pixels.dtype), None, photo.meta)
