"""Sources of images: a folder, a text list, or shards."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import DataError
from gatefill.images import ImageError, read_photo
from gatefill.training.data.batch import Pixels

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm"),
}
EDGES = ("_edge.png", "_edge.jpg")  # sketches beside NAME.jpg, named as in the official code
_EVERY_SUFFIX = SUFFIXES | {suffix.upper() for suffix in SUFFIXES}
MAX_PIXELS = 100_000_000
MAX_TRANSPARENT = 0.01  # share of pixels; hidden pixels often hold arbitrary values


@dataclass(frozen=True)
class DataSource:
    """Either files or shards."""

    name: str  # as the user gave it
    files: tuple[Path, ...] = ()
    shards: tuple[str, ...] = ()
    missing: tuple[str, ...] = field(default=(), compare=False)  # listed, but missing

    def split(self, holdout: int, seed: int) -> tuple[DataSource, DataSource]:
        """Split the source into training and validation images.

        Of files, `holdout` random ones, the same for every seed alike; at most a tenth. Of shards,
        the last one, where there are two or more.
        """
        if self.shards:
            kept = self.shards[:-1] if holdout and len(self.shards) > 1 else self.shards
            return DataSource(self.name, shards=kept), DataSource(
                self.name, shards=self.shards[len(kept) :]
            )
        count = min(holdout, len(self.files) // 10)
        order = np.random.Generator(np.random.PCG64([seed, len(self.files)]))
        apart = set(order.permutation(len(self.files))[:count].tolist())
        return self.split_at([self.key(self.files[i]) for i in apart])

    def split_at(self, keys: Iterable[str]) -> tuple[DataSource, DataSource]:
        """Split the files into those without and those with the given keys."""
        chosen = set(keys)
        parts = [
            tuple(file for file in self.files if (self.key(file) in chosen) == wanted)
            for wanted in (False, True)
        ]
        return DataSource(self.name, parts[0]), DataSource(self.name, parts[1])

    def key(self, file: Path) -> str:
        """The identifier of a file across sessions: its path relative to the folder of the data."""
        folder = Path(self.name)
        return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()


def open_source(data: str | Path) -> DataSource:
    """Open the source that ``--data`` specifies.

    A folder: all images below it. A text file: one path per line, absolute, or relative to the
        list's
    folder or the current one. Shards: ``name-{000..099}.tar``, a tar file, or a URL that fsspec
    opens. Raises DataError if nothing is found.
    """
    text = str(data)
    if text.endswith(".tar") or "://" in text:
        return DataSource(text, shards=tuple(expand_braces(text)))
    path = Path(data)
    if path.is_dir():
        files = images_below(path)
        shards = tuple(str(each) for each in sorted(path.glob("*.tar")))
        if files or not shards:
            return _not_empty(DataSource(text, files=files), "image files below")
        return DataSource(text, shards=shards)
    if path.is_file():
        files, missing = _listed(path)
        return _not_empty(DataSource(text, files, missing=missing), "existing images listed in")
    raise DataError(
        f"expected a folder of images, a text list or shards ending in .tar as data, got {text!r}",
        code="data.source",
        value=text[:200],
    )


def image_files(folder: Path, what: str) -> tuple[Path, ...]:
    """All images in a folder and its subfolders. Raises DataError if there are none."""
    if not folder.is_dir():
        raise DataError(f"expected a folder of {what}, got {str(folder)!r}", code="data.folder")
    found = images_below(folder)
    if not found:
        raise DataError(f"expected {what} below {folder}, found none", code="data.empty")
    return found


def images_below(folder: Path) -> tuple[Path, ...]:
    """All images in a folder and its subfolders, sorted, without edge files."""
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    files = {path for path in found if path.is_file()}
    return tuple(sorted(path for path in files if not is_edge_file(path, files)))


def expand_braces(pattern: str) -> list[str]:
    """``a-{00..02}.tar`` -> three names; several braces give all combinations."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if not match:
        return [pattern]
    first, last = match[1], match[2]
    names = [str(i).zfill(len(first)) for i in range(int(first), int(last) + 1)]
    if not names:
        raise DataError(
            f"expected a rising range of shards, got {match[0]!r}",
            code="data.range",
            value=match[0],
        )
    rest = expand_braces(pattern[match.end() :])
    return [pattern[: match.start()] + name + tail for name in names for tail in rest]


def is_edge_file(path: Path, files: Collection[Path]) -> bool:
    """Whether a file is the sketch of another one; a photo may be named cliff_edge.jpg as well."""
    end = next((edge for edge in EDGES if path.name.endswith(edge)), None)
    if end is None:
        return False
    name = path.name.removesuffix(end)
    return any(path.with_name(name + suffix) in files for suffix in _EVERY_SUFFIX)


def edge_file(image: Path) -> Path | None:
    """The sketch file of an image, or None."""
    choices = (image.with_name(image.stem + edge) for edge in EDGES)
    return next((choice for choice in choices if choice.is_file()), None)


def decode_image(source: Path | bytes) -> Pixels:
    """Decode an image upright as ``HW3`` RGB uint8. Raises DataError or OSError if it is broken."""
    photo = read_photo(source, max_pixels=MAX_PIXELS)
    pixels = photo.pixels
    if photo.alpha is not None and (photo.alpha < photo.max_value).mean() > MAX_TRANSPARENT:
        raise DataError(
            "has transparent parts, whose pixels are arbitrary", code="data.transparent"
        )
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.asarray(pixels, np.uint8)


def decode_edges(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode the relevant channel of an edge file, ``HW``. Raises DataError for a broken one."""
    try:
        photo = read_photo(data, max_pixels=MAX_PIXELS)
    except ImageError as error:
        raise DataError(
            f"{name}: expected an image of edges, got something else",
            code="data.sketches",
            file=name,
        ) from error
    plane = photo.pixels[..., 0]  # the official code uses the first channel
    return np.asarray(plane if plane.dtype == np.uint8 else plane >> 8, np.uint8)


def read_file(path: Path, with_edges: bool) -> tuple[Pixels, NDArray[np.uint8] | None]:
    """Read an image and, optionally, its edge file. Raises DataError or OSError."""
    edges = None
    if with_edges:
        beside = edge_file(path)
        if beside is None:
            raise DataError(f"has no sketch {path.stem}{EDGES[0]} beside it", code="data.sketches")
        edges = decode_edges(beside.read_bytes(), beside.name)
    return decode_image(path), edges


def _listed(path: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files in a list, and the names in it that do not exist."""
    try:
        lines: Sequence[str] = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"expected a text list of images, got {path.name}", code="data.list", file=path.name
        ) from None
    files, missing = [], []
    for line in filter(None, (line.strip() for line in lines)):
        choices = [path.parent / line, Path(line)]
        found = next((choice for choice in choices if choice.is_file()), None)
        if found is None:
            missing.append(line)
        else:
            files.append(found)
    return tuple(files), tuple(missing)


def _not_empty(source: DataSource, what: str) -> DataSource:
    if not source.files:
        raise DataError(
            f"expected {what} {source.name}, found none", code="data.empty", source=source.name
        )
    return source
