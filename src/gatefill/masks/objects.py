"""Object-shaped holes, and cut-outs pasted into a photo to be removed again.

Paste a cut-out into a photo and fill its mask: the original photo is the ground truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError, MaskError
from gatefill.masks.base import Chance, Mask, canvas, finished, generator

# Lower alpha (of 255) counts as transparent: cut-outs often have invisible specks around them.
VISIBLE = 8


@dataclass(frozen=True)
class ObjectConfig:
    """Random size, rotation and mirroring of a cut-out."""

    size: tuple[float, float] = (0.25, 0.6)  # longer side, as a share of the frame's shorter side
    turn: float = 30.0  # largest rotation, degrees in both directions
    flip: bool = True  # mirror half of the cut-outs
    grow: float = 1 / 128  # dilation of the mask, as a share of the frame's shorter side


@dataclass(frozen=True)
class Placement:
    """A cut-out at its position in a frame; outside the mask the layer is transparent."""

    layer: NDArray[np.uint8]  # HW4, RGB and alpha, colors not premultiplied
    mask: Mask

    def onto(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Paste the cut-out into a photo ``HW3``; pixels outside the mask stay unchanged."""
        if photo.shape != (*self.mask.shape, 3) or photo.dtype != np.uint8:
            raise MaskError(
                f"expected a uint8 photo of size {self.mask.shape} with 3 channels, "
                f"got {photo.dtype} {photo.shape}",
                code="masks.photo",
            )
        alpha = self.layer[..., 3:].astype(np.uint32)
        mixed = alpha * self.layer[..., :3] + (255 - alpha) * photo
        return ((mixed + 127) // 255).astype(np.uint8)


def place_cutout(
    rgba: NDArray[np.uint8],
    height: int,
    width: int,
    chance: Chance,
    config: ObjectConfig = ObjectConfig(),
) -> Placement:
    """Scale, rotate and perhaps mirror a cut-out, and place it at random in a frame.

    Args:
        rgba: The cut-out, uint8 ``HW4``.
        height, width: Size of the frame in pixels.
        chance: A random seed, or a generator to draw from.
        config: Range of sizes and angles.

    Returns:
        The cut-out at its position, entirely inside the frame.

    Raises:
        MaskError: Unless `rgba` is uint8 ``HW4`` and not fully transparent.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8:
        raise MaskError(
            f"expected a uint8 cut-out HW4 with alpha, got {rgba.dtype} {rgba.shape}",
            code="masks.cutout",
        )
    if not (rgba[..., 3] >= VISIBLE).any():
        raise MaskError(
            "expected a cut-out with something to see, got a fully transparent one",
            code="masks.cutout",
        )
    rng = generator(chance)
    canvas(height, width)  # checks the size

    # size, turn and place
    cutout = _trimmed(rgba)
    if config.flip and rng.random() < 0.5:
        cutout = cutout[:, ::-1]
    angle = math.radians(rng.uniform(-config.turn, config.turn))
    cos, sin = math.cos(angle), math.sin(angle)
    tall, wide = cutout.shape[:2]
    turned_tall = tall * abs(cos) + wide * abs(sin)
    turned_wide = wide * abs(cos) + tall * abs(sin)
    wanted = rng.uniform(*config.size) * min(height, width)
    scale = max(wanted, 1.0) / max(turned_tall, turned_wide)
    room_down = max(height - turned_tall * scale, 0)
    room_right = max(width - turned_wide * scale, 0)
    row = rng.uniform(0, room_down) + turned_tall * scale / 2
    column = rng.uniform(0, room_right) + turned_wide * scale / 2

    # layer
    layer = _laid(cutout, scale, (cos, sin), (row, column), (height, width))
    visible = layer[..., 3] >= VISIBLE
    grown = _grown(visible, round(config.grow * min(height, width)))
    mask = finished(grown.astype(np.uint8), rng)
    layer[~(mask & visible)] = 0
    return Placement(layer, mask)


def object_mask(
    height: int,
    width: int,
    chance: Chance,
    alphas: Sequence[NDArray[np.uint8]],
    config: ObjectConfig = ObjectConfig(),
) -> Mask:
    """Make a hole in the shape of one of the cut-outs.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.
        alphas: Alpha planes of the cut-outs, uint8 ``HW``.
        config: Range of sizes and angles.

    Returns:
        Bool ``HW``, True = hole.

    Raises:
        MaskError: If there is no cut-out, or one is fully transparent.
    """
    if not alphas:
        raise ConfigError(
            "expected at least one cut-out for masks of object shape, got none",
            code="masks.no_cutouts",
        )
    rng = generator(chance)
    alpha = alphas[int(rng.integers(len(alphas)))]
    if alpha.ndim != 2:
        raise MaskError(
            f"expected alpha planes HW, got one of shape {alpha.shape}", code="masks.cutout"
        )
    return place_cutout(np.dstack([alpha] * 4), height, width, rng, config).mask


def _trimmed(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop a cut-out to its visible part."""
    visible = rgba[..., 3] >= VISIBLE
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _laid(
    cutout: NDArray[np.uint8],
    scale: float,
    turn: tuple[float, float],
    center: tuple[float, float],
    frame: tuple[int, int],
) -> NDArray[np.uint8]:
    """Place the cut-out in an empty frame: scaled, rotated by (cos, sin), centered at (y, x)."""
    # Colors are premultiplied for interpolation: hidden colors must not bleed into the edge.
    soft: NDArray[Any] = cutout.astype(np.float32)
    soft[..., :3] *= soft[..., 3:] / 255
    if scale < 1:  # area averaging; the warp alone would skip pixels
        tall, wide = (max(round(side * scale), 1) for side in cutout.shape[:2])
        soft = cv2.resize(soft, (wide, tall), interpolation=cv2.INTER_AREA)
        scale = 1.0
    tall, wide = soft.shape[:2]
    (cos, sin), (row, column) = turn, center
    matrix = np.array(
        [
            [scale * cos, -scale * sin, column - scale * (cos * wide - sin * tall) / 2],
            [scale * sin, scale * cos, row - scale * (sin * wide + cos * tall) / 2],
        ]
    )
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # coordinates are those of pixel centers
    laid = cv2.warpAffine(soft, matrix, frame[::-1], flags=cv2.INTER_LINEAR)
    alpha = laid[..., 3:]
    color = np.divide(laid[..., :3] * 255, alpha, out=np.zeros_like(laid[..., :3]), where=alpha > 0)
    clipped: NDArray[np.float32] = np.clip(np.dstack([color, alpha]), 0, 255)
    return np.rint(clipped).astype(np.uint8)


def _grown(mask: Mask, pixels: int) -> Mask:
    """Dilate the mask by a disk of that radius."""
    if pixels < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(np.bool_)
