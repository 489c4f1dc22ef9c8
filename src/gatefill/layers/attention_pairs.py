"""The matrix of scores of all pairs of cells, on which contextual attention works.

Let f and b be cells of the foreground and the background, on a grid of h x w cells of 2x2 feature
pixels. Two identities make the matrix cheap:

- The correlation of two 3x3 patches is a sum of correlations of pixels along the diagonal,
  ``S[f, b] = sum over d of P[f + d, b + d]``, so that the large product is over C channels, not 9
  C.
- Pasting overlapping 4x4 patches at stride 2 is, for each of the 2x2 pixels of a cell, one product
of
  the features with ``A[f, b] + A[f + e, b + e] + ...``, which costs 4 C instead of 16 C.

The results equal those of the original's convolutions up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.layers.padding import Resizing, resize_nearest


class Pairs:
    """The scores of all pairs of cells, by foreground row, column, background row, column.

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
        """Return the attention of every foreground cell, ``BNN``; each row sums to 1 or less.

        exclude: Leave invalid patches out of the softmax's denominator.
        """
        scores = self._scores()
        if fuse:
            scores = _fused(_fused(scores).transpose(1, 2).transpose(3, 4).contiguous())
            scores = scores.transpose(1, 2).transpose(3, 4)
        flat = scores.reshape(self.batch, self.h * self.w, -1)
        valid = self.valid.flatten(2)
        scaled = flat * (valid * softmax_scale)
        if exclude:
            some = valid.amax(dim=-1, keepdim=True) > 0  # whether there is any valid patch
            scaled = scaled.masked_fill((valid == 0) & some, -torch.inf)
        return torch.softmax(scaled, dim=-1) * valid

    def paste(self, weights: Tensor, even: bool = False) -> Tensor:
        """Paste background patches, weighted by the attention; returns ``BCHW``.

        even: Divide by the true overlap of patches, which is smaller at the border of the frame.
        """
        grid = weights.view(self.batch, self.h, self.w, self.h, self.w)
        out = weights.new_empty(self.batch, self.channels, self.h, 2, self.w, 2)
        for y, down in ((0, -1), (1, 1)):
            # A cell's upper pixels are also covered by the patch above, its lower pixels by the one
            # below.
            tall = _plus_diagonal(grid, down, 1, 3)
            for x, right in ((0, -1), (1, 1)):
                both = _plus_diagonal(tall, right, 2, 4).flatten(3).flatten(1, 2)
                product = self.pixels[y][x] @ both.transpose(1, 2)
                out[:, :, :, y, :, x] = product.view(self.batch, self.channels, self.h, self.w)
        out = out.view(self.batch, self.channels, 2 * self.h, 2 * self.w) / 4.0
        return out * border_gain(2 * self.h, 2 * self.w, out) if even else out

    def _scores(self) -> Tensor:
        """Correlate 3x3 patches; those of the background are divided by their norms."""
        products = self.foreground.transpose(1, 2) @ self.background
        grid = products.view(self.batch, self.h, self.w, self.h, self.w)
        return _three_diagonals(_three_diagonals(grid, 2, 4), 1, 3) / self.norm.view(
            self.batch, 1, 1, self.h, self.w
        )


def patch_norms(cells: Tensor) -> Tensor:
    """Return the norm of the 3x3 patch around each cell, at least 1e-4: ``BChw`` -> ``B1hw``."""
    energy = functional.avg_pool2d(cells.square().sum(1, keepdim=True), 3, 1, 1, divisor_override=1)
    # The square root has no finite gradient at 0, and such patches are clamped anyway.
    return energy.clamp_min(1e-8).sqrt()


def valid_cells(hole: Tensor | None, cells: Tensor) -> Tensor:
    """Find cells without hole in their 3x3 patch: ``B1hw`` or None -> ``B1hw``, 1 = valid."""
    if hole is None:
        return torch.ones_like(cells[:, :1])
    touched = functional.max_pool2d(hole.to(cells.dtype), 3, 1, 1)
    return (touched == 0).to(cells.dtype)


def border_gain(height: int, width: int, like: Tensor) -> Tensor:
    """Return ``HW``: 2 at the border, where half as many patches overlap, 4 in the corners."""
    tall, wide = like.new_ones(height), like.new_ones(width)
    for side in (tall, wide):
        side[0] = side[-1] = 2.0
    return torch.outer(tall, wide)


def _fused(scores: Tensor) -> Tensor:
    """Fuse: add the scores of the left and right neighbors, in reading order.

    As in the original, the right neighbor of a row's last cell is the next row's first.
    """
    flat = scores.flatten(3).flatten(1, 2)
    return _three_diagonals(flat, 1, 2).view(scores.shape)


def _three_diagonals(source: Tensor, f: int, b: int) -> Tensor:
    """Sum ``source[f, b]`` and its two neighbors along the diagonal of the dimensions f and b."""
    total = source.clone()
    for step in (-1, 1):
        _add_diagonal(total, source, step, f, b)
    return total


def _plus_diagonal(source: Tensor, step: int, f: int, b: int) -> Tensor:
    """Return ``source[f, b] + source[f + step, b + step]``."""
    total = source.clone()
    _add_diagonal(total, source, step, f, b)
    return total


def _add_diagonal(target: Tensor, source: Tensor, step: int, f: int, b: int) -> None:
    """Add ``source[f + step, b + step]`` to ``target[f, b]`` in place, where both exist."""
    here, there = max(-step, 0), max(step, 0)
    rows, columns = source.shape[f] - 1, source.shape[b] - 1
    if rows > 0 and columns > 0:
        target.narrow(f, here, rows).narrow(b, here, columns).add_(
            source.narrow(f, there, rows).narrow(b, there, columns)
        )
