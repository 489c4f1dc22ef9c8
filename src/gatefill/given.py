"""Reads and checks the input of one call: photo, mask, sketch and search region."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypedDict

from gatefill.errors import ConfigError, MaskError, Warning
from gatefill.images import (
    MaskOptions,
    Photo,
    Source,
    is_source,
    mask_warnings,
    read_drawing,
    read_hole,
    read_photo,
)
from gatefill.images.mask import hidden_pixels
from gatefill.images.mask_values import THRESHOLD
from gatefill.methods import MethodInfo
from gatefill.methods.base import Mask, not_taken
from gatefill.stopping import stop_point

Progress = Callable[[float], None]
_NONE_LEFT: Any = object()


class ReadOptions(TypedDict, total=False):
    """The sketch, the search region, and how masks are read; see `Inpainter.__call__`."""

    sketch: Source | None
    search: Source | None
    invert_mask: bool
    grow: int
    feather: int
    resize_mask: bool
    threshold: int
    mask_as_stored: bool
    allow_truncated: bool


class FillOptions(ReadOptions, total=False):
    """All options of a call; see `Inpainter.__call__`."""

    progress: Progress | None


def mask_options(options: ReadOptions, max_pixels: int, *, seen_upright: bool) -> MaskOptions:
    """Select from all options of a call those that say how masks are read. See `MaskOptions`."""
    return MaskOptions(
        invert=options.get("invert_mask", False),
        grow=options.get("grow", 0),
        resize=options.get("resize_mask", False),
        threshold=options.get("threshold", THRESHOLD),
        as_stored=options.get("mask_as_stored", False),
        allow_truncated=options.get("allow_truncated", False),
        max_pixels=max_pixels,
        seen_upright=seen_upright,
    )


@dataclass(frozen=True, eq=False)
class Given:
    """The checked input of one call. It shares no memory with what the caller passed."""

    photo: Photo
    mask: Mask  # HW, True = hole
    sketch: Mask | None
    search: Mask | None
    hidden: Mask | None  # known pixels with alpha 0, which may not be copied from
    opaque: Mask | None  # where alpha, which defined the hole, becomes opaque
    warnings: tuple[Warning, ...]

    @property
    def unknown(self) -> Mask:
        """The pixels that the method treats as missing: the hole, and known pixels with alpha 0."""
        return self.mask if self.hidden is None else self.mask | self.hidden


def read_given(
    info: MethodInfo,
    photo: Photo,
    mask: Source | None,
    options: ReadOptions,
    max_pixels: int,
    seen_upright: bool = False,
) -> Given:
    """Read the input of a call at one size, and collect warnings about what looks wrong.

    Args:
        info: Description of the method, which says what inputs it accepts.
        photo: The photo, not shared with the caller.
        mask: See `Inpainter.__call__`.
        options: See `Inpainter.__call__`.
        max_pixels: Larger files are refused before they are decoded.
        seen_upright: See `MaskOptions`.

    Raises:
        MaskError: If the method takes no sketch or search region, or one does not fit the photo.
        GatefillError, FileNotFoundError: If an input cannot be read.
    """
    masks = mask_options(options, max_pixels, seen_upright=seen_upright)
    sketch, search = options.get("sketch"), options.get("search")
    for name, plane, takes in (
        ("sketch", sketch, info.takes_sketch),
        ("search", search, info.takes_search),
    ):
        if plane is not None and not takes:
            raise not_taken(info, name)
    hole, said = read_hole(mask, photo, masks)
    stop_point()
    planes: list[Mask | None] = []
    for name, plane in (("sketch", sketch), ("search region", search)):
        drawn = None
        if plane is not None:
            drawn, more = read_drawing(plane, photo, name, masks)
            said = (*said, *more)
        planes.append(drawn)
        stop_point()
    if not _is_file(mask):
        hole = hole.copy()  # read_mask returns a bool array of the caller unchanged
    hidden = None if mask is None else hidden_pixels(photo, hole)
    stop_point()
    odd = mask_warnings(photo, hole)
    stop_point()
    given = Given(
        photo=photo,
        mask=hole,
        sketch=planes[0],
        search=planes[1],
        hidden=hidden,
        opaque=hole if mask is None else None,
        warnings=(*photo.meta.warnings, *said, *odd),
    )
    if given.search is not None and not (given.search & ~given.unknown).any():
        raise MaskError(
            "expected some of the search region outside the hole, got none",
            code="search.no_known_pixels",
        )
    return given


def own_photo(photo: Source | Photo, max_pixels: int, *, allow_truncated: bool = False) -> Photo:
    """Read the photo into memory that is not shared with arrays of the caller."""
    if isinstance(photo, Photo):
        found = photo
    else:
        found = read_photo(photo, max_pixels=max_pixels, allow_truncated=allow_truncated)
    if _is_file(photo):
        return found
    alpha = None if found.alpha is None else found.alpha.copy()
    return Photo(found.pixels.copy(), alpha, found.meta)


def _is_file(source: object) -> bool:
    """Return whether the source is decoded from a file, so that nothing else uses its memory."""
    return source is None or isinstance(source, (str, os.PathLike, bytes))


def file_of(photo: object) -> Path | None:
    """Return the path of the file a photo came from: a path, or a PIL image opened from one."""
    name = photo if isinstance(photo, (str, os.PathLike)) else getattr(photo, "filename", None)
    return Path(name) if name and isinstance(name, (str, os.PathLike)) else None


def pairs(
    photos: Iterable[Source | Photo], masks: Source | Iterable[Source | None] | None
) -> Iterator[tuple[Source | Photo, Source | None]]:
    """Yield each photo with its mask. Raises ConfigError if there are fewer or more masks."""
    if masks is None or is_source(masks):
        single: Any = masks
        yield from ((photo, single) for photo in photos)
        return
    several: Any = masks
    for photo, mask in zip_longest(photos, several, fillvalue=_NONE_LEFT):
        if photo is _NONE_LEFT or mask is _NONE_LEFT:
            which = "masks" if photo is _NONE_LEFT else "photos"
            raise ConfigError(
                f"expected a mask for each photo, got more {which}", code="mask.count"
            )
        yield photo, mask
