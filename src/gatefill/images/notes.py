"""Warnings and errors that readers of several formats share."""

from __future__ import annotations

from gatefill.errors import Warning
from gatefill.images.meta import first_line
from gatefill.images.source import ImageError


def no_end(label: str) -> Warning:
    """Warn that only the end marker of the file is missing."""
    return Warning(
        "file.no_end",
        f"{label}: its end marker is missing; all pixels are present",
    )


def read_in_part(label: str, share: float | None = None) -> Warning:
    """Warn that a truncated file was read in part; share: of the rows with missing pixels."""
    much = "" if share is None else f" in {max(share, 0.01):.0%} of its rows"
    return Warning(
        "file.truncated",
        f"{label} is truncated: pixels{much} are missing and replaced by arbitrary values",
        {} if share is None else {"share": share},
    )


def cut_off(label: str, kind: str, error: BaseException | None = None) -> ImageError:
    """Return the error for a truncated file that could be read in part."""
    why = "" if error is None else f" ({first_line(error)})"
    return ImageError(
        f"{label}: truncated or corrupt {kind}{why}; the remaining part can be read "
        "(allow_truncated)",
        code="image.truncated",
        kind=kind,
    )


def rounded(label: str) -> Warning:
    """Warn that floats were rounded to integers."""
    return Warning("file.float", f"{label}: its float values are rounded to 16 bits")


def tags_left_out(label: str) -> Warning:
    """Warn that EXIF tags are damaged: they claim more bytes than there are."""
    return Warning("file.exif", f"{label}: its EXIF data is damaged and left out")


def chunks_left_out(label: str, names: tuple[str, ...]) -> Warning:
    """Warn that parts of a file other than pixels could not be read."""
    return Warning(
        "file.chunks",
        f"{label}: damaged parts beside the pixels are left out ({', '.join(names)})",
        {"chunks": list(names)},
    )


def became_srgb(label: str, mode: str) -> Warning:
    """Warn that colors were converted to sRGB."""
    return Warning("file.color", f"{label}: its {mode} colors become sRGB", {"mode": mode})


def profile_unusable(label: str, error: BaseException) -> Warning:
    """Warn that the color profile of the file could not be applied."""
    return Warning("file.profile", f"{label}: its ICC profile cannot be used ({first_line(error)})")
