"""Reading and writing photos and masks. No other package handles files, PIL, EXIF or bit depths."""

from __future__ import annotations

from gatefill.images.encode import Encoded, check_options
from gatefill.images.kinds import format_of
from gatefill.images.mask import (
    MaskOptions,
    grown,
    read_drawing,
    read_hole,
    read_mask,
    read_plane,
)
from gatefill.images.mask_check import mask_warnings
from gatefill.images.meta import Meta
from gatefill.images.photo import Photo
from gatefill.images.read import read_photo
from gatefill.images.sizes import most_depth, size_of
from gatefill.images.source import DEFAULT_MAX_PIXELS, ImageError, Source, is_source
from gatefill.images.write import OUTPUT_SUFFIXES, check_output, suffix_of, write_atomically

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "OUTPUT_SUFFIXES",
    "Encoded",
    "ImageError",
    "MaskOptions",
    "Meta",
    "Photo",
    "Source",
    "check_options",
    "check_output",
    "format_of",
    "grown",
    "is_source",
    "mask_warnings",
    "most_depth",
    "read_drawing",
    "read_hole",
    "read_mask",
    "read_photo",
    "read_plane",
    "size_of",
    "suffix_of",
    "write_atomically",
]
