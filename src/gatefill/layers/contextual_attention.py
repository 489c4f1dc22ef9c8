"""Contextual attention: each place is rebuilt from the background patches it resembles.

Source: arXiv 1801.07892, section 4.1 and figure 4, with the conventions of the released DeepFill v2
code. How it is computed stands in `attention_pairs`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from gatefill.errors import GatefillError
from gatefill.layers.attention_pairs import Pairs
from gatefill.layers.padding import Resizing, resize_nearest


class Attended(NamedTuple):
    """What `contextual_attention` returns. h = H / 2 and w = W / 2."""

    features: Tensor  # BCHW
    offsets: Tensor  # B2hw int64, (rows, columns) from each cell to the cell it looked at most
    weights: Tensor  # B1hw, how much of its attention that cell got, in [0, 1]


def contextual_attention(
    foreground: Tensor,
    background: Tensor,
    hole: Tensor | None = None,
    *,
    fuse: bool = True,
    softmax_scale: float = 10.0,
    resizing: Resizing = "aligned",
    exclude: bool = False,
    even: bool = False,
) -> Attended:
    """Rebuild `foreground` from patches of `background` that lie wholly outside the hole.

    Patches that touch the hole get no weight but stay in the softmax's denominator; where all of
    them do, the result is 0. Borders come out darker than the inside. Both are as the original is,
    and can be changed.

    Args:
        foreground: ``BCHW``, H and W even.
        background: ``BCHW`` of the same shape.
        hole: ``B1`` H/2 W/2, 1 = hole, or None for no hole; each sample has its own.
        fuse: Prefer matches whose neighbors match side by side too.
        softmax_scale: What scores are multiplied by.
        resizing: Which pixels the halved maps keep.
        exclude: Leave patches that touch the hole out of the denominator.
        even: Divide by the true overlap of patches, which is less at the borders.

    Raises:
        ValueError: For shapes that do not belong together.
    """
    batch, _, height, width = foreground.shape
    if background.shape != foreground.shape or height % 2 or width % 2:
        raise GatefillError(
            "expected foreground and background of one shape with even sides, "
            f"got {tuple(foreground.shape)} and {tuple(background.shape)}",
            code="tensor.shape",
        )
    if hole is not None and hole.shape != (batch, 1, height // 2, width // 2):
        raise GatefillError(
            f"expected a hole of shape {(batch, 1, height // 2, width // 2)}, "
            f"got {tuple(hole.shape)}",
            code="tensor.shape",
        )
    # Scores differ by little and are multiplied by ten: half precision would pick other patches.
    single = [exact(part) for part in (foreground, background)]
    pairs = Pairs(single[0], single[1], hole, resizing)
    weights = pairs.weights(fuse, softmax_scale, exclude)
    strength, best = weights.detach().max(dim=-1)
    return Attended(
        pairs.paste(weights, even).to(foreground.dtype),
        offsets_to(best.view(batch, 1, pairs.h, pairs.w)),
        strength.view(batch, 1, pairs.h, pairs.w),
    )


def exact(x: Tensor) -> Tensor:
    """The same in float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def offsets_to(cells: Tensor) -> Tensor:
    """Cells ``B1hw`` as row * w + column -> (rows, columns) ``B2hw`` to go from each place."""
    height, width = cells.shape[-2:]
    rows = torch.arange(height, device=cells.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=cells.device).view(1, 1, 1, -1)
    return torch.cat((cells // width - rows, cells % width - columns), dim=1)


class ContextualAttention(nn.Module):
    """`contextual_attention` of a feature map with itself; it has no parameters.

    mask_steps: whether the mask comes down to the cells at once, or to twice their number first,
    as in the original: two steps keep other pixels than one. The others are as in
    `contextual_attention`.
    """

    def __init__(
        self,
        *,
        fuse: bool = True,
        softmax_scale: float = 10.0,
        resizing: Resizing = "aligned",
        mask_steps: Literal[1, 2] = 2,
        exclude: bool = False,
        even: bool = False,
    ) -> None:
        super().__init__()
        self.fuse = fuse
        self.softmax_scale = softmax_scale
        self.resizing: Resizing = resizing
        self.mask_steps = mask_steps
        self.exclude, self.even = exclude, even

    def forward(self, features: Tensor, mask: Tensor) -> Attended:
        """``BCHW`` and the frame's mask ``B1`` 4H 4W -> `Attended`."""
        if torch.is_autocast_enabled(features.device.type):
            # Autocast would take the scores' products in half precision.
            with torch.autocast(features.device.type, enabled=False):
                attended: Attended = self(features, mask)
                return attended
        return contextual_attention(
            features,
            features,
            self.hole(mask, features.shape[-2], features.shape[-1]),
            fuse=self.fuse,
            softmax_scale=self.softmax_scale,
            resizing=self.resizing,
            exclude=self.exclude,
            even=self.even,
        )

    def hole(self, mask: Tensor, height: int, width: int) -> Tensor:
        """The frame's mask ``B1HW`` on the cells of features of `height` x `width`."""
        if self.mask_steps == 2:
            mask = resize_nearest(mask, height, width, self.resizing)
        return resize_nearest(mask, height // 2, width // 2, self.resizing)
