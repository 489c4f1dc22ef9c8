"""Decodes the bytes of an image file: finds its format, checks its size, returns its planes."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import PIL.Image
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from gatefill.errors import Warning
from gatefill.images import apart, heif, jpeg_read, png_read
from gatefill.images.avif_size import largest_frame
from gatefill.images.contents import with_contents, with_info
from gatefill.images.convert import Planes, from_array, from_pil, to_depth, upright
from gatefill.images.damage import is_ours
from gatefill.images.kinds import format_of
from gatefill.images.meta import Meta, clean_dpi, clean_exif, orientation_of
from gatefill.images.notes import (
    chunks_left_out,
    cut_off,
    no_end,
    read_in_part,
    rounded,
    tags_left_out,
)
from gatefill.images.sizes import SIZES, check_size, corrupt, webp_size
from gatefill.images.source import ImageError
from gatefill.images.tiff_directory import claims_too_much
from gatefill.images.tiff_read import TiffPage
from gatefill.stopping import is_stoppable

_SCAN, _MOST_SCANS = b"\xff\xda", 1000  # the marker of a scan in a JPEG
_SMALL_FRAME = 1 << 18  # pixels a frame inside an AVIF may have in any case
_MOST_BYTES = 4  # per pixel of a BMP or PNM; rows of fewer bits are padded to 4 bytes


class Decoded(NamedTuple):
    """An upright image with its metadata."""

    planes: Planes
    meta: Meta


def decode(data: bytes, label: str, max_pixels: int, *, allow_truncated: bool = False) -> Decoded:
    """Decode the first frame of an image file, upright.

    No process-wide state is changed, so that several threads may decode at the same time.

    Args:
        data: The content of the file.
        label: Name of the file in messages.
        max_pixels: Files with more pixels are refused before they are decoded.
        allow_truncated: Decode the remaining part of a truncated file.

    Returns:
        The image and its metadata.

    Raises:
        ImageError: If the file cannot be decoded.
    """
    file = _File(data, format_of(data, label), label, max_pixels, allow_truncated)
    return apart.call(_decoded, _pixels_of(file) if is_stoppable() else 0, file)


def _decoded(file: _File) -> Decoded:
    try:
        planes, meta = _DECODERS[file.kind](file)
        return Decoded(planes, with_contents(meta, meta.jpeg or file.data, file.kind))
    except ImageError:
        raise
    except Exception as error:  # Pillow and OpenCV raise many types
        if is_ours(error):
            raise
        raise corrupt(file.label, file.kind, error) from error


def _pixels_of(file: _File) -> int:
    """Return the number of pixels to decode; 0 if the file is refused."""
    try:
        width, height = SIZES[file.kind](file.data, file.label)
    except Exception:
        return 0
    return width * height if width * height <= file.max_pixels else 0


class _File(NamedTuple):
    """A file to decode, with the options for decoding."""

    data: bytes
    kind: str
    label: str
    max_pixels: int
    allow_truncated: bool

    def check_size(self, width: int, height: int) -> None:
        check_size(width, height, self.label, self.max_pixels)


# Files are opened with Pillow's classes instead of `Image.open`, whose size limit can only be
# changed for the whole process, and which accepts many more formats than needed.


def _jpeg(file: _File) -> Decoded:
    data, had_bombs = jpeg_read.without_bombs(file.data)
    said = [tags_left_out(file.label)] if had_bombs else []
    image = jpeg_read.open_jpeg(data)
    file.check_size(*image.size)
    if data.count(_SCAN) > _MOST_SCANS:  # each scan takes as long as decoding the whole photo
        raise ImageError(
            f"{file.label}: truncated or corrupt JPEG (it has {data.count(_SCAN):,} scans)",
            code="image.bomb",
        )
    try:
        image.load()
        if not jpeg_read.has_end(data):
            said.append(no_end(file.label))
    except OSError as error:
        body = jpeg_read.without_end(data)
        # Browsers and cameras show a file that lacks only its end marker.
        share = jpeg_read.missing_share(body)
        if not share and jpeg_read.has_all_scans(body):
            said.append(no_end(file.label))
        elif not file.allow_truncated:
            raise cut_off(file.label, file.kind, error) from error
        else:
            said.append(read_in_part(file.label, share))
        data = body + jpeg_read.END
        image = jpeg_read.open_jpeg(data)
    planes, meta = from_opened(image, file.label, said)
    return Decoded(planes, replace(meta, jpeg=data))


def _png(file: _File) -> Decoded:
    png = png_read.open_png(file.data, file.label)
    file.check_size(png.width, png.height)
    said = []
    if not png.has_end:
        png, is_cut = png.completed()
        if is_cut and not file.allow_truncated:
            raise cut_off(file.label, file.kind)
        said.append(read_in_part(file.label) if is_cut else no_end(file.label))
    if png.left_out:
        said.append(chunks_left_out(file.label, png.left_out))
    image = PngImagePlugin.PngImageFile(io.BytesIO(png.data))
    if png.icc is not None:
        image.info["icc_profile"] = png.icc
    decoded = from_opened(image, file.label, said)
    if png.depth != 16 or (png.kind == 0 and "transparency" not in image.info):
        return decoded
    planes = Planes(*png_read.decode_deep(png, image.info, file.label))
    return Decoded(_upright(planes, decoded.meta.orientation), decoded.meta)


def _tiff(file: _File) -> Decoded:
    page = TiffPage(file.data, file.label)
    file.check_size(page.width, page.height)
    page.check()
    if page.is_deep:
        return _deep_tiff(page, file)
    try:
        return from_opened(TiffImagePlugin.TiffImageFile(io.BytesIO(page.data)), file.label)
    except OSError as error:
        if not page.is_plain:
            raise
        if not file.allow_truncated:
            raise cut_off(file.label, file.kind, error) from error
        return _deep_tiff(page, file)


def _deep_tiff(page: TiffPage, file: _File) -> Decoded:
    array, is_cut = page.pixels(allow_truncated=file.allow_truncated)
    said = [read_in_part(file.label)] if is_cut else []
    if np.issubdtype(array.dtype, np.floating):
        said.append(rounded(file.label))
    planes = from_array(to_depth(array, file.label, float_bits=16), file.label)
    exif = page.exif()
    orientation = orientation_of(exif)
    meta = Meta(
        name=file.label,
        format="TIFF",
        exif=clean_exif(exif, file.label),
        icc=page.icc,
        dpi=_turned(clean_dpi(page.dpi), orientation),
        orientation=orientation,
        warnings=tuple(said),
    )
    return Decoded(_upright(planes, orientation), meta)


def _webp(file: _File) -> Decoded:
    file.check_size(*webp_size(file.data))  # Pillow allocates the pixels when it opens the file
    return _other(WebPImagePlugin.WebPImageFile, file)


def _gif(file: _File) -> Decoded:
    file.check_size(*struct.unpack_from("<HH", file.data, 6))  # as for WebP
    return _other(GifImagePlugin.GifImageFile, file)


def _bmp(file: _File) -> Decoded:
    return _padded(BmpImagePlugin.BmpImageFile, file)


def _pnm(file: _File) -> Decoded:
    image = PpmImagePlugin.PpmImageFile(io.BytesIO(file.data))
    # Pillow would round a color PNM to 8 bits; gray PNMs keep 16 bits.
    if image.mode == "RGB" and image.tile[0].args not in ("RGB", ("RGB", 255)):
        raise ImageError(
            f"{file.label}: expected 8 bits in a color PNM; save deeper ones as PNG",
            code="image.depth",
        )
    return _padded(PpmImagePlugin.PpmImageFile, file)


def _avif(file: _File) -> Decoded:
    if not AvifImagePlugin.SUPPORTED:
        raise ImageError(
            f"{file.label} is an AVIF file, which this build of Pillow does not read: "
            "save it as PNG or JPEG",
            code="image.avif",
        )
    image = AvifImagePlugin.AvifImageFile(io.BytesIO(file.data))
    file.check_size(*image.size)
    most = largest_frame(file.data)
    if most > image.width * image.height + _SMALL_FRAME:
        raise ImageError(
            f"{file.label}: truncated or corrupt AVIF (it holds frames of {most:,} pixels)",
            code="image.bomb",
        )
    planes, meta = from_opened(image, file.label)
    said = list(heif.left_out(image, file.label))
    if heif.is_deep_avif(file.data):
        text = f"{file.label}: only 8 bits per channel are read of an AVIF that has more"
        said.append(Warning("file.avif_depth", text))
    meta = replace(meta, lossy=True, warnings=(*meta.warnings, *said))
    return Decoded(planes, with_info(meta, image))


def _heif(file: _File) -> Decoded:
    image = heif.open_heif(file.data, file.label)
    file.check_size(*image.size)
    deep = heif.decode_deep(file.data, image)
    planes, meta = from_opened(image, file.label)
    if deep is not None:
        planes = from_array(deep, file.label)
    said = (*meta.warnings, *heif.left_out(image, file.label))
    return Decoded(planes, with_info(replace(meta, lossy=True, warnings=said), image))


def _other(opener: Callable[[io.BytesIO], PIL.Image.Image], file: _File) -> Decoded:
    image = opener(io.BytesIO(file.data))
    file.check_size(*image.size)
    return from_opened(image, file.label)


def _padded(opener: Callable[[io.BytesIO], PIL.Image.Image], file: _File) -> Decoded:
    """Decode a file that ends with its pixels, so that missing ones can be padded."""
    try:
        return _other(opener, file)
    except OSError as error:
        if not file.allow_truncated:
            raise cut_off(file.label, file.kind, error) from error
        width, height = opener(io.BytesIO(file.data)).size
        missing = bytes(_MOST_BYTES * width * height)
        image = opener(io.BytesIO(file.data + missing))
        return from_opened(image, file.label, [read_in_part(file.label)])


_DECODERS: dict[str, Callable[[_File], Decoded]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    "GIF": _gif,
    "PNM": _pnm,
    "AVIF": _avif,
    "HEIF": _heif,
}


def from_opened(image: PIL.Image.Image, label: str, warnings: Iterable[Warning] = ()) -> Decoded:
    """Decode a PIL image; planes are upright, with 16 bits only where PIL has them.

    Args:
        image: The image, opened from a file or created.
        label: Name of the image in messages.
        warnings: Warnings from opening it.
    """
    said = [*warnings]
    format = image.format
    subsampling = jpeg_read.subsampling_of(image)
    block = image.info.get("exif")
    is_bomb = isinstance(block, bytes) and claims_too_much(block)
    if is_bomb:
        said.append(tags_left_out(label))
    stored = 1 if is_bomb else orientation_of(image.getexif())
    image.load()
    # Pillow rotates TIFFs upright itself when it loads them.
    exif = PIL.Image.Exif() if is_bomb else image.getexif()
    planes, profile_holds, more = from_pil(image, label)
    icc = image.info.get("icc_profile")
    dpi = clean_dpi(image.info.get("dpi"))
    return Decoded(
        _upright(planes, orientation_of(exif)),
        Meta(
            name=label,
            format=format,
            exif=clean_exif(exif, label),
            icc=icc if profile_holds and isinstance(icc, bytes) and icc else None,
            subsampling=subsampling,
            dpi=_turned(dpi, stored),
            orientation=stored,
            converted=image.mode if image.mode in ("CMYK", "LAB") else None,
            warnings=(*said, *more),
        ),
    )


def _upright(planes: Planes, orientation: int) -> Planes:
    color, alpha = planes
    return Planes(
        upright(color, orientation), None if alpha is None else upright(alpha, orientation)
    )


def _turned(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    return (dpi[1], dpi[0]) if dpi and orientation >= 5 else dpi
