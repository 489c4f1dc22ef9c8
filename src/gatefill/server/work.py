"""The jobs of the workers: from image files to image files, without state."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import MaskError, Warning
from gatefill.extending import with_margins
from gatefill.geometry import Box, bounding_box
from gatefill.images import (
    OUTPUT_SUFFIXES,
    ImageError,
    MaskOptions,
    Meta,
    Photo,
    read_hole,
    read_mask,
    read_photo,
    read_plane,
    suffix_of,
)
from gatefill.methods import Attention, composite
from gatefill.server.jobs import Ticket
from gatefill.server.models import Model
from gatefill.server.reading import EditInput, InpaintInput
from gatefill.server.schema import EditOptions, FileOptions, Margins
from gatefill.stopping import left_behind

MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
}
_MAX_PLACES = 6000  # maximum number of hole positions in the attention sent to the page
_SAME_SHAPE = 0.02  # tolerance for the aspect ratio of a mask, relative to the photo's
_MAX_SOURCES = 8  # attended positions per hole position


@dataclass(frozen=True)
class File:
    """The bytes of an image file, with media type and suffix."""

    data: bytes
    media_type: str
    suffix: str
    warnings: tuple[Warning, ...] = ()  # warnings about data that the file does not hold


def inpaint(
    asked: InpaintInput, model: Model, seed: int | None, max_pixels: int, ticket: Ticket
) -> tuple[File, Any]:
    """Fill a photo; return the file in the requested format and the result."""
    photo: Photo | bytes = asked.image
    mask: NDArray[np.bool_] | bytes | None = asked.mask
    if asked.options.use_extender:
        read = read_photo(
            asked.image, max_pixels=max_pixels, allow_truncated=asked.options.allow_truncated
        )
        photo, mask = _extended(asked, read, max_pixels)
    result = model.seeded(seed)(
        photo,
        mask,
        sketch=asked.sketch,
        search=asked.search,
        invert_mask=asked.options.invert_mask,
        grow=asked.options.grow,
        feather=asked.options.feather,
        resize_mask=asked.options.resize_mask,
        threshold=asked.options.threshold,
        mask_as_stored=asked.options.mask_as_stored,
        allow_truncated=asked.options.allow_truncated,
        progress=ticket.progress,
    )
    return encoded(result.photo, asked.options), result


def _extended(
    asked: InpaintInput, photo: Photo, max_pixels: int
) -> tuple[Photo, NDArray[np.bool_] | bytes | None]:
    """Return the photo on the requested frame, and its whole hole."""
    frame = asked.options
    right, bottom = (
        frame.extender_x + frame.extender_width,
        frame.extender_y + frame.extender_height,
    )
    margins = {
        "left": max(0, -frame.extender_x),
        "top": max(0, -frame.extender_y),
        "right": max(0, right - photo.width),
        "bottom": max(0, bottom - photo.height),
    }
    if not any(margins.values()):
        return photo, asked.mask
    larger, hole = with_margins(photo, **margins, max_pixels=max_pixels)
    if asked.mask is not None:
        inner = read_plane(asked.mask, photo, "mask", max_pixels=max_pixels)
        top, left = margins["top"], margins["left"]
        hole[top : top + photo.height, left : left + photo.width] |= inner
    return larger.replaced(larger.pixels, opaque=hole), hole


def extended(asked: EditInput, margins: Margins, max_pixels: int) -> File:
    """Encode the edited photo with transparent margins."""
    photo = rebuilt(asked, max_pixels)
    larger, _ = with_margins(photo, **margins.model_dump(), max_pixels=max_pixels)
    return encoded(larger, FileOptions(format="png"))


def fill_in(
    asked: EditInput, options: EditOptions, model: Model, max_pixels: int, ticket: Ticket
) -> dict[str, Any]:
    """Fill a hole for the editor; return the new pixels of the hole and the attention."""
    photo = rebuilt(asked, max_pixels)
    assert asked.mask is not None
    mask = placed(asked.mask, asked.layout.mask, photo, "mask", max_pixels)
    if not mask.any():
        raise MaskError(
            "the mask is empty: paint over what you want to remove", code="mask.nothing_painted"
        )
    if mask.all():
        raise MaskError(
            "the mask covers the whole photo: no known pixels are left to fill from",
            code="mask.all_hole",
        )
    sketch = None
    if asked.sketch is not None and model.info.takes_sketch:
        sketch = placed(asked.sketch, asked.layout.mask, photo, "sketch", max_pixels)
    search = _search(asked, photo, max_pixels) if model.info.takes_search else None
    fill = model.seeded(options.seed)
    result = fill(
        photo,
        mask,
        sketch=sketch,
        search=search,
        feather=options.feather,
        progress=ticket.progress,
    )
    box = bounding_box(result.mask)
    assert box is not None
    new, changed = result.photo.pixels[box.slices], result.mask[box.slices]
    return {
        "model": model.name,
        "pixels": mask.size,
        "seconds": round(result.seconds, 3),
        # Transparent pixels that are filled become opaque, so nothing is hidden.
        "warnings": [each.as_dict() for each in result.warnings if each.code != "mask.hidden"],
        "left": box.left,
        "top": box.top,
        "patch": base64.b64encode(_patch(new, changed, result.photo)).decode(),
        "attention": None if result.attention is None else told(result.attention),
    }


def _search(asked: EditInput, photo: Photo, max_pixels: int) -> NDArray[np.bool_] | None:
    """Return the painted region to copy from; None: everywhere."""
    if asked.take is None and asked.avoid is None:
        return None
    search = np.ones(photo.shape, np.bool_)
    if asked.take is not None:
        search = placed(asked.take, asked.layout.take, photo, "take", max_pixels)
    if asked.avoid is not None:
        search &= ~placed(asked.avoid, asked.layout.avoid, photo, "avoid", max_pixels)
    return search


def rebuilt(asked: EditInput, max_pixels: int) -> Photo:
    """Apply the patches of earlier fills to the opened photo, bit for bit.

    Patched pixels become opaque, so that the saved photo looks as displayed.
    """
    photo = read_photo(asked.photo, max_pixels=max_pixels)
    pixels: Any = photo.pixels
    opaque = np.zeros(photo.shape, np.bool_)
    for data, (left, top) in zip(asked.patches, asked.layout.patches, strict=True):
        patch = read_photo(data, max_pixels=max_pixels)
        box = _box_of(patch, left, top, photo, "patch")
        if patch.alpha is None or patch.pixels.dtype != pixels.dtype:
            raise ImageError(
                f"patch: expected {pixels.dtype} pixels with alpha, as it was sent",
                code="editor.patch",
            )
        if patch.pixels.shape[2] != pixels.shape[2]:
            raise ImageError("patch: expected the photo's own channels", code="editor.patch")
        if pixels is photo.pixels:
            pixels = pixels.copy()
        filled: Any = patch.pixels
        pixels[box.slices] = composite(filled, pixels[box.slices], patch.alpha > 0)
        opaque[box.slices] |= patch.alpha > 0
    return photo.replaced(pixels, opaque=opaque)


def placed(
    data: bytes, corner: tuple[int, int], photo: Photo, name: str, max_pixels: int
) -> NDArray[np.bool_]:
    """Place a part of a mask in a mask ``HW`` of the photo; opaque, bright pixels are True."""
    part = read_photo(data, max_pixels=max_pixels)
    box = _box_of(part, *corner, photo, name)
    middle = part.max_value // 2
    drawn = part.pixels.max(axis=2) > middle
    if part.alpha is not None:
        drawn &= part.alpha > middle
    frame = np.zeros(photo.shape, np.bool_)
    frame[box.slices] = drawn
    return frame


def _box_of(part: Photo, left: int, top: int, photo: Photo, name: str) -> Box:
    box = Box(top, left, top + part.height, left + part.width)
    if left < 0 or top < 0 or box.bottom > photo.height or box.right > photo.width:
        raise ImageError(
            f"{name}: expected a part of the photo of {photo.width} x {photo.height}, got "
            f"{part.width} x {part.height} at ({left}, {top})",
            code="editor.place",
            name=name,
        )
    return box


def _patch(new: Any, hole: NDArray[np.bool_], photo: Photo) -> bytes:
    """New pixels ``HWC`` as PNG, in the photo's depth; transparent outside the hole."""
    # Only pixels of the hole are sent; black elsewhere compresses better.
    pixels: Any = np.where(hole[..., None], new, 0).astype(photo.pixels.dtype)
    alpha: Any = np.where(hole, photo.max_value, 0).astype(photo.pixels.dtype)
    return Photo(pixels, alpha, Meta(name="patch", icc=photo.meta.icc)).to_bytes("png")


