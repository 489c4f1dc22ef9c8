"""Masks: random ones as used for training and evaluation, and masks of things found in a photo.

A generator is a function of height, width and a random seed or numpy generator that returns a bool
mask ``HW``, True = hole. `select_object`, `select_people`, `select_text` and `select_dust` find
what to remove from a photo.
"""

from gatefill.errors import ConfigError, did_you_mean
from gatefill.masks.base import Chance, Mask, MaskGenerator, generator, hole_share
from gatefill.masks.bins import HOLE_BINS, sample_in_bin
from gatefill.masks.boxes import BoxConfig, box, center
from gatefill.masks.brush import BrushConfig, box_or_brush, brush
from gatefill.masks.irregular import IrregularConfig, irregular
from gatefill.masks.lama import lama_medium, lama_thick, lama_thin
from gatefill.masks.models import fetch_models
from gatefill.masks.objects import ObjectConfig, Placement, object_mask, place_cutout
from gatefill.masks.select_dust import select_dust
from gatefill.masks.select_object import select_object
from gatefill.masks.select_people import select_people
from gatefill.masks.select_text import select_text

MASKS: dict[str, MaskGenerator] = {
    "box": box,
    "brush": brush,
    "box_or_brush": box_or_brush,
    "lama_thin": lama_thin,
    "lama_medium": lama_medium,
    "lama_thick": lama_thick,
    "irregular": irregular,
    "center": center,
}
"""The kinds of masks that need only a size and a seed."""

OBJECT = "object"
"""The kind that also needs cut-outs; see `object_mask`."""

MASK_KINDS = (*MASKS, OBJECT)
"""The names of all kinds, the same on the command line, in reports and in recipes."""


def unknown_kind(name: str) -> ConfigError:
    """Return the error for an unknown kind of mask."""
    return ConfigError(
        f"expected a kind of mask, one of {', '.join(MASK_KINDS)}, got {name!r:.80}"
        f"{did_you_mean(name, MASK_KINDS)}",
        code="masks.unknown_kind",
        kind=name[:80],
        known=list(MASK_KINDS),
    )


__all__ = [
    "HOLE_BINS",
    "MASKS",
    "MASK_KINDS",
    "OBJECT",
    "BoxConfig",
    "BrushConfig",
    "Chance",
    "IrregularConfig",
    "Mask",
    "MaskGenerator",
    "ObjectConfig",
    "Placement",
    "box",
    "box_or_brush",
    "brush",
    "center",
    "fetch_models",
    "generator",
    "hole_share",
    "irregular",
    "lama_medium",
    "lama_thick",
    "lama_thin",
    "object_mask",
    "place_cutout",
    "sample_in_bin",
    "select_dust",
    "select_object",
    "select_people",
    "select_text",
    "unknown_kind",
]
