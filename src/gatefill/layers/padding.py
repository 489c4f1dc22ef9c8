"""Where a convolution pads and which pixel a resize picks: weights depend on both."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Padding = Literal["same", "symmetric", "reflect"]
"""same: TensorFlow's SAME with zeros, asymmetric where the stride demands it. symmetric: the same
number of zeros on both sides, as PyTorch pads. reflect: symmetric, mirrored in place of zeros."""

Resizing = Literal["aligned", "floor"]
"""aligned: TensorFlow's align_corners=True. floor: every n-th pixel, as PyTorch's nearest."""


def same_padding(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's SAME along one side of `size` pixels: (before, after).

    The output has ceil(size / stride) pixels; an odd remainder goes after.
    """
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def pad_amounts(
    rule: Padding, size: int, kernel: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Pixels that `rule` adds (before, after) along one side of `size` pixels."""
    if rule == "same":
        return same_padding(size, kernel, stride, dilation)
    both = dilation * (kernel - 1) // 2
    return both, both


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: Padding = "same",
) -> Tensor:
    """2-D convolution of ``BCHW`` under a padding rule; `weight` is ``OIkk``.

    Returns ``BO`` x ceil(H / stride) x ceil(W / stride).
    """
    kernel = weight.shape[-1]
    top, bottom = pad_amounts(padding, x.shape[-2], kernel, stride, dilation)
    left, right = pad_amounts(padding, x.shape[-1], kernel, stride, dilation)
    if padding == "reflect":
        if max(top, bottom) < x.shape[-2] and max(left, right) < x.shape[-1]:
            x = functional.pad(x, (left, right, top, bottom), mode="reflect")
        else:
            x = _reflected(_reflected(x, -2, top, bottom), -1, left, right)
    elif top == bottom and left == right:
        # The convolution pads by itself, which spares a copy of the features.
        return functional.conv2d(x, weight, bias, stride, (top, left), dilation)
    else:
        x = functional.pad(x, (left, right, top, bottom))
    return functional.conv2d(x, weight, bias, stride, 0, dilation)


def _reflected(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """`x` mirrored at both ends of an axis, as often as the padding is longer than the axis."""
    last = x.shape[axis] - 1
    places = torch.arange(-before, last + 1 + after, device=x.device)
    # A triangle wave with the period of one way to the last place and back.
    places = last - (last - places % max(2 * last, 1)).abs()
    return x.index_select(axis, places)


@lru_cache(maxsize=256)
def source_indices(size: int, new_size: int, rule: Resizing = "aligned") -> tuple[int, ...]:
    """Which of `size` pixels each of `new_size` pixels copies.

    aligned: floor(i * (size - 1) / (new_size - 1) + 0.5). The product is rounded to float32, as
    TensorFlow does it: in double precision some sizes (43, 54, 424, 680...) pick other pixels.
    """
    places = np.arange(new_size, dtype=np.float32)
    if rule == "floor":
        return tuple((np.arange(new_size) * size // new_size).tolist())
    scale = np.float32(size - 1) / np.float32(max(new_size - 1, 1)) if new_size > 1 else 0
    picked = np.floor(places * np.float32(scale) + np.float32(0.5)).astype(np.int64)
    return tuple(np.minimum(picked, size - 1).tolist())


def resize_nearest(x: Tensor, height: int, width: int, rule: Resizing = "aligned") -> Tensor:
    """Nearest resizing of ``BCHW`` to height x width, by the pixels `source_indices` names."""
    rows = source_indices(x.shape[-2], height, rule)
    columns = source_indices(x.shape[-1], width, rule)
    x = x.index_select(-2, torch.tensor(rows, device=x.device))
    return x.index_select(-1, torch.tensor(columns, device=x.device))


def upsample_twice(x: Tensor) -> Tensor:
    """Nearest doubling of ``BCHW``; both resizing rules replicate each pixel 2x2."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
