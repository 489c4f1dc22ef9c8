"""Reads masks in the forms that people use. True = hole; in files white = hole."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError, MaskError, Warning
from gatefill.images.convert import Planes, upright
from gatefill.images.mask_values import THRESHOLD, Drawing, drawn, erased
from gatefill.images.photo import Photo
from gatefill.images.read import read_planes
from gatefill.images.source import DEFAULT_MAX_PIXELS, Source, is_array_like, label_of
from gatefill.settings import expect_type
from gatefill.stopping import left_behind, stop_point

_LOSSY = ("JPEG", "MPO", "WEBP", "AVIF", "HEIF")
_SAME_SHAPE = 0.03  # largest difference of the logarithms of two aspect ratios


@dataclass(frozen=True)
class MaskOptions:
    """Options for reading masks, sketches and search regions.

    Raises:
        ConfigError: If a value is out of range.
    """

    invert: bool = False  # black = hole; for masks only
    grow: int = 0  # pixels by which the hole is dilated; for masks only
    resize: bool = False  # stretch a mask of another size to the photo's size
    threshold: int = THRESHOLD  # levels of 255 above this are white
    as_stored: bool = False  # it fits the stored photo, and is rotated with it by EXIF
    allow_truncated: bool = False  # decode the remaining part of truncated files
    max_pixels: int = DEFAULT_MAX_PIXELS  # files with more pixels are refused before decoding
    seen_upright: bool = False  # arrays fit the upright photo: no warnings about EXIF rotation

    def __post_init__(self) -> None:
        expect_type(int, grow=self.grow, threshold=self.threshold, max_pixels=self.max_pixels)
        if self.grow < 0:
            raise ConfigError(
                f"expected to grow the mask by 0 pixels or more, got {self.grow}",
                code="mask.grow",
                grow=self.grow,
            )
        if not 0 <= self.threshold < 255:
            raise ConfigError(
                f"expected a threshold from 0 to 254, got {self.threshold}",
                code="mask.threshold",
                threshold=self.threshold,
            )


_DEFAULTS = MaskOptions()


def read_mask(
    source: Source | None,
    photo: Photo,
    *,
    invert: bool = False,
    grow: int = 0,
    resize: bool = False,
    threshold: int = THRESHOLD,
    as_stored: bool = False,
    allow_truncated: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> NDArray[np.bool_]:
    """Read the hole of a photo as bool ``HW``, True = hole.

    Args:
        source: The mask: white (above `threshold`) on black, in gray or any color; an image whose
            alpha marks what was drawn, which is the hole; a copy of the photo with the hole erased;
            or a bool array. None: the transparent part of the photo, with its soft edge.
        photo: The photo that the mask is for.
        invert: Black = hole.
        grow: Pixels by which the hole is dilated.
        resize: Stretch a mask of another size to the photo's size.
        threshold: Mask levels above this, of 255, are hole.
        as_stored: The mask fits the photo as stored in its file, before EXIF rotation.
        allow_truncated: Decode the remaining part of truncated files.
        max_pixels: Files with more pixels are refused before they are decoded.

    Returns:
        bool ``HW``. It may be empty, but never covers the whole photo.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImageError: If it cannot be read.
        MaskError: If it does not fit the photo or covers all of it, or if the photo has no alpha.
    """
    options = MaskOptions(invert, grow, resize, threshold, as_stored, allow_truncated, max_pixels)
    return read_hole(source, photo, options).mask


def read_hole(source: Source | None, photo: Photo, options: MaskOptions = _DEFAULTS) -> Drawing:
    """Read a mask like `read_mask`, and return warnings, too.

    Args:
        source: See `read_mask`.
        photo: The photo that the mask is for.
        options: How to read it.

    Returns:
        The hole, bool ``HW``, and warnings.

    Raises:
        MaskError, ImageError, FileNotFoundError: As for `read_mask`.
    """
    found = Drawing(_own_alpha(photo)) if source is None else _read(source, photo, "mask", options)
    hole, said = found
    if options.invert:
        hole = ~hole
    if options.grow:
        hole = grown(hole, options.grow)
        stop_point()
    if hole.all():
        raise MaskError(
            "the mask covers the whole photo: no known pixels are left to fill from",
            code="mask.all_hole",
        )
    if source is not None and photo.alpha is not None and hole.any():
        hidden = np.count_nonzero(hole & (photo.alpha == 0))
        if hidden == np.count_nonzero(hole):
            text = "the hole lies where the photo is transparent: the fill is not visible"
            said = (*said, Warning("mask.hidden", text))
    return Drawing(hole, said)


def read_plane(
    source: Source,
    photo: Photo,
    name: str,
    *,
    resize: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> NDArray[np.bool_]:
    """Read a drawing of the photo's size, such as a sketch, as bool ``HW``, True = white.

    It is read like a mask, but may cover the whole photo.

    Args:
        source: The drawing.
        photo: The photo that the drawing is for.
        name: Name of the drawing in messages.
        resize: Stretch a drawing of another size to the photo's size.
        max_pixels: Files with more pixels are refused before they are decoded.

    Returns:
        bool ``HW``.

    Raises:
        FileNotFoundError, ImageError, MaskError: As for `read_mask`.
    """
    options = MaskOptions(resize=resize, max_pixels=max_pixels)
    return read_drawing(source, photo, name, options).mask


def read_drawing(
    source: Source, photo: Photo, name: str, options: MaskOptions = _DEFAULTS
) -> Drawing:
    """Read a drawing like `read_plane`, and return warnings, too.

    Args:
        source: See `Source`.
        photo: The photo whose size it must have.
        name: Name of the drawing in messages, such as "sketch".
        options: How to read it.

    Returns:
        The plane, bool ``HW``, and warnings.

    Raises:
        MaskError, ImageError, FileNotFoundError: As for `read_plane`.
    """
    return _read(source, photo, name, options)


def _read(source: Source, photo: Photo, name: str, options: MaskOptions) -> Drawing:
    """Read a drawing in the photo's size and orientation."""
    label = label_of(source, name)
    planes, meta = read_planes(
        source, label, options.max_pixels, allow_truncated=options.allow_truncated
    )
    turn = photo.meta.orientation if meta.orientation == 1 else 1
    said = list(meta.warnings)
    if turn > 1 and options.as_stored:
        color, alpha = planes
        planes = Planes(upright(color, turn), None if alpha is None else upright(alpha, turn))
    elif turn > 1 and not (options.seen_upright and is_array_like(source)):
        said += _about_turn(planes.color.shape[:2], photo, name, turn)
    lossy = meta.format in _LOSSY
    mask, more = left_behind(
        lambda: drawn(planes, photo, label, name=name, threshold=options.threshold, lossy=lossy),
        planes.color.size,
    )
    if mask.shape != photo.shape:
        mask = _resized(mask, photo, options.resize, name)
    return Drawing(mask, (*said, *more))


