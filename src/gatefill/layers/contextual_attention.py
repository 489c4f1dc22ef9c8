"""Contextual attention: each cell is rebuilt from the background patches it is similar to.

Source: arXiv 1801.07892, section 4.1 and figure 4, with the conventions of the released DeepFill v2
code. `attention_pairs` contains the computation.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from gatefill.errors import GatefillError
from gatefill.layers.attention_pairs import Pairs
from gatefill.layers.padding import Resizing, resize_nearest


class Attended(NamedTuple):
    """Output of `contextual_attention`; h = H / 2 and w = W / 2."""

    features: Tensor  # BCHW
    offsets: Tensor  # B2hw int64, (rows, columns) from each cell to the one with the largest weight
    weights: Tensor  # B1hw, that largest weight, in [0, 1]


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
    """Rebuild `foreground` from patches of `background` that lie outside the hole.

    Steps: 3x3 patches are compared by cosine similarity, of which only the background's patches are
    normalized; scores are fused over neighbors, multiplied by `softmax_scale` and normalized by a
    softmax; the result is the sum of 4x4 background patches weighted by the attention, over four.

    As in the original, patches that touch the hole get weight 0 but stay in the denominator of the
    softmax (if all patches touch it, the result is 0), and the result is darker at the border of
    the map. `exclude` and `even` change that.

    Args:
        foreground: ``BCHW``, H and W even.
        background: ``BCHW`` of the same shape.
        hole: ``B1`` H/2 W/2, 1 = hole, or None for no hole; each sample has its own.
        fuse: Prefer matches whose neighbors match, too.
        softmax_scale: Factor on the scores before the softmax.
        resizing: Pixel grid for downscaling: which pixels the halved maps keep.
        exclude: Leave patches that touch the hole out of the softmax's denominator.
        even: Divide by the true overlap of patches, which is smaller at the border.

    Returns:
        The rebuilt features, and for each cell the offset and the weight of its best match.

    Raises:
        GatefillError: If the shapes do not fit each other.
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
    # Scores differ by little and are multiplied by ten: half precision would select other patches.
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
    """Convert to float32, unless the precision is higher."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def offsets_to(cells: Tensor) -> Tensor:
    """Convert cells ``B1hw``, row * w + column, to offsets ``B2hw`` (rows, columns)."""
    height, width = cells.shape[-2:]
    rows = torch.arange(height, device=cells.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=cells.device).view(1, 1, 1, -1)
    return torch.cat((cells // width - rows, cells % width - columns), dim=1)


class ContextualAttention(nn.Module):
    """`contextual_attention` of a feature map with itself; it has no parameters.

    mask_steps: Number of steps for downscaling the mask to the cells: 1, or 2 as in the original,
        which
    selects other pixels. The other arguments are those of `contextual_attention`.
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
        """Compute `Attended` of features ``BCHW`` and the frame's mask ``B1`` 4H 4W."""
        if torch.is_autocast_enabled(features.device.type):
            # Autocast would compute the scores in half precision.
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
        """Downscale the frame's mask ``B1HW`` to the cells of features of `height` x `width`."""
        if self.mask_steps == 2:
            mask = resize_nearest(mask, height, width, self.resizing)
        return resize_nearest(mask, height // 2, width // 2, self.resizing)
