"""Files by path or URL: reads and lists inputs, and writes outputs inside one folder only."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from gatefill.batches.items import STATE, NoSpaceError, Ref
from gatefill.errors import OutputError
from gatefill.extras import need
from gatefill.images import ImageError

PARTS = f"{STATE}/parts"  # incomplete files
TRIES_FOLDER = f"{STATE}/tries"  # records of photos being filled, on a cluster
_FULL = {errno.ENOSPC, errno.EDQUOT}


def is_url(place: str) -> bool:
    """Return whether a place is opened by fsspec; ``file://`` URLs are paths, see `as_place`."""
    return "://" in place


def as_place(given: str | os.PathLike[str]) -> str:
    """Convert a path or URL to text; ``file:///folder`` becomes its path."""
    text = os.fspath(given)
    return unquote(urlsplit(text).path) if text.startswith("file://") else text


def filesystem(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it."""
    fsspec = need("fsspec", "batch", "reading and writing URLs")
    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:  # an unknown protocol, or its package is missing
        raise ImageError(f"{url} cannot be opened: {error}", code="file.url", url=url) from error
    return found


def open_place(place: str) -> Any:
    """Open a path or URL for reading bytes."""
    if is_url(place):
        system, path = filesystem(place)
        return system.open(path, "rb")
    return Path(place).open("rb")


def read_ref(ref: Ref) -> bytes:
    """Read the bytes of a photo or mask.

    Raises FileNotFoundError and other OSErrors, and ImageError for places that are not regular
    files and for empty cells.
    """
    if ref.cell is not None:
        return _read_cell(ref.place, *ref.cell)
    if ref.span is not None:
        start, length = ref.span
        with open_place(ref.place) as opened:
            opened.seek(start)
            data: bytes = opened.read(length)
        if len(data) < length:
            raise ImageError(f"{ref.place} ends early: not a whole tar file", code="file.cut")
        return data
    if is_url(ref.place):
        system, path = filesystem(ref.place)
        found: bytes = system.cat_file(path)
        return found
    file = Path(ref.place)
    if not file.is_file():  # pipes and devices may never end
        if not file.exists():
            raise FileNotFoundError(f"no such file: {ref.place}")
        raise ImageError(
            f"expected an image file, got something else: {ref.place}",
            code="image.no_file",
            name=str(ref.place),
        )
    return file.read_bytes()


def _read_cell(place: str, group: int, row: int, column: str) -> bytes:
    value = _column(place, group, column)[row].as_py()
    if isinstance(value, dict):  # images as stored by Hugging Face's datasets
        value = value.get("bytes")
    if not isinstance(value, bytes):
        raise ImageError(
            f"expected bytes of a file in column {column}, got {type(value).__name__}",
            code="file.cell",
        )
    return value


@lru_cache(maxsize=4)
def _column(place: str, group: int, column: str) -> Any:
    """Read one column of one row group; cached, since cells are mostly read one after the other."""
    parquet = need("pyarrow.parquet", "batch", "reading Parquet")
    with open_place(place) as file:
        return parquet.ParquetFile(file).read_row_group(group, columns=[column]).column(0)


def safe_name(name: str) -> str:
    """Convert a name to a relative path that stays below any folder it is joined to.

    Roots, drives, ``.`` and ``..`` are removed, and characters that file names cannot have.
    """
    parts = [
        part.replace("\0", "_").replace(":", "_") if os.name == "nt" else part.replace("\0", "_")
        for part in PurePosixPath(name.replace("\\", "/") if os.name == "nt" else name).parts
        if part.strip("/") not in ("", ".", "..")
    ]
    if parts and parts[0] == STATE:
        parts[0] = f"_{STATE}"
    return "/".join(parts) or "photo"


class Output(Protocol):
    """The folder that a batch writes to; names are relative to it."""

    root: str

    def prepare(self) -> None: ...
    def writing(self, name: str) -> AbstractContextManager[BinaryIO]: ...
    def read(self, name: str) -> bytes: ...
    def size(self, name: str) -> int | None: ...
    def remove(self, name: str) -> None: ...
    def names(self, folder: str) -> Iterator[str]: ...
    def shown(self, name: str) -> str: ...


def write(output: Output, name: str, data: bytes) -> None:
    """Write a whole file atomically."""
    with output.writing(name) as file:
        file.write(data)


@contextmanager
def _said(name: str, root: str) -> Iterator[None]:
    """Convert errors of the system to errors about outputs."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise NoSpaceError(f"no space left in {root}: {reason}") from error
        raise OutputError(f"{name!r} cannot be written: {reason}", code="output.write") from error


def open_output(root: str | os.PathLike[str]) -> Output:
    """Return the output folder at a path or URL, without creating it."""
    place = as_place(root)
    return UrlOutput(place) if is_url(place) else FolderOutput(place)


def _upload(file: BinaryIO, system: Any, path: str) -> None:
    file.seek(0)
    with system.open(path, "wb") as far:
        shutil.copyfileobj(file, far, 1 << 22)


class FolderOutput:
    """A local folder, or one on a shared file system."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._inside: set[Path] = set()  # folders already checked to be inside

    def prepare(self) -> None:
        """Create the folder, and delete incomplete files of earlier runs."""
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            self.make_folder(PARTS)
        except OSError as error:
            raise OutputError(
                f"expected a folder to write into, got {self.root}: {error.strerror}",
                code="output.folder",
            ) from error
        for folder in (PARTS, TRIES_FOLDER):
            for name in self.names(folder):
                self.remove(name)

    def make_folder(self, name: str) -> None:
        """Create a folder inside. Raises OutputError if a link leads outside, and OSError."""
        self._check_inside(Path(self.root) / name)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for writing; it appears complete or not at all, synced to disk.

        A link in its place is replaced, not followed. Raises NoSpaceError, and OutputError if the
        file cannot be written or would be outside.
        """
        target = Path(self.root) / name
        part = Path(self.root) / PARTS / secrets.token_hex(8)
        with _said(self.shown(name), self.root):
            self._check_inside(target.parent)
            try:
                with part.open("xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)

    def _check_inside(self, folder: Path) -> None:
        """Raise OutputError if a link below the output leads outside."""
        if folder in self._inside:
            return
        there = next(each for each in (folder, *folder.parents) if each.exists())
        real = there.resolve()  # checked before anything is created in it
        if not real.is_relative_to(Path(self.root).resolve()):
            raise OutputError(
                f"expected an output inside {self.root}, got {there}, a link to {real}",
                code="output.outside",
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._inside.add(folder)

    def read(self, name: str) -> bytes:
        return (Path(self.root) / name).read_bytes()

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes; None if there is no file."""
        path = Path(self.root) / name
        try:
            return path.stat().st_size if path.is_file() and not path.is_symlink() else None
        except OSError:
            return None

    def remove(self, name: str) -> None:
        (Path(self.root) / name).unlink(missing_ok=True)

    def names(self, folder: str) -> Iterator[str]:
        """Yield the files directly in a folder, sorted."""
        path = Path(self.root) / folder
        if path.is_dir():
            yield from sorted(f"{folder}/{each.name}" for each in path.iterdir() if each.is_file())

    def shown(self, name: str) -> str:
        return str(Path(self.root) / name)


# File systems that show an object only when it is complete.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "memory"}


class UrlOutput:
    """A folder that fsspec writes to, such as ``s3://bucket/folder``."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def _at(self, name: str) -> tuple[Any, str]:
        return filesystem(f"{self.root}/{name}")

    def prepare(self) -> None:
        for folder in (PARTS, TRIES_FOLDER):
            for name in self.names(folder):
                self.remove(name)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for writing; it appears complete or not at all."""
        system, path = self._at(name)
        with _said(self.shown(name), self.root), tempfile.TemporaryFile() as file:
            yield file
            if self.root.partition("://")[0] in _OBJECT_STORES:
                _upload(file, system, path)
                return
            part = f"{self._at(PARTS)[1]}/{secrets.token_hex(8)}"
            for each in (part, path):
                system.makedirs(each.rpartition("/")[0], exist_ok=True)
            _upload(file, system, part)
            system.mv(part, path)

    def read(self, name: str) -> bytes:
        system, path = self._at(name)
        found: bytes = system.cat_file(path)
        return found

    def size(self, name: str) -> int | None:
        system, path = self._at(name)
        try:
            return int(system.size(path))
        except (FileNotFoundError, TypeError):
            return None

    def remove(self, name: str) -> None:
        system, path = self._at(name)
        if system.exists(path):
            system.rm_file(path)

    def names(self, folder: str) -> Iterator[str]:
        system, path = self._at(folder)
        if system.exists(path):
            for each in sorted(system.ls(path, detail=False)):
                yield f"{folder}/{each.rstrip('/').rpartition('/')[2]}"

    def shown(self, name: str) -> str:
        return f"{self.root}/{name}"
