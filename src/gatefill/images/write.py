"""From planes to files: PIL images, encoded bytes, and files that appear whole or not at all."""

from __future__ import annotations

import io
import logging
import os
import secrets
import stat
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gatefill.images.convert import Pixels
from gatefill.images.meta import Meta, first_line
from gatefill.images.png16 import encode_png16
from gatefill.images.source import ImageError
from gatefill.images.tiff_write import encode_tiff

logger = logging.getLogger(__name__)

OUTPUT_SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
"""The suffixes a photo can be saved under, and the format each stands for."""

_KNOW_ALPHA = ("PNG", "WEBP", "TIFF")
_KNOW_16_BITS = ("PNG", "TIFF")
_EXIF_PREFIX = b"Exif\0\0"
_JPEG_SEGMENT = 65533 - len(_EXIF_PREFIX)  # the most that EXIF may need in a JPEG


def format_named(name: str) -> str:
    """The format behind a suffix or a format's name; ImageError where it is not known."""
    format = OUTPUT_SUFFIXES.get("." + name.lower().removeprefix("."))
    if format is None:
        raise ImageError(f"expected one of {' '.join(OUTPUT_SUFFIXES)}, got {name!r}")
    return format


def encode(pixels: Pixels, alpha: Pixels | None, meta: Meta, format: str) -> bytes:
    """A file of `format` with pixels ``HWC``, alpha ``HW`` and what `meta` holds."""
    if alpha is not None and format not in _KNOW_ALPHA:
        pixels, alpha = _on_white(pixels, alpha, meta, format), None
    if pixels.dtype == np.uint16 and format not in _KNOW_16_BITS:
        logger.warning("%s: 16 bits are rounded to the 8 that %s can hold", meta.name, format)
        pixels, alpha = _to_8_bits(pixels), None if alpha is None else _to_8_bits(alpha)
    try:
        return _encoded(pixels, alpha, meta, format)
    except Exception as error:  # too large a side for JPEG or WebP, and the like
        raise ImageError(
            f"{meta.name} cannot be written as {format}: {first_line(error)}"
        ) from error


def _encoded(pixels: Pixels, alpha: Pixels | None, meta: Meta, format: str) -> bytes:
    if format == "TIFF" or pixels.dtype == np.uint16:
        write = encode_tiff if format == "TIFF" else encode_png16
        planes: Any = pixels if alpha is None else np.dstack([pixels, alpha])
        return write(planes, icc=meta.icc, exif=meta.exif, dpi=meta.dpi)
    file = io.BytesIO()
    to_pil(pixels, alpha, meta).save(file, format=format, **_options(meta, format))
    return file.getvalue()


def to_pil(pixels: Pixels, alpha: Pixels | None, meta: Meta) -> PIL.Image.Image:
    """A PIL image L, LA, RGB or RGBA, or ``I;16`` for 16-bit grey; other 16 bits are rounded."""
    if pixels.dtype == np.uint16 and (alpha is not None or pixels.shape[2] == 3):
        pixels, alpha = _to_8_bits(pixels), None if alpha is None else _to_8_bits(alpha)
    planes: Any = pixels if alpha is None else np.dstack([pixels, alpha])
    image = PIL.Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
    extras = {
        "exif": meta.exif and _EXIF_PREFIX + meta.exif,
        "icc_profile": meta.icc,
        "dpi": meta.dpi,
    }
    image.info.update({name: value for name, value in extras.items() if value})
    return image


def _options(meta: Meta, format: str) -> dict[str, Any]:
    """Pillow's keyword arguments for `save`."""
    options: dict[str, Any] = {}
    if meta.dpi:
        options["dpi"] = meta.dpi
    if format == "BMP":
        return options
    if meta.icc:
        options["icc_profile"] = meta.icc
    if meta.exif:
        if format == "JPEG" and len(meta.exif) > _JPEG_SEGMENT:
            logger.warning("%s: its EXIF data is too long for a JPEG and is dropped", meta.name)
        else:
            options["exif"] = _EXIF_PREFIX + meta.exif
    if format == "JPEG":
        options |= {"quality": 95, "subsampling": meta.subsampling or "4:4:4"}
    elif format == "WEBP":
        options |= {"lossless": True, "exact": True}  # exact: colours under alpha 0 stay
    return options


def _to_8_bits(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Nearest 8-bit value of 16-bit ones: 65535 / 257 = 255."""
    return ((plane.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(pixels: Any, alpha: Any, meta: Meta, format: str) -> Any:
    """What a viewer shows on a white page; opaque pixels unchanged."""
    most = np.iinfo(pixels.dtype).max
    if (alpha == most).all():
        return pixels
    logger.warning("%s: %s has no transparency; it is put on white", meta.name, format)
    share = alpha[..., None].astype(np.float32) / np.float32(most)
    blend = np.rint(pixels * share + most * (1 - share)).astype(pixels.dtype)
    return np.where(alpha[..., None] == most, pixels, blend)


def check_output(path: str | os.PathLike[str], *, overwrite: bool = True) -> str:
    """The format of a file to be written, checked before the work it is to hold begins.

    Raises ImageError for an unknown suffix, a directory or device in its place, or (unless
    `overwrite`) a file that is there already; FileNotFoundError where its folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in OUTPUT_SUFFIXES:
        raise ImageError(
            f"expected an output that ends in one of {' '.join(OUTPUT_SUFFIXES)}, "
            f"got {path.name or str(path)!r}"
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
                raise ImageError(f"expected a file to write, got something else there: {path}")
            if not overwrite:
                raise ImageError(f"the output is there already: {path}")
    except (FileNotFoundError, ImageError):
        raise
    except (OSError, ValueError) as error:  # a name that is too long, has a null byte, ...
        raise _unwritable(path, error) from error


def write_atomically(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = True) -> None:
    """Write beside, then rename: a reader sees the old file or the new one, never a part.

    Links are followed and an old file's permissions kept. Raises ImageError where it cannot be
    written, FileNotFoundError where its folder does not exist.
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
    return ImageError(f"{str(path)!r} cannot be written: {reason}")
