"""Padding and nearest resizing as in the frameworks that weights were trained in."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Padding = Literal["same", "symmetric", "reflect"]
"""same: TensorFlow's SAME with zeros, asymmetric if the stride requires it. symmetric: the same
number of zeros on both sides, as in PyTorch. reflect: symmetric, reflected pixels."""

Resizing = Literal["aligned", "floor"]
"""aligned: TensorFlow's align_corners=True. floor: every n-th pixel, as in PyTorch's nearest."""

Pads = tuple[int, int, int, int]
"""Pixels to add at the left, right, top and bottom; negative amounts are cropped."""


def same_padding(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Return TensorFlow's SAME padding (before, after) along one side of `size` pixels.

    The output has ceil(size / stride) pixels; an odd remainder goes after.

    Args:
        size: Length of the input in pixels.
        kernel: Side of the kernel.
        stride: Pixels between two outputs.
        dilation: Pixels between two taps of the kernel.
    """
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def pad_amounts(
    rule: Padding, size: int, kernel: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Return the padding (before, after) of a rule along one side of `size` pixels.

    kernel, stride, dilation: see `same_padding`.
    """
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
    pads: Pads | None = None,
) -> Tensor:
    """Convolve ``BIHW`` in two dimensions under a padding rule.

    Args:
        x: ``BIHW``.
        weight: ``OIkk``.
        bias: ``O``, or None.
        stride: Pixels between two outputs.
        dilation: Pixels between two taps of the kernel.
        padding: The padding rule.
        pads: Number of pixels to pad, if `x` is a part of a frame and has only some of its borders.
            Default: those of the rule for a whole frame.

    Returns:
        ``BO`` x ceil(H / stride) x ceil(W / stride) for a whole frame.
    """
    x, left = padded(
        x, weight.shape[-1], stride=stride, dilation=dilation, padding=padding, pads=pads
    )
    return functional.conv2d(x, weight, bias, stride, left, dilation)


def padded(
    x: Tensor,
    kernel: int,
    *,
    stride: int,
    dilation: int,
    padding: Padding,
    pads: Pads | None,
) -> tuple[Tensor, tuple[int, int]]:
    """Pad the input of `convolve`, as far as its convolution cannot pad by itself.

    Returns the padded input, and the padding of rows and columns left to the convolution, which
    saves a copy of the features.
    """
    if pads is None:
        top, bottom = pad_amounts(padding, x.shape[-2], kernel, stride, dilation)
        left, right = pad_amounts(padding, x.shape[-1], kernel, stride, dilation)
        pads = (left, right, top, bottom)
    if padding != "reflect" and pads[0] == pads[1] >= 0 and pads[2] == pads[3] >= 0:
        return x, (pads[2], pads[0])
    return _padded(x, pads, padding), (0, 0)


def _padded(x: Tensor, pads: Pads, padding: Padding) -> Tensor:
    """Pad ``BCHW``; negative amounts are cropped."""
    added = [max(amount, 0) for amount in pads]
    if padding != "reflect":
        x = functional.pad(x, added)
    elif max(added[:2]) < x.shape[-1] and max(added[2:]) < x.shape[-2]:
        x = functional.pad(x, added, mode="reflect")
    else:
        x = _reflected(_reflected(x, -2, *added[2:]), -1, *added[:2])
    left, right, top, bottom = (max(-amount, 0) for amount in pads)
    return x[:, :, top : x.shape[-2] - bottom, left : x.shape[-1] - right]


def _reflected(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Reflect `x` at both ends of an axis, repeatedly if the padding is longer than the axis."""
    last = x.shape[axis] - 1
    places = torch.arange(-before, last + 1 + after, device=x.device)
    # A triangle wave whose period is the way to the last index and back.
    places = last - (last - places % max(2 * last, 1)).abs()
    return x.index_select(axis, places)


@lru_cache(maxsize=256)
def source_indices(size: int, new_size: int, rule: Resizing = "aligned") -> tuple[int, ...]:
    """Return which of `size` pixels each of `new_size` pixels copies.

    aligned: floor(i * (size - 1) / (new_size - 1) + 0.5). The product is rounded to float32, as in
    TensorFlow: in double precision some sizes (43, 54, 424, 680...) select other pixels.
    """
    places = np.arange(new_size, dtype=np.float32)
    if rule == "floor":
        return tuple((np.arange(new_size) * size // new_size).tolist())
    scale = np.float32(size - 1) / np.float32(max(new_size - 1, 1)) if new_size > 1 else 0
    picked = np.floor(places * np.float32(scale) + np.float32(0.5)).astype(np.int64)
    return tuple(np.minimum(picked, size - 1).tolist())


def resize_nearest(x: Tensor, height: int, width: int, rule: Resizing = "aligned") -> Tensor:
    """Resize ``BCHW`` to height x width by nearest neighbor.

    Args:
        x: ``BCHW``.
        height, width: The new size.
        rule: The pixels to copy, see `source_indices`.

    Returns:
        ``BC`` height width.
    """
    kept = type(x) is Tensor  # False in torch.export, whose tensors have no data
    indices = _indices if kept else _indices.__wrapped__
    x = x.index_select(-2, indices(x.device, x.shape[-2], height, rule))
    return x.index_select(-1, indices(x.device, x.shape[-1], width, rule))


@lru_cache(maxsize=256)
def _indices(device: torch.device, size: int, new_size: int, rule: Resizing) -> Tensor:
    """Return `source_indices` as a cached tensor, as a GPU waits for every copy from the CPU."""
    with torch.inference_mode(False):  # a later training step saves it for gradients
        return torch.tensor(source_indices(size, new_size, rule), device=device)


def upsample_twice(x: Tensor) -> Tensor:
    """Double ``BCHW`` by nearest resizing; both rules replicate each pixel 2x2."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
