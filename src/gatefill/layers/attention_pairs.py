"""The matrix of all pairs of places that contextual attention works on.

Let f and b be places of the foreground and of the background on a grid of h x w cells, each 2x2
feature pixels. Two identities make the matrix cheap:

- The correlation of two 3x3 patches is a sum of correlations of pixels along the diagonal,
  ``S[f, b] = sum over d of P[f + d, b + d]``, so the big product runs over C channels, not 9 C.
- Pasting overlapping 4x4 patches at stride 2 is, for each of the 2x2 pixels of a cell, one product
  of the features with ``A[f, b] + A[f + e, b + e] + ...``, so it costs 4 C in place of 16 C.

The results equal those of the convolutions in the original up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.layers.padding import Resizing, resize_nearest


class Pairs:
    """The matrix of all pairs of cells, seen as foreground row, column, background row, column.

    foreground, background: ``BCHW`` float32. hole: ``B1hw``, 1 = hole, or None.
    """

    def __init__(
        self,
        foreground: Tensor,
        background: Tensor,
        hole: Tensor | None,
        resizing: Resizing,
    ) -> None:
        self.batch, self.channels, height, width = foreground.shape
        self.h, self.w = height // 2, width // 2
        small = resize_nearest(background, self.h, self.w, resizing)
        self.background = small.flatten(2)  # BCN
        self.foreground = resize_nearest(foreground, self.h, self.w, resizing).flatten(2)
        # The 2x2 pixels of each cell, as four matrices BCN.
        self.pixels = [[background[:, :, y::2, x::2].flatten(2) for x in (0, 1)] for y in (0, 1)]
        self.norm = patch_norms(small)
        self.valid = valid_cells(hole, small)

    def weights(self, fuse: bool, softmax_scale: float, exclude: bool = False) -> Tensor:
        """Attention of every foreground cell, ``BNN``.

        exclude: Whether invalid patches are left out of the softmax's denominator.
        """
        scores = self._scores()
        if fuse:
            scores = _fused(_fused(scores).transpose(1, 2).transpose(3, 4).contiguous())
            scores = scores.transpose(1, 2).transpose(3, 4)
        flat = scores.reshape(self.batch, self.h * self.w, -1)
        valid = self.valid.flatten(2)
        scaled = flat * (valid * softmax_scale)
        if exclude:
            some = valid.amax(dim=-1, keepdim=True) > 0  # else there is nothing to choose among
            scaled = scaled.masked_fill((valid == 0) & some, -torch.inf)
        return torch.softmax(scaled, dim=-1) * valid

    def paste(self, weights: Tensor, even: bool = False) -> Tensor:
        """The foreground rebuilt, ``BCHW``.

        even: Whether the frame's border, where fewer patches overlap, is as bright as the inside.
        """
        grid = weights.view(self.batch, self.h, self.w, self.h, self.w)
        out = weights.new_empty(self.batch, self.channels, self.h, 2, self.w, 2)
        for y, down in ((0, -1), (1, 1)):
            # A cell's upper pixels are also covered by the patch above, its lower ones by the next.
            tall = _plus_diagonal(grid, down, 1, 3)
            for x, right in ((0, -1), (1, 1)):
                both = _plus_diagonal(tall, right, 2, 4).flatten(3).flatten(1, 2)
                product = self.pixels[y][x] @ both.transpose(1, 2)
                out[:, :, :, y, :, x] = product.view(self.batch, self.channels, self.h, self.w)
        out = out.view(self.batch, self.channels, 2 * self.h, 2 * self.w) / 4.0
        return out * border_gain(2 * self.h, 2 * self.w, out) if even else out

    def _scores(self) -> Tensor:
        """Correlation of 3x3 patches, the background's divided by their norms."""
        products = self.foreground.transpose(1, 2) @ self.background
        grid = products.view(self.batch, self.h, self.w, self.h, self.w)
        return _three_diagonals(_three_diagonals(grid, 2, 4), 1, 3) / self.norm.view(
            self.batch, 1, 1, self.h, self.w
        )


def patch_norms(cells: Tensor) -> Tensor:
    """Length of the 3x3 patch around each cell, at least 1e-4: ``BChw`` -> ``B1hw``."""
    energy = functional.avg_pool2d(cells.square().sum(1, keepdim=True), 3, 1, 1, divisor_override=1)
    # The square root has no finite gradient at 0, and such patches are clamped anyway.
    return energy.clamp_min(1e-8).sqrt()


def valid_cells(hole: Tensor | None, cells: Tensor) -> Tensor:
    """1 where the 3x3 patch around a cell has no hole in it: ``B1hw``, or None -> ``B1hw``."""
    if hole is None:
        return torch.ones_like(cells[:, :1])
    touched = functional.max_pool2d(hole.to(cells.dtype), 3, 1, 1)
    return (touched == 0).to(cells.dtype)


def border_gain(height: int, width: int, like: Tensor) -> Tensor:
    """``HW``: 2 along the frame's border, where half as many patches overlap, 4 in its corners."""
    tall, wide = like.new_ones(height), like.new_ones(width)
    for side in (tall, wide):
        side[0] = side[-1] = 2.0
    return torch.outer(tall, wide)


def _fused(scores: Tensor) -> Tensor:
    """Add the scores of the left and right neighbors, in reading order.

    As in the original, the right neighbor of a row's last cell is the next row's first.
    """
    flat = scores.flatten(3).flatten(1, 2)
    return _three_diagonals(flat, 1, 2).view(scores.shape)


def _three_diagonals(source: Tensor, f: int, b: int) -> Tensor:
    """``source[f, b]`` and its two neighbors along the diagonal of the dimensions f and b."""
    total = source.clone()
    for step in (-1, 1):
        _add_diagonal(total, source, step, f, b)
    return total


def _plus_diagonal(source: Tensor, step: int, f: int, b: int) -> Tensor:
    """``source[f, b] + source[f + step, b + step]``."""
    total = source.clone()
    _add_diagonal(total, source, step, f, b)
    return total


def _add_diagonal(target: Tensor, source: Tensor, step: int, f: int, b: int) -> None:
    """``target[f, b] += source[f + step, b + step]`` in place, where both places exist."""
    here, there = max(-step, 0), max(step, 0)
    rows, columns = source.shape[f] - 1, source.shape[b] - 1
    if rows > 0 and columns > 0:
        target.narrow(f, here, rows).narrow(b, here, columns).add_(
            source.narrow(f, there, rows).narrow(b, there, columns)
        )
