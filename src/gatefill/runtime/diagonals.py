"""Sums along the diagonals of an attention table: from products of cells to scaled scores.

A table has foreground rows, foreground columns, background rows and background columns. The
correlation of two 3x3 patches is the sum of nine products of cells at the same relative positions,
and fusing sums nine correlations. Tensor operations need ten passes over the table. If the scores
are only to be listed, a kernel does it in one pass, by diagonals of rows, in arrays that stay in
the processor's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatefill.compiling import compiled
from gatefill.parallel import Threads
from gatefill.runtime.pasting import NEGLIGIBLE
from gatefill.stopping import stop_point

HALO = 4  # additional rows and columns of products, compared with scores


def three_rows(table: Tensor) -> Tensor:
    """Sum three elements one row apart in foreground and background, in a new tensor."""
    total = table[1:-1, :, 1:-1] + table[:-2, :, :-2]
    total += table[2:, :, 2:]
    return total


def three_columns(table: Tensor) -> Tensor:
    """Sum three elements one column apart in foreground and background, in a new tensor."""
    total = table[:, 1:-1, :, 1:-1] + table[:, :-2, :, :-2]
    total += table[:, 2:, :, 2:]
    return total


def listed_scores(
    products: Tensor,
    before: int,
    per_norm: Tensor,
    sharpness: Tensor,
    barred: Tensor,
    top: Tensor,
    threads: Threads,
) -> tuple[Tensor, Tensor, Tensor]:
    """List the fused scores that may give weight, for cells without a neighbor across the border.

    Args:
        products: Correlations of cells, float32 ``(f + 4) (g + 4)`` N, which contain those with the
            background's ``(h + 4) (w + 4)`` cells in order.
        before: Number of other elements before them in each row.
        per_norm: Factor on correlations of patches for each background cell, ``(h + 2) (w + 2)``.
        sharpness: Factor on fused scores, ``hw``.
        barred: Added to the result: 0, or minus infinity for cells that may not be attended to,
            ``hw``.
        top: Largest score of each foreground cell so far, ``fg``; updated in place.
        threads: The threads to use.

    Returns:
        For each score close enough to the largest so far: its foreground cell, its background cell
        (row * w + column), and its value.
    """
    f, g = (side - HALO for side in products.shape[:2])
    h, w = sharpness.shape
    parts = min(threads.count, w)
    widest = -(-w // parts)
    work = np.empty((parts, 5 * g + 7, widest + HALO), np.float32)
    most = parts, f * g * h * widest  # memory that is never written is not allocated
    tops = top.repeat(parts, 1).numpy()
    count = np.zeros(parts, np.int64)
    found = [np.empty(most, kind) for kind in (np.int32, np.int32, np.float32)]
    planes = (each.contiguous().numpy() for each in (per_norm, sharpness, barred))
    threads.run(_list, parts, parts, products.numpy(), before, *planes, work, (tops, count, *found))
    torch.maximum(top, torch.from_numpy(tops).amax(dim=0), out=top)
    rows, cells, scores = (
        torch.from_numpy(np.concatenate([each[part, : count[part]] for part in range(parts)]))
        for each in found
    )
    stop_point()
    return rows.long(), cells.long(), scores


@compiled()
def _list(
    start: int,
    stop: int,
    parts: int,
    products: Any,
    before: int,
    per_norm: Any,
    sharpness: Any,
    barred: Any,
    work: Any,
    found: Any,
) -> None:
    """Run `listed_scores` for some of the parts into which background columns are divided."""
    f, g = products.shape[0] - HALO, products.shape[1] - HALO
    h, w = sharpness.shape
    top, count, rows, cells, listed = found
    for part in range(start, stop):
        left = part * w // parts
        width = (part + 1) * w // parts - left
        tall = work[part, : g + 4]  # sums of three products, one row apart
        scores = work[part, g + 4 : 2 * g + 6]
        fused = work[part, 2 * g + 6 : 5 * g + 6]  # of this row and the two before, columns apart
        sharp = work[part, 5 * g + 6]
        size = 0
        for diagonal in range(f + h - 1):
            first_y, first_x = max(0, f - 1 - diagonal), max(0, diagonal - f + 1)
            steps = min(f - first_y, h - first_x)
            for step in range(steps + 2):  # the first and the last only for their neighbors
                y, x, now = first_y + step, first_x + step, step % 3 * g
                place = before + x * (w + HALO) + left
                for j in range(g + 4):
                    total, above = tall[j], products[y, j, place:]
                    here = products[y + 1, j, place + w + HALO :]
                    below = products[y + 2, j, place + 2 * (w + HALO) :]
                    for i in range(width + 4):
                        total[i] = here[i] + above[i] + below[i]
                norms = per_norm[x, left:]
                for j in range(g + 2):
                    total = scores[j]
                    here, above, below = tall[j + 1, 1:], tall[j], tall[j + 2, 2:]
                    for i in range(width + 2):
                        total[i] = (here[i] + above[i] + below[i]) * norms[i]
                for j in range(g):
                    total = fused[now + j]
                    here, above, below = scores[j + 1, 1:], scores[j], scores[j + 2, 2:]
                    for i in range(width):
                        total[i] = here[i] + above[i] + below[i]
                if step < 2:
                    continue
                one, two = (step + 2) % 3 * g, (step + 1) % 3 * g  # of the last two rows
                factors, added = sharpness[x - 2, left:], barred[x - 2, left:]
                for j in range(g):
                    row = (y - 2) * g + j
                    limit = top[part, row] - NEGLIGIBLE
                    here, above, below = fused[one + j], fused[two + j], fused[now + j]
                    hits = 0
                    for i in range(width):
                        sharp[i] = (here[i] + above[i] + below[i]) * factors[i] + added[i]
                        hits += sharp[i] > limit
                    if hits == 0:
                        continue
                    for i in range(width):
                        top[part, row] = max(top[part, row], sharp[i])
                    limit = top[part, row] - NEGLIGIBLE
                    for i in range(width):
                        if sharp[i] > limit:
                            rows[part, size] = row
                            cells[part, size] = (x - 2) * w + left + i
                            listed[part, size] = sharp[i]
                            size += 1
        count[part] = size
