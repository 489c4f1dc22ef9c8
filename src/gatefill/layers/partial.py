"""Partial convolution (Liu et al., ECCV 2018, arXiv 1804.07723, equations 1 and 2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.layers.padding import Padding, convolve


def partial_convolution(
    x: Tensor,
    known: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: Padding = "same",
) -> tuple[Tensor, Tensor]:
    """Convolve only what is known, scaled up by how much was missing.

    x: ``BCHW``. known: ``BCHW`` or ``B1HW``, 1 = known and 0 = unknown. weight: ``OCkk``.
    Returns the features ``BOhw`` and the new mask ``B1hw``: 1 where any input was known.

    ``x' = W^T (X . M) * sum(1) / sum(M) + b`` where sum(M) > 0, else 0. Pixels that padding adds
    count as unknown, so borders are scaled up as well.
    """
    channels, kernel = weight.shape[1], weight.shape[-1]
    if known.shape[1] not in (1, channels):
        raise ValueError(f"expected a mask of 1 or {channels} channels, got {known.shape[1]}")
    with torch.no_grad():
        # One plane of counts stands for all output channels; a B1HW mask counts C times.
        # At least float32: half precision cannot count to the hundreds.
        exact = torch.promote_types(weight.dtype, torch.float32)
        ones = known.new_ones(1, known.shape[1], kernel, kernel, dtype=exact)
        zeros: Padding = "symmetric" if padding == "reflect" else padding
        count = convolve(known.to(exact), ones, stride=stride, dilation=dilation, padding=zeros)
        seen = (count > 0).to(weight.dtype)
        window = kernel * kernel * known.shape[1]
        scale = (window / count.clamp_min(1.0)).to(weight.dtype) * seen
    x = convolve(x * known, weight, stride=stride, dilation=dilation, padding=padding)
    features = x * scale
    if bias is not None:
        features = features + bias.view(1, -1, 1, 1) * seen
    return features, seen


def grow_known(known: Tensor) -> Tensor:
    """Nearest doubling of a mask ``BCHW``."""
    return functional.interpolate(known, scale_factor=2.0, mode="nearest")
