"""Contextual attention: each place is rebuilt from the background patches it resembles.

Source: arXiv 1801.07892, section 4.1 and figure 4, with the conventions of the released DeepFill v2
code. How it is computed stands in `attention_pairs`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatefill.layers.attention_pairs import Pairs
from gatefill.layers.padding import Resizing

_BLOCK = 2**25  # pairs that a block may hold: 128 MB of float32, of which a few live at a time


Window = tuple[slice, slice]
"""Rows and columns, both with a start and a stop."""


class Attended(NamedTuple):
    """What `contextual_attention` returns. h = H / 2 and w = W / 2."""

    features: Tensor  # BCHW
    offsets: Tensor  # B2hw int64, (rows, columns) from each cell to the cell it looked at most
    sources: Tensor | None  # BKhw int64, the K cells looked at most as row * w + column
    weights: Tensor | None  # BKhw, their softmax weights in [0, 1], strongest first


def contextual_attention(
    foreground: Tensor,
    background: Tensor,
    hole: Tensor | None = None,
    *,
    fuse: bool = True,
    softmax_scale: float = 10.0,
    resizing: Resizing = "aligned",
    places: int = 0,
    window: Window | None = None,
) -> Attended:
    """Rebuild `foreground` from patches of `background` that lie wholly outside the hole.

    foreground, background: ``BCHW``, H and W even. hole: ``B1`` H/2 W/2, 1 = hole, or None for no
    hole; each sample has its own. fuse: prefer matches whose neighbours match side by side too.
    resizing: which pixels the halved maps keep. places: how many sources to report per place.
    window: the cells that are wanted, as rows and columns of the halved grid; all results are 0
    elsewhere. The background is the whole map in any case.

    Patches that touch the hole get no weight but stay in the softmax's denominator; where all of
    them do, the result is 0. Borders come out darker than the inside. Both are as the original is.
    """
    batch, _, height, width = foreground.shape
    if background.shape != foreground.shape or height % 2 or width % 2:
        raise ValueError(
            "expected foreground and background of one shape with even sides, "
            f"got {tuple(foreground.shape)} and {tuple(background.shape)}"
        )
    if hole is not None and hole.shape != (batch, 1, height // 2, width // 2):
        raise ValueError(
            f"expected a hole of shape {(batch, 1, height // 2, width // 2)}, "
            f"got {tuple(hole.shape)}"
        )
    # Scores differ by little and are multiplied by ten: half precision would pick other patches.
    pairs = Pairs(foreground.float(), background.float(), hole, fuse, softmax_scale, resizing)

    lines, columns = window or (slice(0, pairs.h), slice(0, pairs.w))
    # Blocks save memory only where nothing is kept for a gradient.
    rows = pairs.h if pairs.tracked else max(1, _BLOCK // (batch * pairs.w * pairs.n))
    features, blocks = [], []
    for start in range(lines.start, lines.stop, rows):
        stop = min(start + rows, lines.stop)
        first = max(start - 1, 0)
        weights = pairs.weights(first, min(stop + 1, pairs.h))
        features.append(pairs.paste(weights, first, slice(start, stop), columns))
        blocks.append(pairs.strongest(weights.detach(), first, slice(start, stop), columns, places))

    best, sources, strengths = (torch.cat(parts, dim=2) for parts in zip(*blocks, strict=True))
    frame = (lines.start, pairs.h - lines.stop, columns.start, pairs.w - columns.stop)
    pasted = torch.cat(features, dim=2) if len(features) > 1 else features[0]
    return Attended(
        _framed(pasted, frame, scale=2).to(foreground.dtype),
        _framed(_offsets(best, lines.start, columns.start, pairs.w), frame),
        _framed(sources, frame) if places else None,
        _framed(strengths, frame) if places else None,
    )


def _offsets(best: Tensor, top: int, left: int, width: int) -> Tensor:
    """Cells ``B1hw`` as row * width + column -> (rows, columns) ``B2hw`` to go from each place.

    The places begin at row `top` and column `left`.
    """
    rows = torch.arange(top, top + best.shape[2], device=best.device).view(1, 1, -1, 1)
    columns = torch.arange(left, left + best.shape[3], device=best.device).view(1, 1, 1, -1)
    return torch.cat((best // width - rows, best % width - columns), dim=1)


def _framed(part: Tensor, frame: tuple[int, int, int, int], scale: int = 1) -> Tensor:
    """`part` amid zeros: `frame` has the cells above, below, left and right of it."""
    if not any(frame):
        return part
    above, below, left, right = (scale * cells for cells in frame)
    return functional.pad(part, (left, right, above, below))


class ContextualAttention(nn.Module):
    """`contextual_attention` of a feature map with itself; it has no parameters."""

    def __init__(
        self, *, fuse: bool = True, softmax_scale: float = 10.0, resizing: Resizing = "aligned"
    ) -> None:
        super().__init__()
        self.fuse = fuse
        self.softmax_scale = softmax_scale
        self.resizing: Resizing = resizing

    def forward(
        self,
        features: Tensor,
        hole: Tensor | None = None,
        places: int = 0,
        window: Window | None = None,
    ) -> Attended:
        """``BCHW`` and ``B1`` H/2 W/2 -> `Attended`."""
        if torch.is_autocast_enabled(features.device.type):
            # Autocast would take the scores' products in half precision.
            with torch.autocast(features.device.type, enabled=False):
                attended: Attended = self(features, hole, places, window)
                return attended
        return contextual_attention(
            features,
            features,
            hole,
            fuse=self.fuse,
            softmax_scale=self.softmax_scale,
            resizing=self.resizing,
            places=places,
            window=window,
        )
