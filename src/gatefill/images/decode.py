"""From a file's bytes to planes: which format it is, how large, and what is inside."""

from __future__ import annotations

import io
import logging
import struct
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import PIL.Image
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from gatefill.images.contents import with_contents
from gatefill.images.convert import Planes, from_array, from_pil, to_depth, upright
from gatefill.images.meta import Meta, clean_dpi, clean_exif, first_line, orientation_of
from gatefill.images.opencv import decode_with_opencv
from gatefill.images.source import ImageError
from gatefill.images.tiff_read import DeepTiff

logger = logging.getLogger(__name__)


class Decoded(NamedTuple):
    """An upright image and what came with it."""

    planes: Planes
    meta: Meta


# Opened through their own classes and not through `Image.open`, which has a limit of its own that
# can only be raised for the whole process, and many more formats than anybody sends.
_OPENERS: dict[str, Callable[[io.BytesIO], PIL.Image.Image]] = {
    "JPEG": JpegImagePlugin.jpeg_factory,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "PNM": PpmImagePlugin.PpmImageFile,
}
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def decode(data: bytes, label: str, max_pixels: int) -> Decoded:
    """Decode the first frame of an image file, upright.

    Raises ImageError for whatever is wrong with it, before decoding where it has more than
    `max_pixels` pixels.
    """
    format = format_of(data, label)
    try:
        with warnings.catch_warnings():
            # Pillow warns about broken EXIF and the like; what matters is raised.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            return _decode(data, format, label, max_pixels)
    except ImageError:
        raise
    except Exception as error:  # Pillow, tifffile and OpenCV raise nearly everything there is
        raise ImageError(f"{label}: truncated or corrupt {format} ({first_line(error)})") from error


def _decode(data: bytes, format: str, label: str, max_pixels: int) -> Decoded:
    if format == "TIFF" and (tiff := DeepTiff.open(data)) is not None:
        return _decode_deep_tiff(tiff, label, max_pixels)
    if format == "WebP":
        check_size(*_webp_size(data), label, max_pixels)
    image = _OPENERS[format](io.BytesIO(data))
    check_size(*image.size, label, max_pixels)
    if format == "PNM" and _is_deep_pnm(image):
        raise ImageError(f"{label}: expected 8 bits in a colour PNM; save deeper ones as PNG")
    planes, meta = from_opened(image, label)
    decoded = Decoded(planes, with_contents(meta, data, format))
    return _with_16_bits(decoded, data, image, label) if format == "PNG" else decoded


def format_of(data: bytes, label: str) -> str:
    """The format of a file by how it starts. Raises ImageError where it is none that is read."""
    if not data:
        raise ImageError(f"{label} is empty")
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if data.startswith(_TIFF_STARTS):
        return "TIFF"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PNM"
    hint = ""
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"avif", b"msf1"):
        hint = "; export HEIC and AVIF photos as JPEG or PNG first"
    raise ImageError(f"{label} is no image of a known kind ({', '.join(_OPENERS)}){hint}")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from a WebP's first chunk: Pillow makes room for them as it opens it."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def check_size(width: int, height: int, label: str, max_pixels: int) -> None:
    """Raise ImageError where an image has no pixels, or more than `max_pixels`."""
    if width < 1 or height < 1:
        raise ImageError(f"{label}: expected at least one pixel, got {width} x {height}")
    if width * height > max_pixels:
        raise ImageError(
            f"{label} has {width} x {height} = {width * height:,} pixels, more than the limit of "
            f"{max_pixels:,}; raise max_pixels (--max-pixels on the command line) to read it"
        )


def _is_deep_pnm(image: PIL.Image.Image) -> bool:
    """Whether Pillow would round a colour PNM to 8 bits; grey ones it reads at 16."""
    assert isinstance(image, PpmImagePlugin.PpmImageFile)
    return image.mode == "RGB" and image.tile[0].args not in ("RGB", ("RGB", 255))


def from_opened(image: PIL.Image.Image, label: str) -> Decoded:
    """Decode a PIL image, opened or made; its planes upright, 16 bits only where PIL has them."""
    format = image.format
    subsampling = _subsampling(image)
    stored = orientation_of(image.getexif())
    image.load()
    # Pillow turns TIFFs upright itself while it loads them.
    exif = image.getexif()
    orientation = orientation_of(exif)
    planes, profile_holds = from_pil(image, label)
    icc = image.info.get("icc_profile")
    dpi = clean_dpi(image.info.get("dpi"))
    return Decoded(
        _upright(planes, orientation),
        Meta(
            name=label,
            format=format,
            exif=clean_exif(exif, label),
            icc=icc if profile_holds and isinstance(icc, bytes) and icc else None,
            subsampling=subsampling,
            dpi=_turned(dpi, stored),
        ),
    )


def _subsampling(image: PIL.Image.Image) -> str | None:
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.layers != 3:
        return None
    # Kinds that Pillow cannot write (4:1:1, 4:4:0) become 4:4:4, which loses nothing.
    return _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(image), "4:4:4")


def _upright(planes: Planes, orientation: int) -> Planes:
    colour, alpha = planes
    return Planes(
        upright(colour, orientation), None if alpha is None else upright(alpha, orientation)
    )


def _turned(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    return (dpi[1], dpi[0]) if dpi and orientation >= 5 else dpi


def _with_16_bits(decoded: Decoded, data: bytes, image: PIL.Image.Image, label: str) -> Decoded:
    """Replace what Pillow rounded to 8 bits in a 16-bit PNG.

    Pillow has decoded it once by now, and by that vouches for it.
    """
    depth, kind = struct.unpack(">BB", data[24:26])
    if depth != 16 or (kind == 0 and "transparency" not in image.info):
        return decoded
    found = decode_with_opencv(data)
    if found is None or found.dtype != np.uint16 or found.shape[:2] != image.size[::-1]:
        raise ImageError(f"{label}: truncated or corrupt PNG")
    planes = _png_planes(found, kind, image.info)
    return Decoded(_upright(planes, orientation_of(image.getexif())), decoded.meta)


def _png_planes(found: Any, kind: int, info: dict[Any, Any]) -> Planes:
    """Grey or RGB and alpha from OpenCV's channels; `kind` is PNG's colour type 0, 2, 4 or 6."""
    colour = found[..., :1] if kind in (0, 4) else found[..., :3]
    if kind in (4, 6):
        return Planes(colour, found[..., 3])
    if "transparency" not in info:
        return Planes(colour, None)
    key = np.atleast_1d(np.asarray(info["transparency"], np.uint16))
    return Planes(colour, np.where((colour == key).all(axis=2), 0, 65535).astype(np.uint16))


def _decode_deep_tiff(tiff: DeepTiff, label: str, max_pixels: int) -> Decoded:
    check_size(tiff.width, tiff.height, label, max_pixels)
    array = tiff.pixels(label)
    if np.issubdtype(array.dtype, np.floating):
        logger.warning("%s: its float values are rounded to 16 bits", label)
    planes = from_array(to_depth(array, label, float_bits=16), label)
    exif = tiff.exif()
    orientation = orientation_of(exif)
    meta = Meta(
        name=label,
        format="TIFF",
        exif=clean_exif(exif, label),
        icc=tiff.icc,
        dpi=_turned(clean_dpi(tiff.dpi), orientation),
    )
    return Decoded(_upright(planes, orientation), meta)
