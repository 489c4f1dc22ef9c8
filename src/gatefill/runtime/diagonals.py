"""Sums along the diagonals of a table of attention: from products of cells to sharp scores.

A table has foreground rows, foreground columns, background rows and background columns, and both
steps of the way sum numbers whose cells lie alike: three by three products for the correlation of
two patches, three by three correlations for fusing. Tensor operations pass over the table ten times
for that. The kernel does it in one pass, a diagonal of rows at a time, in arrays that stay in the
processor's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatefill.compiling import compiled
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

LEAST = 2**20  # numbers of a table below which the kernel need not be loaded, or even compiled


def sharp_scores(
    products: Tensor,
    per_norm: Tensor,
    inside: Tensor,
    sharpness: Tensor,
    barred: Tensor,
    threads: Threads,
) -> Tensor:
    """What a softmax is taken of: fused scores, but for neighbors at opposite borders.

    Args:
        products: Correlations of cells, float32 ``(f + 4) (g + 4) (h + 4) (w + 4)``.
        per_norm: By what correlations of patches are multiplied for each background cell, 0 for
            those outside the frame, ``(h + 2) (w + 2)``.
        inside: Whether a foreground cell is in the frame, bool ``(f + 2) (g + 2)``.
        sharpness: By what fused scores are multiplied, ``hw``.
        barred: What is added then: 0, or minus infinity for a cell not to be looked at, ``hw``.
        threads: Share the work.

    Returns:
        float32 ``fghw``.
    """
    given = products, per_norm, inside, sharpness, barred
    f, g, h, w = (side - 4 for side in products.shape)
    if products.device.type != "cpu" or f * g * h * w < LEAST:
        return _by_tensors(*given)
    out = products.new_empty(f, g, h, w)
    parts = min(threads.count, w)
    widest = -(-w // parts)
    work = np.empty((parts, 5 * g + 6, widest + 4), np.float32)
    stop_point()
    threads.run(_diagonals, parts, parts, *(each.numpy() for each in given), work, out.numpy())
    return out


def three_rows(table: Tensor) -> Tensor:
    """The sum of three numbers one row apart in foreground and background, in a new tensor."""
    total = table[1:-1, :, 1:-1] + table[:-2, :, :-2]
    total += table[2:, :, 2:]
    return total


def three_columns(table: Tensor) -> Tensor:
    """The same, one column apart."""
    total = table[:, 1:-1, :, 1:-1] + table[:, :-2, :, :-2]
    total += table[:, 2:, :, 2:]
    return total


def _by_tensors(
    products: Tensor, per_norm: Tensor, inside: Tensor, sharpness: Tensor, barred: Tensor
) -> Tensor:
    stop_point()
    scores = three_rows(three_columns(products))
    scores *= per_norm
    scores *= inside[:, :, None, None]
    stop_point()
    return torch.addcmul(barred, three_rows(three_columns(scores)), sharpness)


@compiled()
def _diagonals(
    start: int,
    stop: int,
    parts: int,
    products: Any,
    per_norm: Any,
    inside: Any,
    sharpness: Any,
    barred: Any,
    work: Any,
    out: Any,
) -> None:
    """`sharp_scores` for some of the parts into which background columns are divided."""
    f, g, h, w = out.shape
    for part in range(start, stop):
        left = part * w // parts
        width = (part + 1) * w // parts - left
        tall = work[part, : g + 4]  # sums of three products, one row apart
        scores = work[part, g + 4 : 2 * g + 6]
        fused = work[part, 2 * g + 6 :]  # scores one column apart, of this row and the two before
        for diagonal in range(f + h - 1):
            first_y, first_x = max(0, f - 1 - diagonal), max(0, diagonal - f + 1)
            steps = min(f - first_y, h - first_x)
            for step in range(steps + 2):  # the first and the last only for their neighbors
                y, x = first_y + step, first_x + step  # rows of scores, which begin at -1
                for j in range(g + 4):
                    total = tall[j]
                    above, here = products[y, j, x, left:], products[y + 1, j, x + 1, left:]
                    below = products[y + 2, j, x + 2, left:]
                    for i in range(width + 4):
                        total[i] = here[i] + above[i] + below[i]
                norms = per_norm[x, left:]
                for j in range(g + 2):
                    row = scores[j]
                    if not inside[y, j]:
                        row[: width + 2] = 0
                        continue
                    before, middle, after = tall[j], tall[j + 1, 1:], tall[j + 2, 2:]
                    for i in range(width + 2):
                        row[i] = (middle[i] + before[i] + after[i]) * norms[i]
                now = step % 3 * g
                for j in range(g):
                    row = fused[now + j]
                    before, middle, after = scores[j], scores[j + 1, 1:], scores[j + 2, 2:]
                    for i in range(width):
                        row[i] = middle[i] + before[i] + after[i]
                if step < 2:
                    continue
                one, two = (step + 2) % 3 * g, (step + 1) % 3 * g  # the last row and that before
                factors, added = sharpness[x - 2, left:], barred[x - 2, left:]
                for j in range(g):
                    sharp = out[y - 2, j, x - 2, left:]
                    here, above, below = fused[one + j], fused[two + j], fused[now + j]
                    for i in range(width):
                        sharp[i] = (here[i] + above[i] + below[i]) * factors[i] + added[i]
