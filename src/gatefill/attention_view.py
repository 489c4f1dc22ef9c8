"""Pictures of attention: the color-wheel map of the paper, and lines drawn over the photo.

The colors are those used for optical flow (Baker et al., A Database and Evaluation Methodology for
Optical Flow, IJCV 2011), in which the paper shows its attention (arXiv 1806.03589): the hue encodes
the direction to the position attended to, the saturation its distance.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError, MaskError
from gatefill.methods.base import Attention, Mask

Picture = NDArray[np.uint8]  # HW3 RGB
Offsets = NDArray[np.float32]  # ...2, (dy, dx)

# Steps between the corner colors of the wheel: red, yellow, green, cyan, blue, magenta, red. There
# are more steps where the eye distinguishes more hues.
_CORNERS = ((255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255))
_STEPS = (15, 6, 4, 11, 13, 6)


def color_wheel() -> NDArray[np.float32]:
    """Return the 55 colors of the wheel, ``N3`` RGB in [0, 1]."""
    colors = []
    for start, stop, steps in zip(_CORNERS, _CORNERS[1:] + _CORNERS[:1], _STEPS, strict=True):
        share = np.arange(steps, dtype=np.float64)[:, None] / steps
        rising = np.array(stop) > np.array(start)
        way = np.floor(255 * share)
        colors.append(np.where(np.equal(start, stop), start, np.where(rising, way, 255 - way)))
    return (np.concatenate(colors) / 255).astype(np.float32)


def offset_colors(offsets: Offsets, longest: float | None = None) -> Picture:
    """Return the color-wheel color of each offset.

    An offset of zero is white. As in the official code, dy is measured along the first axis of the
    wheel and dx along the second, so that the pictures compare with those of the paper.

    Args:
        offsets: ``...2`` (dy, dx), in pixels.
        longest: Length of the offset with full saturation. Default: the length of the longest one.

    Returns:
        ``...3`` RGB uint8.
    """
    offsets = np.asarray(offsets, np.float64)
    if offsets.size == 0:
        return np.zeros((*offsets.shape[:-1], 3), np.uint8)
    lengths = np.linalg.norm(offsets, axis=-1)
    scale = float(lengths.max()) if longest is None else longest
    radius = np.minimum(lengths / max(scale, 1e-9), 1.0)[..., None]

    # Position on the wheel
    wheel = color_wheel().astype(np.float64)
    angle = np.arctan2(-offsets[..., 1], -offsets[..., 0]) / np.pi
    place = (angle + 1) / 2 * (len(wheel) - 1)
    before = np.floor(place).astype(np.intp)
    share = (place - before)[..., None]
    hue = (1 - share) * wheel[before] + share * wheel[(before + 1) % len(wheel)]

    colors = np.floor(255 * (1 - radius * (1 - hue)))
    return np.asarray(colors, np.uint8)


def flow_picture(attention: Attention, height: int, width: int, legend: bool = True) -> Picture:
    """Draw the color-wheel map of the attention: each cell of the hole in the color of its offset.

    Known pixels are white, as their offset is zero.

    Args:
        attention: The positions in the hole and the positions they attend to.
        height: Height of the photo in pixels.
        width: Width of the photo in pixels.
        legend: Draw the wheel in the corner where it covers least of the hole, with the length of
            its radius in pixels.

    Returns:
        ``HW3`` RGB uint8 of the given height and width.
    """
    picture = np.full((height, width, 3), 255, np.uint8)
    covered = np.zeros((height, width), np.bool_)
    offsets = _offsets(attention)
    for (row, column), color in zip(attention.target, offset_colors(offsets), strict=True):
        cell = _cell(int(row), int(column), attention.stride)
        picture[cell] = color
        covered[cell] = True
    if legend and len(offsets) and min(height, width) >= 48:
        _draw_legend(picture, covered, float(np.linalg.norm(offsets, axis=1).max()))
    return picture


def lines_picture(
    image: Picture, mask: Mask, attention: Attention, spacing: int | None = None
) -> Picture:
    """Draw lines from a grid of points in the hole to the positions they attend to most.

    A dot is the point in the hole, a ring the position attended to. The hue is that of the
    direction in `flow_picture`; a line is fainter the smaller its weight is compared to the
    strongest one.

    Args:
        image: The photo, ``HW3`` RGB uint8.
        mask: ``HW`` bool, True = hole.
        attention: The positions in the hole and the positions they attend to.
        spacing: Distance of the points in pixels, 1 or more. Default: about twelve points along the
            longer side of the hole.

    Returns:
        ``HW3`` RGB uint8.

    Raises:
        GatefillError: If the mask does not have the size of the image, or for a spacing below 1.
    """
    if image.shape[:2] != mask.shape:
        raise MaskError(
            f"expected a mask of size {image.shape[:2]}, got {mask.shape}",
            code="frame.plane",
            plane="mask",
            shape=list(mask.shape),
        )
    picture = np.where(mask[..., None], image // 2 + 64, image).astype(np.uint8)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, (255, 255, 255), 1)
    if not len(attention.target):
        return picture

    chosen = _on_grid(attention, spacing)
    offsets = _offsets(attention)
    lengths = np.linalg.norm(offsets, axis=1)
    hues = offset_colors(offsets / np.maximum(lengths, 1e-9)[:, None], longest=1.0)
    strongest = max(float(attention.weight[chosen, 0].max()), 1e-9)
    thick = max(1, round(max(image.shape[:2]) / 500))
    # Long lines first, so that the short ones stay visible.
    for index in sorted(chosen, key=lambda each: -lengths[each]):
        here, there = _point(attention.target[index]), _point(attention.source[index, 0])
        strength = 0.5 + 0.5 * float(attention.weight[index, 0]) / strongest
        _draw_line(picture, here, there, hues[index].tolist(), thick, strength)
    return picture


def _draw_line(
    picture: Picture,
    here: tuple[int, int],
    there: tuple[int, int],
    color: list[int],
    thick: int,
    strength: float,
) -> None:
    """Draw a dot `here` (x, y), a ring `there` and a line between them, with a dark rim."""
    # Only the box around the line is blended: photos can be large and lines many.
    margin = 6 * thick
    left, top = (max(min(pair) - margin, 0) for pair in zip(here, there, strict=True))
    right, bottom = (max(pair) + margin for pair in zip(here, there, strict=True))
    area = picture[top:bottom, left:right]
    over = area.copy()
    here, there = (here[0] - left, here[1] - top), (there[0] - left, there[1] - top)
    for shade, more in (([0, 0, 0], 2), (color, 0)):
        cv2.line(over, here, there, shade, thick + more, cv2.LINE_AA)
        cv2.circle(over, there, 3 * thick, shade, thick + more, cv2.LINE_AA)
        cv2.circle(over, here, 2 * thick + more // 2, shade, -1, cv2.LINE_AA)
    area[:] = np.rint(over * strength + area * (1 - strength)).astype(np.uint8)


def _offsets(attention: Attention) -> Offsets:
    """Return the offset of each position to the one it attends to most, ``N2`` (dy, dx) pixels."""
    return (attention.source[:, 0] - attention.target).astype(np.float32)


def _cell(row: int, column: int, stride: int) -> tuple[slice, slice]:
    """Return the cell of `stride` x `stride` pixels around a position.

    Cells need not start at multiples of the stride: the grid of a crop starts at its corner.
    """
    top, left = row - stride // 2, column - stride // 2
    return slice(max(top, 0), top + stride), slice(max(left, 0), left + stride)


def _point(position: NDArray[np.int32]) -> tuple[int, int]:
    """A position (row, column) as OpenCV's (x, y)."""
    return int(position[1]), int(position[0])


