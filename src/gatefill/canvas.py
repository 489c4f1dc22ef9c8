"""The state of a photo while its regions are filled one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatefill.errors import GatefillError
from gatefill.geometry import bounding_box
from gatefill.images import Photo
from gatefill.methods.base import Attention, Fill, Image, Mask, composite, copied
from gatefill.photo_attention import joined, moved_by, within
from gatefill.regions import Region
from gatefill.soft_edge import blended
from gatefill.stopping import stop_point, strips


class Canvas:
    """The pixels filled so far, and the mask of what is left to fill."""

    def __init__(self, photo: Photo, mask: Mask, hidden: Mask | None) -> None:
        """Start with nothing filled. hidden: ``HW``, known pixels with alpha 0; None for none."""
        self.photo = photo
        self.hidden = hidden
        self.left = copied(mask)  # HW, the part of the hole that no region has filled yet
        self.pixels: Any = copied(photo.pixels)
        self.coarse: Any = None
        self._attention: list[Attention] = []

    def seen_from(self, region: Region) -> tuple[Image, Mask]:
        """Return a method's input: a region's pixels, including earlier fills, and its holes."""
        stop_point()
        now = Photo(self.pixels[region.box.slices])
        unknown = self.left[region.box.slices]
        if self.hidden is not None:
            unknown = unknown | self.hidden[region.box.slices]
        return now.rgb(), np.ascontiguousarray(unknown)

    def put(self, region: Region, fill: Fill) -> None:
        """Copy the fill of a region into the holes that belong to the region."""
        own = region.own(self.left)
        _check(fill, own)
        self._paste(self.pixels, region, own, fill.image)
        if fill.coarse is not None:
            if self.coarse is None:
                self.coarse = copied(self.photo.pixels)
            stop_point()
            self._paste(self.coarse, region, own, fill.coarse)
        if fill.attention is not None:
            stop_point()
            found = fill.attention
            if region.numbers is not None or self.hidden is not None:
                found = within(found, own)
            self._attention.append(moved_by(found, region.box.top, region.box.left))
        part = self.left[region.box.slices]
        part[own] = False

    def soften(self, hole: Mask, width: int) -> None:
        """Blend the fill of a hole into the photo along an edge of `width` pixels."""
        box = bounding_box(hole)
        if box is not None and width:
            near = box.grown(width, *hole.shape).slices
            before = self.photo.pixels[near]
            self.pixels[near] = blended(before, self.pixels[near], hole[near], width)

    def _paste(self, pixels: Any, region: Region, own: Mask, image: Image) -> None:
        hole = bounding_box(own)
        assert hole is not None  # each region has holes of its own
        part: Any = pixels[region.box.slices][hole.slices]  # a view; the rest stays as it is
        new, own = image[hole.slices], own[hole.slices]
        for rows in strips(hole.height, hole.width):
            filled: Any = self.photo.quantized(new[rows])
            part[rows] = composite(filled, part[rows], own[rows])

    @property
    def attention(self) -> Attention | None:
        """Return the attention of all regions as one."""
        return joined(self._attention)


def _check(fill: Fill, own: Mask) -> None:
    """Raise TypeError for a frame of another shape, GatefillError for one with NaN or infinity.

    own: ``HW`` of the region, the pixels that are taken over.
    """
    for frame in (fill.image, fill.coarse):
        if frame is None:
            continue
        if frame.shape != (*own.shape, 3):
            raise TypeError(f"expected a fill of shape {(*own.shape, 3)}, got {frame.shape}")
        for rows in strips(*own.shape):
            new = frame[rows]
            if not np.isfinite(new).all() and not np.isfinite(new[own[rows]]).all():
                raise GatefillError(
                    "expected a fill of finite numbers, got NaN or infinity: the weights may be "
                    "damaged, or need float32",
                    code="method.not_finite",
                )
