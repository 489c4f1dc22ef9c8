"""Partial convolution (Liu et al., ECCV 2018, arXiv 1804.07723, equations 1 and 2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gatefill.errors import GatefillError
from gatefill.layers.padding import Padding, Pads, convolve, upsample_twice


class Masked(NamedTuple):
    """A feature map and the mask of its known pixels, the input of partial convolutions."""

    features: Tensor  # BCHW
    known: Tensor  # B1HW or BCHW, 1 = known


def partial_convolution(
    x: Tensor,
    known: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: Padding = "same",
    pads: Pads | None = None,
) -> Masked:
    """Convolve known pixels only, and scale up by the share of missing ones.

    ``x' = W^T (X . M) * sum(1) / sum(M) + b`` where sum(M) > 0, else 0. Padding counts as unknown,
    so borders are scaled up as well.

    Args:
        x: ``BCHW``.
        known: ``BCHW`` or ``B1HW``, 1 = known and 0 = unknown.
        weight: ``OCkk``.
        bias: ``O``, or None.
        stride: Pixels between two outputs.
        dilation: Pixels between two taps of the kernel.
        padding: The padding rule.
        pads: See `convolve`, if `x` is a part of a frame.

    Returns:
        The features ``BOhw`` and the new mask ``B1hw``: 1 where any input is known.
    """
    channels, kernel = weight.shape[1], weight.shape[-1]
    if known.shape[1] not in (1, channels):
        raise GatefillError(
            f"expected a mask of 1 or {channels} channels, got {known.shape[1]}",
            code="tensor.shape",
        )
    with torch.no_grad():
        # One plane of counts serves all output channels; a B1HW mask counts C times. Counting needs
        # float32 at least: half precision is not exact for hundreds.
        exact = torch.promote_types(weight.dtype, torch.float32)
        ones = known.new_ones(1, known.shape[1], kernel, kernel, dtype=exact)
        zeros: Padding = "symmetric" if padding == "reflect" else padding
        known_exact = known.to(exact)
        count = convolve(
            known_exact, ones, stride=stride, dilation=dilation, padding=zeros, pads=pads
        )
        seen = (count > 0).to(weight.dtype)
        window = kernel * kernel * known.shape[1]
        scale = (window / count.clamp_min(1.0)).to(weight.dtype) * seen
    x = convolve(x * known, weight, stride=stride, dilation=dilation, padding=padding, pads=pads)
    features = x * scale
    if bias is not None:
        features = features + bias.view(1, -1, 1, 1) * seen
    return Masked(features, seen)


class Joined(nn.Module):
    """Doubles a map and concatenates it with a skip connection (U-Net).

    Features and masks are concatenated in the same way, so that the mask has one plane per channel.
    """

    def forward(self, x: Masked, skip: Masked) -> Masked:
        """Join ``BChw`` and ``BDHW`` to ``B(C+D)HW``; 2h and 2w equal H and W, or one more."""
        height, width = skip.features.shape[-2:]
        features, known = (upsample_twice(part)[:, :, :height, :width] for part in x)
        joined = [known.expand_as(features), skip.known.expand_as(skip.features)]
        return Masked(torch.cat([features, skip.features], dim=1), torch.cat(joined, dim=1))
