"""Finds the format for a file name, and writes files atomically."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from gatefill.images.meta import first_line
from gatefill.images.source import ImageError
from gatefill.settings import expect_type

OUTPUT_SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".avif": "AVIF",
}
"""The suffixes a photo can be saved with, and their formats."""


def format_named(name: str) -> str:
    """Return the format for a suffix or the name of a format; ImageError if it is unknown."""
    expect_type(str, format=name)
    format = OUTPUT_SUFFIXES.get("." + name.lower().removeprefix("."))
    if format is None:
        raise ImageError(
            f"expected one of {' '.join(OUTPUT_SUFFIXES)}, got {name!r}",
            code="output.suffix",
            file=name,
            known=list(OUTPUT_SUFFIXES),
        )
    return format


def suffix_of(format: str | None) -> str:
    """Return the suffix for a photo read from a format; ``".png"`` if it can only be read."""
    known = {"MPO": ".jpg", "JPEG": ".jpg", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}
    known["AVIF"] = ".avif"
    return known.get((format or "").upper(), ".png")


def check_output(path: str | os.PathLike[str], *, overwrite: bool = True) -> str:
    """Return the format of an output file, checked before the fill starts.

    Args:
        path: The file; its suffix selects the format.
        overwrite: Whether an existing file may be replaced.

    Returns:
        One of the formats in `OUTPUT_SUFFIXES`.

    Raises:
        ImageError: For an unknown suffix, for a directory or device, and for an existing file
            unless `overwrite`.
        FileNotFoundError: If its folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in OUTPUT_SUFFIXES:
        raise ImageError(
            f"expected an output that ends in one of {' '.join(OUTPUT_SUFFIXES)}, "
            f"got {path.name or str(path)!r}",
            code="output.suffix",
            file=str(path),
            known=list(OUTPUT_SUFFIXES),
        )
    _check_place(path, overwrite)
    return OUTPUT_SUFFIXES[path.suffix.lower()]


def _check_place(path: Path, overwrite: bool) -> None:
    try:
        path.resolve()
        if not path.parent.is_dir():
            raise FileNotFoundError(f"no such folder to write into: {path.parent}")
        if path.exists():
            if not path.is_file():
                raise ImageError(
                    f"expected a file to write, got something else there: {path}",
                    code="output.no_file",
                    file=str(path),
                )
            if not overwrite:
                raise ImageError(
                    f"the output exists already: {path}",
                    code="output.exists",
                    file=str(path),
                )
    except (FileNotFoundError, ImageError):
        raise
    except (OSError, ValueError) as error:  # a name that is too long, has a null byte, ...
        raise _unwritable(path, error) from error


def write_atomically(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = True) -> None:
    """Write to a temporary file, then rename it: a reader sees the old file or the new one.

    Links are followed, and the permissions of an old file are kept.

    Args:
        path: The file to write.
        data: Its content.
        overwrite: Whether an existing file may be replaced.

    Raises:
        ImageError: If it cannot be written.
        FileNotFoundError: If its folder does not exist.
    """
    path = Path(path)
    _check_place(path, overwrite)
    target = path.resolve()
    beside = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        try:
            with beside.open("xb") as file:
                file.write(data)
            if target.exists():
                beside.chmod(stat.S_IMODE(target.stat().st_mode))
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> ImageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
    return ImageError(
        f"{str(path)!r} cannot be written: {reason}",
        code="output.unwritable",
        file=str(path),
        reason=reason,
    )
