"""Writes a photo that was read from a JPEG as the same JPEG with a part of it filled."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms, JpegImagePlugin

from gatefill.errors import Warning
from gatefill.images import jpeg_blocks
from gatefill.images.convert import Pixels, from_pil, turned_back, upright
from gatefill.images.damage import is_ours
from gatefill.images.jpeg_read import subsampling_of
from gatefill.images.jpeg_segments import (
    APP0,
    APP2,
    APP14,
    JpegLayout,
    kept,
    layout_of,
    with_segments,
)
from gatefill.images.meta import Meta, first_line, orientation_of

# ITU-T T.871: RGB to Y, Cb, Cr; 128 is added to Cb and Cr.
_TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_CENTER = np.array([0, 128, 128], np.float32)


def as_source(pixels: Pixels, meta: Meta) -> tuple[bytes | None, list[Warning]]:
    """Write `pixels` as the JPEG file of `meta` with only the changed blocks replaced.

    Blocks without a changed pixel keep their coefficients. Orientation, sampling, tables and all
    segments that remain valid are kept. If coefficients cannot be kept, the photo is encoded with
    the tables and sampling of the source, and a warning says so.

    Args:
        pixels: The upright photo, ``HWC`` uint8.
        meta: Metadata of the photo, with the source file.

    Returns:
        The content of the file, and warnings. None in place of the file if the photo was not read
        from a JPEG, or if its size or number of channels has changed.
    """
    if meta.jpeg is None or pixels.dtype != np.uint8:
        return None, []
    try:
        layout = layout_of(meta.jpeg)
        source, before = _decoded(meta.jpeg)
    except Exception as error:  # such as a truncated file that was opened nevertheless
        if is_ours(error):
            raise
        return None, [_encoded_anew(meta, error)]
    if before.shape != pixels.shape:
        return None, []
    # `any` over such a short axis would take ten times as long.
    differs = before != pixels
    planes = (differs[..., channel] for channel in range(differs.shape[2]))
    changed = turned_back(reduce(np.logical_or, planes), source.orientation)
    del before, differs
    stored = turned_back(pixels, source.orientation)
    try:
        if not jpeg_blocks.available():
            raise jpeg_blocks.UnkeptError("the package pyjpegio is not installed")
        data = jpeg_blocks.with_blocks_changed(
            meta.jpeg,
            stored,
            changed,
            layout,
            lambda samples, space: _samples_of(samples, space, source.profile),
        )
        return with_segments(data, kept(layout.head)), []
    except (jpeg_blocks.UnkeptError, OSError) as error:  # OSError: no space for a temporary file
        return _with_same_tables(stored, source, layout), [_encoded_anew(meta, error)]


@dataclass(frozen=True)
class _Source:
    """How a JPEG is encoded."""

    mode: str
    orientation: int
    tables: dict[int, list[int]]
    sampling: str  # such as "4:2:0"
    is_progressive: bool
    profile: bytes | None


def _decoded(data: bytes) -> tuple[_Source, Pixels]:
    """Return how a JPEG is encoded, and its upright pixels."""
    image: Any = JpegImagePlugin.jpeg_factory(io.BytesIO(data))
    source = _Source(
        image.mode,
        orientation_of(image.getexif()),
        image.quantization,
        subsampling_of(image) or "4:4:4",
        "progressive" in image.info,
        image.info.get("icc_profile"),
    )
    image.load()
    return source, upright(from_pil(image, "")[0][0], source.orientation)


def _encoded_anew(meta: Meta, error: Exception) -> Warning:
    reason = first_line(error)
    text = f"{meta.name}: all blocks of the JPEG are re-encoded ({reason})"
    return Warning("file.reencoded", text, {"name": meta.name, "reason": reason})


def _samples_of(pixels: NDArray[np.uint8], space: int, profile: bytes | None) -> Any:
    """Convert pixels ``...C`` to samples ``...K`` float32 in [0, 255] of a JPEG's components."""
    if space == jpeg_blocks.YCBCR:
        return _to_ycbcr(pixels)
    if space in (jpeg_blocks.CMYK, jpeg_blocks.YCCK):
        inks = _inks_of(pixels, profile).astype(np.float32)
        if space == jpeg_blocks.CMYK:
            return 255 - inks
        # Adobe's files store 255 minus the inks, and YCCK inverts that again, except black.
        luma = _to_ycbcr(inks[..., :3])
        return np.concatenate([luma, 255 - inks[..., 3:]], axis=-1)
    return pixels.astype(np.float32)


def _to_ycbcr(colors: NDArray[Any]) -> NDArray[np.float32]:
    """Convert ``...3`` in one matrix product, which is faster than many small ones."""
    rows = colors.reshape(-1, 3).astype(np.float32) @ _TO_YCBCR.T
    rows += _CENTER
    return np.asarray(rows.reshape(colors.shape))


def _inks_of(pixels: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """Convert sRGB pixels ``...3`` to CMYK ``...4``, the inverse of the conversion for reading."""
    image = PIL.Image.fromarray(pixels.reshape(len(pixels), -1, 3))
    inks = image.convert("CMYK")
    if profile:
        try:
            target = ImageCms.getOpenProfile(io.BytesIO(profile)).profile
        except ImageCms.PyCMSError:  # reading ignored the profile in this case, too
            target = None
        try:
            if target is not None:
                srgb = ImageCms.createProfile("sRGB")
                found = ImageCms.profileToProfile(image, srgb, target, outputMode="CMYK")
                inks = inks if found is None else found
        except ImageCms.PyCMSError as error:
            reason = "its ICC profile cannot convert to CMYK"
            raise jpeg_blocks.UnkeptError(reason) from error
    return np.asarray(inks).reshape(*pixels.shape[:-1], 4)


def _with_same_tables(stored: NDArray[np.uint8], source: _Source, layout: JpegLayout) -> bytes:
    """Encode the photo with the tables and the sampling of the JPEG it was read from."""
    segments = [segment for segment in kept(layout.head) if segment.marker != APP14]
    if source.mode == "CMYK":  # becomes RGB, for which its profile is wrong
        segments = [
            segment
            for segment in segments
            if not (segment.marker == APP2 and segment.payload.startswith(b"ICC_PROFILE\0"))
        ]
    file = io.BytesIO()
    PIL.Image.fromarray(stored[..., 0] if stored.shape[2] == 1 else stored).save(
        file,
        format="JPEG",
        qtables=source.tables,
        subsampling=source.sampling,
        progressive=source.is_progressive,
        optimize=True,
    )
    data = file.getvalue()
    if not any(segment.marker == APP0 for segment in segments):
        segments = [
            *(part for part in layout_of(data, head_only=True).head if part.marker == APP0),
            *segments,
        ]
    return with_segments(data, segments)