def _about_turn(shape: tuple[int, int], photo: Photo, name: str, turn: int) -> tuple[Warning, ...]:
    """Return warnings for a drawing without an orientation, if the photo has one.

    Programs that ignore EXIF show the photo as stored, so that masks are drawn for that
    orientation.

    Raises:
        MaskError: If the drawing fits the stored photo and not the upright one.
    """
    values = {"orientation": turn, "plane": name}
    if shape == photo.shape:
        text = f"EXIF turns the photo (orientation {turn}), and the {name} is taken as upright"
        return (
            Warning("mask.turned", f"{text}, not as the file is stored (mask_as_stored)", values),
        )
    off, off_stored = (
        abs(math.log(shape[0] / shape[1] * (wide / tall)))
        for tall, wide in (photo.shape, photo.size)
    )
    if turn >= 5 and (shape == photo.size or off_stored <= _SAME_SHAPE < off):
        raise MaskError(
            f"the {name} is {shape[1]} x {shape[0]} and fits the photo as its file stores it, but "
            f"EXIF turns it (orientation {turn}) to {photo.width} x {photo.height}: turn the "
            f"{name} too, or let it be turned with the photo (mask_as_stored)",
            code="mask.orientation",
            **values,
        )
    return ()


def hidden_pixels(photo: Photo, hole: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the known pixels with alpha 0, whose colors are arbitrary; None if there are none.

    Raises MaskError if no other pixels are known.
    """
    if photo.alpha is None or not hole.any():
        return None
    hidden: NDArray[np.bool_] = (photo.alpha == 0) & ~hole
    if not hidden.any():
        return None
    if (hidden | hole).all():
        raise MaskError(
            "everything outside the hole is transparent: no known pixels are left to fill from",
            code="mask.all_hole",
        )
    return hidden


def _own_alpha(photo: Photo) -> NDArray[np.bool_]:
    if photo.alpha is None:
        raise MaskError(
            f"{photo.meta.name} has no transparent part to fill: give a mask as well, "
            "or a photo whose hole is transparent",
            code="mask.none",
            name=photo.meta.name,
        )
    return erased(photo.alpha)


def _resized(hole: NDArray[np.bool_], photo: Photo, allowed: bool, name: str) -> NDArray[np.bool_]:
    if not allowed:
        raise MaskError(
            f"the {name} is {hole.shape[1]} x {hole.shape[0]} and the photo "
            f"{photo.width} x {photo.height}: make them the same size, or let the {name} be "
            "stretched (resize_mask)",
            code="mask.size",
            plane=name,
            width=hole.shape[1],
            height=hole.shape[0],
            photo_width=photo.width,
            photo_height=photo.height,
        )
    # Each pixel takes the value of the mask pixel under its center.
    rows = (2 * np.arange(photo.height) + 1) * hole.shape[0] // (2 * photo.height)
    columns = (2 * np.arange(photo.width) + 1) * hole.shape[1] // (2 * photo.width)
    stretched: NDArray[np.bool_] = hole[rows[:, None], columns]
    return stretched


def grown(hole: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Dilate the hole by a disk: all pixels at a distance of at most `radius`."""
    if not radius or not hole.any():
        return hole
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    radius = min(radius, sum(hole.shape))  # a radius that covers any photo
    around = (
        slice(max(rows[0] - radius, 0), rows[-1] + radius + 1),
        slice(max(columns[0] - radius, 0), columns[-1] + radius + 1),
    )
    known = (~hole[around]).astype(np.uint8)
    distance = left_behind(
        lambda: cv2.distanceTransform(known, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), known.size
    )
    wide = np.zeros_like(hole)
    wide[around] = distance <= radius
    return wide
