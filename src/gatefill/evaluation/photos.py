"""The photos of a comparison with their checksums, cropped and scaled."""

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
    """A file of the list, identified by its checksum; the name is for display."""

    name: str  # path relative to the given folder, with forward slashes
    path: Path
    sum: str  # SHA-256 of the file; "" if it cannot be read
    problem: str = ""  # why it is excluded, if known before decoding


def list_photos(
    given: Sequence[Path], *, leave_out: Path | None = None, limit: int | None = None, seed: int = 0
) -> list[PhotoEntry]:
    """List the photos in folders, with subfolders, and single files, sorted by name.

    Files with the same content are used once.

    Args:
        given: Folders and files.
        leave_out: A folder to skip, such as that of the report.
        limit: Largest number of photos, selected by their checksum and `seed`, so that the
            selection does not depend on names or order.
        seed: Random seed of the selection.

    Raises:
        FileNotFoundError: If a folder or file does not exist.
        DataError: If there are no photos.
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
    """Use whole paths if two files of different folders would have the same name."""
    count = Counter(name for _, name in files)
    return [(path, name if count[name] == 1 else path.as_posix()) for path, name in files]


def _entry(path: Path, name: str) -> PhotoEntry:
    try:
        return PhotoEntry(name, path, file_sum(path))
    except OSError as error:
        return PhotoEntry(name, path, "", f"cannot be read: {error.strerror or error}")


def read_truth(path: Path, size: int | None) -> Pixels:
    """Return `truth_of` of a file. Raises ImageError if it cannot be read."""
    return truth_of(read_photo(path), size)


def truth_of(photo: Photo, size: int | None) -> Pixels:
    """Convert a photo to uint8 ``HW3``: its central square at `size` x `size`; unchanged for None.

    16 bits are rounded to 8, gray becomes three equal channels, transparent parts are put on white.
    Raises DataError for photos smaller than `size`: upscaled photos would be too easy to fill.
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
    """Crop the central square of ``HW`` or ``HWC`` and downscale it; None: no change."""
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
