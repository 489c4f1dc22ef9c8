"""Masks as files: a folder of PNG images, and a contact sheet of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError, MaskError
from gatefill.images import DEFAULT_MAX_PIXELS, Photo, read_photo
from gatefill.masks import (
    MASKS,
    OBJECT,
    Mask,
    MaskGenerator,
    generator,
    object_mask,
    sample_in_bin,
    unknown_kind,
)

# The contact sheet shows the first masks, scaled to tiles on a gray background.
TILES, COLUMNS, TILE, GAP, GROUND = 64, 8, 128, 6, 110


def kind_named(name: str, cutouts: Sequence[Path] = ()) -> MaskGenerator:
    """Create the mask generator of a kind.

    Args:
        name: The kind, such as ``"brush"``.
        cutouts: Images whose alpha gives the shapes of ``"object"`` masks; for that kind only.

    Raises:
        GatefillError: For an unknown kind, a cut-out without alpha, too many or no cut-outs.
    """
    if name == OBJECT:
        if not cutouts:
            raise ConfigError(
                "expected a cut-out for object masks, got none", code="masks.no_cutouts"
            )
        alphas = [_alpha(path) for path in cutouts]
        return lambda height, width, chance: object_mask(height, width, chance, alphas)
    if cutouts:
        raise ConfigError(
            f"expected cut-outs with kind 'object' only, got them with {name!r:.80}",
            code="masks.unused_cutouts",
            kind=name[:80],
        )
    if name in MASKS:
        return MASKS[name]
    raise unknown_kind(name)


def _alpha(path: Path) -> NDArray[np.uint8]:
    photo = read_photo(path)
    if photo.alpha is None:
        raise MaskError(
            f"expected a cut-out with alpha, got one without: {path}",
            code="masks.cutout",
            file=str(path),
        )
    return (
        photo.alpha.astype(np.uint8)
        if photo.max_value == 255
        else (photo.alpha >> 8).astype(np.uint8)
    )


def draw(
    kind: MaskGenerator,
    height: int,
    width: int,
    seed: int,
    count: int,
    share: tuple[float, float] | None = None,
) -> Iterator[Mask]:
    """Yield `count` masks from one random seed; share: range of hole shares in [0, 1]."""
    rng = generator(seed)
    for _ in range(count):
        if share is None:
            yield kind(height, width, rng)
        else:
            yield sample_in_bin(kind, height, width, rng, *share)


def save_mask(mask: Mask, folder: Path, number: int) -> Path:
    """Write a mask as ``mask_00000.png`` with its number: 8-bit gray, white = hole."""
    path = folder / f"mask_{number:05d}.png"
    Photo(mask.astype(np.uint8)[..., None] * np.uint8(255)).save(path, overwrite=True)
    return path


def contact_sheet(paths: Sequence[Path], folder: Path) -> Path:
    """Write ``contact_sheet.png`` with the first 64 mask files; return its path."""
    tiles = [_tile(read_photo(path).pixels[..., 0]) for path in paths[:TILES]]
    columns = min(COLUMNS, len(tiles))
    tall = max(tile.shape[0] for tile in tiles) + GAP
    wide = max(tile.shape[1] for tile in tiles) + GAP
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * tall + GAP, columns * wide + GAP, 1), GROUND, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = GAP + number // columns * tall, GAP + number % columns * wide
        sheet[top : top + tile.shape[0], left : left + tile.shape[1], 0] = tile
    path = folder / "contact_sheet.png"
    Photo(sheet).save(path, overwrite=True)
    return path


def _tile(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale a mask so that its longer side is that of a tile."""
    height, width = plane.shape
    scale = TILE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(plane, size, interpolation=method), np.uint8)


def read_size(text: str) -> tuple[int, int]:
    """Parse a size such as ``680x512`` to (width, height). Raises ConfigError if it is invalid."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise ConfigError(
            f"expected a size as WIDTHxHEIGHT, such as 680x512, got {text!r:.80}",
            code="masks.size",
            value=text[:80],
        ) from None
    if min(height, width) < 1 or height * width > DEFAULT_MAX_PIXELS:
        raise ConfigError(
            f"expected a size from 1x1 to {DEFAULT_MAX_PIXELS:,} pixels, got {width}x{height}",
            code="masks.size",
            value=text[:80],
        )
    return width, height


def read_bin(text: str) -> tuple[float, float]:
    """Parse percentages such as ``10-20`` to hole shares in [0, 1], or raise ConfigError."""
    try:
        low, high = (float(part) / 100 for part in text.removesuffix("%").split("-"))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low < high <= 1:
        raise ConfigError(
            f"expected a range of hole shares in percent as LOW-HIGH, such as 10-20, "
            f"got {text!r:.80}",
            code="masks.shares",
            value=text[:80],
        )
    return low, high