def told(attention: Attention) -> dict[str, Any]:
    """Attention for the page: little-endian arrays in base64, subsampled if it is dense."""
    target, stride = attention.target, attention.stride
    step = max(1, int(np.ceil(np.sqrt(len(target) / _MAX_PLACES))))
    kept = (target // stride % step == 0).all(axis=1)
    if not kept.any():
        kept = np.arange(len(target)) % (step * step) == 0
    source, weight = attention.source[kept], attention.weight[kept]
    return {
        "stride": stride,
        "spacing": stride * step,
        "places": min(source.shape[1], _MAX_SOURCES),
        "target": _base64(target[kept].astype("<i4")),
        "source": _base64(source[:, :_MAX_SOURCES].astype("<i4")),
        "weight": _base64(weight[:, :_MAX_SOURCES].astype("<f4")),
    }


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def composed(asked: EditInput, options: FileOptions, max_pixels: int) -> File:
    """Encode the edited photo for download; everything but the fills is as in the opened file."""
    photo = rebuilt(asked, max_pixels)
    return encoded(photo, options)


def preview(asked: EditInput, needed: bool, max_pixels: int) -> tuple[File | None, tuple[int, int]]:
    """Encode the photo for display, upright and without metadata; return it with (width, height).

    Returns None instead of the file if `needed` is False and the file has no EXIF orientation: a
    browser that can decode the format then displays the same image.
    """
    photo = read_photo(asked.photo, max_pixels=max_pixels)
    if not needed and photo.meta.orientation == 1:
        return None, photo.size
    plain = Photo(photo.pixels, photo.alpha, Meta(name=photo.meta.name, icc=photo.meta.icc))
    # Encoding as PNG takes ten times as long. Downloads never use this file.
    if photo.meta.jpeg is not None:
        return File(plain.to_bytes("jpg", quality=92), "image/jpeg", ".jpg"), photo.size
    return File(plain.to_bytes("png"), "image/png", ".png"), photo.size


def transparent(asked: EditInput, max_pixels: int) -> File:
    """Return the transparent part of the edited photo as a mask; raises MaskError without any."""
    photo = rebuilt(asked, max_pixels)
    return layer(read_hole(None, photo).mask)


def read_in(
    asked: EditInput, max_pixels: int
) -> tuple[File, list[Warning], tuple[int, int] | None]:
    """Read a mask file; return it as PNG, with warnings, and its own size if it was stretched."""
    photo = read_photo(asked.photo, max_pixels=max_pixels)
    assert asked.mask is not None
    width, height = read_photo(asked.mask, max_pixels=max_pixels).size
    options = MaskOptions(max_pixels=max_pixels)
    # A mask with another aspect ratio belongs to another photo and is refused.
    if abs(width / height * photo.height / photo.width - 1) <= _SAME_SHAPE:
        options = replace(options, resize=True)
    try:
        hole, said = read_hole(asked.mask, photo, options)
    except MaskError as error:
        if error.code != "mask.orientation":
            raise
        # The user sees the mask on the page, so it is safe to rotate it without asking.
        hole, said = read_hole(asked.mask, photo, replace(options, as_stored=True, resize=True))
        text = "the mask was made for the photo as its file stores it, and was turned with it"
        said = (*said, Warning("mask.was_turned", text))
        width, height = height, width
    stretched = None if (width, height) == photo.size else (width, height)
    return layer(hole), list(said), stretched


def layer(hole: NDArray[np.bool_]) -> File:
    """Encode a PNG, white in the hole and transparent elsewhere: a mask and a layer."""
    white: Any = np.where(hole, 255, 0).astype(np.uint8)
    return encoded(Photo(white[..., None], white, Meta(name="mask")), FileOptions(format="png"))


def adjusted(data: bytes, operate: str, size: int, max_pixels: int) -> File:
    """Dilate or erode a mask by `size` pixels on all sides, or invert it.

    Returns a PNG, white in the hole and transparent elsewhere; to be used as mask and as layer.
    """
    drawn = read_photo(data, max_pixels=max_pixels)
    hole = _hole_of(data, drawn, max_pixels)
    if operate == "reverse":
        hole = ~hole
    elif size:
        wider = operate == "expand"
        away = (hole if not wider else ~hole).astype(np.uint8)
        if away.all():
            distance = np.full(away.shape, np.inf)
        else:
            distance = left_behind(
                lambda: cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), away.size
            )
        hole = distance <= size if wider else distance > size
    return layer(hole)


def _hole_of(data: bytes, drawn: Photo, max_pixels: int) -> NDArray[np.bool_]:
    try:
        return read_mask(data, drawn, max_pixels=max_pixels)
    except MaskError:
        # A mask that covers everything is no valid mask for a fill, but it can be adjusted.
        if (drawn.pixels > drawn.max_value // 2).any(axis=2).all():
            return np.ones(drawn.shape, np.bool_)
        raise


def encoded(photo: Photo, options: FileOptions) -> File:
    """Encode a photo; format "same" is the photo's own format if it can be written."""
    suffix = suffix_of(photo.meta.format) if options.format == "same" else f".{options.format}"
    data, warnings = photo.encoded(suffix, quality=options.quality, lossless=options.lossless)
    kind = OUTPUT_SUFFIXES[suffix]
    return File(data, MEDIA_TYPES[kind], suffix_of(kind), warnings)
