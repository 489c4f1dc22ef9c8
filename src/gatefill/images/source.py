"""The types accepted as photo or mask, and how their bytes are read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, runtime_checkable

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gatefill.errors import GatefillError
from gatefill.images.meta import first_line

DEFAULT_MAX_PIXELS = 200_000_000
"""Limit above which files are refused before they are decoded, about the size of the largest phone
photos."""


class ImageError(GatefillError):
    """A photo or mask that cannot be read, used or written."""

    default_code = "image"


@runtime_checkable
class Tensor(Protocol):
    """The part of torch's Tensor that is used here, so that torch need not be imported."""

    def detach(self) -> Any: ...
    def cpu(self) -> Any: ...
    def is_floating_point(self) -> bool: ...


Source: TypeAlias = (
    str | os.PathLike[str] | bytes | BinaryIO | PIL.Image.Image | NDArray[Any] | Tensor
)
"""A path, the bytes of a file or an open binary file, a PIL image, an array or a torch tensor.

Arrays: ``HW``, ``HW1`` gray, ``HW2`` gray and alpha, ``HW3`` RGB, ``HW4`` RGBA, also with the
channels first or as a batch of one; bool, integers of 8 or 16 bits or float in [0, 1]. Tensors:
``HW``, ``CHW`` or ``1CHW`` with 1, 3 or 4 channels; uint8 or float.
"""


def label_of(source: Source, kind: str) -> str:
    """Return the name of `source` in messages: its file name, else `kind`, such as "mask"."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source) or kind
    name = getattr(source, "name", None) or getattr(source, "filename", None)
    return name if isinstance(name, str) and name else kind


def fetch_bytes(source: Source, label: str, max_pixels: int) -> bytes:
    """Read the bytes of a file given as path, bytes or open binary file.

    Raises FileNotFoundError if it does not exist, ImageError if it cannot be read or is larger than
    a raw image of `max_pixels` could be.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    limit = 8 * max_pixels + (64 << 20)  # 16-bit RGBA, plus profiles and previews
    if isinstance(source, (str, os.PathLike)):
        data = _read_path(Path(source), label, limit)
    elif hasattr(source, "read"):
        try:
            data = source.read(min(limit + 1, sys.maxsize))
        except Exception as error:
            raise ImageError(
                f"{label} cannot be read: {first_line(error)}",
                code="image.unreadable",
                name=label,
                reason=first_line(error),
            ) from error
        if not isinstance(data, bytes):
            raise ImageError(
                f"{label}: expected a file opened in binary mode, got a text file",
                code="image.text_file",
                name=label,
            )
    else:
        raise ImageError(
            "expected a path, bytes, an open file, a PIL image, an array or a tensor, "
            f"got {type(source).__name__}",
            code="image.kind",
            kind=type(source).__name__,
        )
    if len(data) > limit:
        raise ImageError(
            f"{label} is larger than {limit:,} bytes, the most an image of {max_pixels:,} pixels "
            "can need (max_pixels)",
            code="image.too_many_bytes",
            name=label,
            most=limit,
        )
    return data


def _read_path(path: Path, label: str, limit: int) -> bytes:
    try:
        if not path.exists():
            raise FileNotFoundError(f"no such file: {label}")
        if path.is_dir():
            raise ImageError(
                f"expected an image file, got a directory: {label}",
                code="image.directory",
                name=label,
            )
        if not path.is_file():
            # Devices and pipes may never end.
            raise ImageError(
                f"expected an image file, got something else: {label}",
                code="image.no_file",
                name=label,
            )
        with path.open("rb") as file:
            return file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
    except (FileNotFoundError, ImageError):
        raise
    except (OSError, ValueError) as error:  # no permission, a null byte in the name, ...
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(
            f"{label!r} cannot be read: {reason}",
            code="image.unreadable",
            name=label,
            reason=reason,
        ) from error


def is_source(given: object) -> bool:
    """Return whether something is one photo or mask, and not a sequence of them."""
    return (
        isinstance(given, (str, os.PathLike, bytes, bytearray, memoryview, PIL.Image.Image))
        or is_array_like(given)
        or hasattr(given, "read")
    )


def is_array_like(source: object) -> bool:
    """Return whether `source` is an array or a tensor."""
    return isinstance(source, np.ndarray) or (
        hasattr(source, "detach") and hasattr(source, "is_floating_point")
    )