def _on_grid(attention: Attention, spacing: int | None) -> list[int]:
    """Return the indices of the positions nearest to the nodes of a regular grid, each once."""
    target = attention.target.astype(np.float64)
    low, high = target.min(axis=0), target.max(axis=0)
    if spacing is None:
        spacing = max(attention.stride, round(float((high - low).max()) / 12))
    elif spacing < 1:
        raise ConfigError(
            f"expected a spacing of at least 1 pixel, got {spacing}",
            code="attention.spacing",
            spacing=spacing,
        )
    chosen: dict[int, None] = {}
    for row in np.arange(low[0] + (high[0] - low[0]) % spacing / 2, high[0] + 1, spacing):
        for column in np.arange(low[1] + (high[1] - low[1]) % spacing / 2, high[1] + 1, spacing):
            away = np.abs(target - (row, column)).max(axis=1)
            nearest = int(away.argmin())
            if away[nearest] <= max(spacing, attention.stride) / 2:
                chosen[nearest] = None
    return list(chosen)


def _draw_legend(picture: Picture, covered: Mask, longest: float) -> None:
    """Draw the wheel in the corner of `picture` where it covers least of the hole."""
    height, width = covered.shape
    side = min(max(min(height, width) // 5, 32), 160)
    tops, lefts = (0, height - side), (0, width - side)
    corners = [(top, left) for top in tops for left in lefts]
    top, left = min(
        corners, key=lambda at: int(covered[at[0] : at[0] + side, at[1] : at[1] + side].sum())
    )

    # The wheel: each pixel in the color of its offset from the center.
    radius = side * 0.36
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    ways = np.stack([rows - side * 0.42, columns - side / 2], axis=-1)
    wheel = offset_colors(ways, longest=radius)
    inside = np.linalg.norm(ways, axis=-1) <= radius
    area = picture[top : top + side, left : left + side]
    area[:] = np.where(inside[..., None], wheel, 255)
    center = (left + round(side / 2), top + round(side * 0.42))
    cv2.circle(picture, center, round(radius), (90, 90, 90), 1, cv2.LINE_AA)
    cv2.circle(picture, center, 1, (90, 90, 90), -1)

    # The length of an offset at the rim
    text, font = f"{longest:.0f} px", cv2.FONT_HERSHEY_SIMPLEX
    scale = side / 200
    (wide, _), _ = cv2.getTextSize(text, font, scale, 1)
    corner = (left + (side - wide) // 2, top + round(side * 0.96))
    cv2.putText(picture, text, corner, font, scale, (60, 60, 60), 1, cv2.LINE_AA)
