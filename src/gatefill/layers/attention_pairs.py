"""The matrix of all pairs of places that contextual attention works on, block by block.

Let f and b be places of the foreground and of the background on a grid of h x w cells, each 2x2
feature pixels. Two identities make the matrix cheap:

- The correlation of two 3x3 patches is a sum of correlations of pixels along the diagonal,
  ``S[f, b] = sum over d of P[f + d, b + d]``, so the big product runs over C channels, not 9 C.
- Pasting overlapping 4x4 patches at stride 2 is, for each of the 2x2 pixels of a cell, one product
  of the features with ``A[f, b] + A[f + e, b + e] + ...``, so it costs 4 C in place of 16 C.

The results equal those of the convolutions in the original up to rounding. Rows of the foreground
are worked off in blocks, so memory grows with h w and not with its square.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.layers.padding import Resizing, resize_nearest


class Pairs:
    """The matrix of all pairs of cells, of which blocks of foreground rows are made on demand.

    foreground, background: ``BCHW`` float32. hole: ``B1hw``, 1 = hole, or None.
    """

    def __init__(
        self,
        foreground: Tensor,
        background: Tensor,
        hole: Tensor | None,
        fuse: bool,
        softmax_scale: float,
        resizing: Resizing,
    ) -> None:
        self.batch, self.channels, height, width = foreground.shape
        self.h, self.w = height // 2, width // 2
        self.n = self.h * self.w
        self.fuse = fuse
        small = resize_nearest(background, self.h, self.w, resizing)
        self.background = small.flatten(2)  # BCN
        self.foreground = resize_nearest(foreground, self.h, self.w, resizing).flatten(2)
        # The 2x2 pixels of each cell, as four matrices BCN.
        self.pixels = [[background[:, :, y::2, x::2].flatten(2) for x in (0, 1)] for y in (0, 1)]
        energy = functional.avg_pool2d(
            small.square().sum(1, keepdim=True), 3, 1, 1, divisor_override=1
        )
        # The square root has no finite slope at 0, and such patches are clamped anyway.
        norm = energy.clamp_min(1e-8).sqrt()
        self.per_norm = (1.0 / norm).view(self.batch, 1, self.n)
        if hole is None:
            self.valid = foreground.new_ones(self.batch, 1, self.n)
        else:
            touched = functional.max_pool2d(hole.float(), 3, 1, 1)
            self.valid = (touched == 0).float().view(self.batch, 1, self.n)
        self.sharpness = self.valid * softmax_scale
        self.tracked = torch.is_grad_enabled() and (
            foreground.requires_grad or background.requires_grad
        )
        self._buffers: dict[str, Tensor] = {}

    def weights(self, start: int, stop: int) -> Tensor:
        """Attention of the foreground rows start..stop-1, ``B`` rows*w ``N``."""
        scores = self._fused(start, stop) if self.fuse else self._scores(start, stop)
        weights = torch.softmax(scores.mul_(self.sharpness), dim=-1)
        return weights * self.valid if self.tracked else weights.mul_(self.valid)

    def paste(self, weights: Tensor, first: int, lines: slice, columns: slice) -> Tensor:
        """Features ``BC`` 2*rows 2*columns of a window, from weights that begin at row `first`."""
        grid = self._grid(weights)
        mine = grid[:, lines.start - first : lines.stop - first]
        rows, width = mine.shape[1], columns.stop - columns.start
        out = weights.new_empty(self.batch, self.channels, rows, 2, width, 2)
        for y, down in ((0, -1), (1, 1)):
            # A cell's upper pixels are also covered by the patch above, its lower ones by the next.
            tall = self._copy("first", mine)
            _add_diagonal(tall, lines.start, grid, first, down, 1, 3)
            for x, right in ((0, -1), (1, 1)):
                both = self._copy("second", tall[:, :, columns])
                _add_diagonal(both, columns.start, tall, 0, right, 2, 4)
                product = self.pixels[y][x] @ both.view(self.batch, -1, self.n).transpose(1, 2)
                out[:, :, :, y, :, x] = product.view(self.batch, self.channels, rows, width)
        return out.view(self.batch, self.channels, 2 * rows, 2 * width) / 4.0

    def strongest(
        self, weights: Tensor, first: int, lines: slice, columns: slice, places: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The best cell, ``B1`` rows columns; the `places` best and their weights, ``BK``."""
        rows = slice(lines.start - first, lines.stop - first)
        mine = weights.view(self.batch, -1, self.w, self.n)[:, rows, columns]
        best = mine.argmax(dim=-1, keepdim=True)
        strengths, sources = mine.topk(min(places, self.n), dim=-1)
        planes = [part.permute(0, 3, 1, 2) for part in (best, sources, strengths)]
        return planes[0], planes[1], planes[2]

    def _grid(self, matrix: Tensor) -> Tensor:
        """``B`` rows*w ``N`` seen as foreground row, column, background row, column."""
        return matrix.view(self.batch, -1, self.w, self.h, self.w)

    def _buffer(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Memory that later blocks use again: taking it fresh costs more than the sums do."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.numel() < size:
            buffer = self._buffers[name] = self.valid.new_empty(size)
        return buffer[:size].view(shape)

    def _copy(self, name: str, part: Tensor) -> Tensor:
        """A copy to add to, in the named buffer unless a gradient needs it for itself."""
        return part.clone() if self.tracked else self._buffer(name, part.shape).copy_(part)

    def _scores(self, start: int, stop: int) -> Tensor:
        """Correlation of 3x3 patches, the background's divided by their norms."""
        first, last = max(start - 1, 0), min(stop + 1, self.h)
        pixels = self.foreground[:, :, first * self.w : last * self.w].transpose(1, 2)
        shape = (self.batch, (last - first) * self.w, self.n)
        out = None if self.tracked else self._buffer("first", shape)
        products = self._grid(torch.matmul(pixels, self.background, out=out))

        wide = self._copy("second", products)
        for step in (-1, 1):
            _add_diagonal(wide, 0, products, 0, step, 2, 4)
        patches = self._copy("first", wide[:, start - first : stop - first])
        for step in (-1, 1):
            _add_diagonal(patches, start, wide, first, step, 1, 3)
        scores = patches.view(self.batch, -1, self.n)
        return scores * self.per_norm if self.tracked else scores.mul_(self.per_norm)

    def _fused_along_rows(self, start: int, stop: int) -> Tensor:
        """Add the scores of the left and right neighbours, in reading order.

        As in the original, the right neighbour of a row's last cell is the next row's first.
        """
        first, last = max(start - 1, 0), min(stop + 1, self.h)
        scores = self._scores(first, last)
        fused = self._copy("second", scores[:, (start - first) * self.w : (stop - first) * self.w])
        for step in (-1, 1):
            _add_diagonal(fused, start * self.w, scores, first * self.w, step, 1, 2)
        return fused

    def _fused(self, start: int, stop: int) -> Tensor:
        """The same again for the neighbours above and below, columns read one after the other."""
        first, last = max(start - 1, 0), min(stop + 1, self.h)
        # Above a column's first cell stands the last of the column before, and vice versa.
        edges = [(-1, 0, self.h - 1), (1, self.h - 1, 0)]
        far = {
            opposite: self._grid(self._fused_along_rows(opposite, opposite + 1)).clone()
            for _, edge, opposite in edges
            if start <= edge < stop and not first <= opposite < last
        }
        once = self._grid(self._fused_along_rows(first, last))
        twice = self._copy("first", once[:, start - first : stop - first])
        for step, edge, opposite in edges:
            low, high = max(start, first - step), min(stop, last - step)
            if low < high:
                self._add_below(
                    twice[:, low - start : high - start],
                    once[:, low + step - first : high + step - first],
                    step,
                )
            if start <= edge < stop:
                row = far.get(opposite)
                row = once[:, opposite - first : opposite - first + 1] if row is None else row
                here, there = _overlap(self.w, step)
                target = twice[:, edge - start : edge - start + 1]
                self._add_below(target[:, :, here], row[:, :, there], step)
        return twice.view(self.batch, -1, self.n)

    def _add_below(self, target: Tensor, source: Tensor, step: int) -> None:
        """Add in place the scores of the background `step` places down its columns."""
        here, there = _overlap(self.h, step)
        target[:, :, :, here] += source[:, :, :, there]
        edge, opposite = (0, self.h - 1) if step < 0 else (self.h - 1, 0)
        here, there = _overlap(self.w, step)
        target[:, :, :, edge, here] += source[:, :, :, opposite, there]


def _overlap(size: int, step: int) -> tuple[slice, slice]:
    """Places i and i + step that both lie in 0..size-1."""
    return slice(max(-step, 0), size - max(step, 0)), slice(max(step, 0), size - max(-step, 0))


def _add_diagonal(
    target: Tensor, start: int, source: Tensor, first: int, step: int, f: int, b: int
) -> None:
    """``target[f, b] += source[f + step, b + step]`` in place, where both places exist.

    f, b: the dimensions. Along f the arrays hold the places from `start` and from `first` on.
    """
    low = max(start, first - step)
    high = min(start + target.shape[f], first + source.shape[f] - step)
    if low >= high:
        return
    here, there = _overlap(target.shape[b], step)
    count = here.stop - here.start
    target.narrow(f, low - start, high - low).narrow(b, here.start, count).add_(
        source.narrow(f, low + step - first, high - low).narrow(b, there.start, count)
    )
