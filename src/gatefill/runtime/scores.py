"""Scores of contextual attention: the similarity of cells of one frame, computed box by box.

A table is a tensor of foreground row, column, background row, column. Boxes may extend beyond the
frame by a few cells, where tables are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.geometry import Box
from gatefill.parallel import Threads
from gatefill.runtime.diagonals import HALO, listed_scores, three_columns, three_rows
from gatefill.stopping import stop_point

AROUND = 4  # cells of padding around the frame; patches and two fuse steps need three
STRIP = 64  # background columns whose scores are listed together
LINE = 16  # alignment of rows in elements; unaligned products take up to twice as long
LEAST = 2**20  # smallest number of scores worth loading or compiling the kernel

Table = Callable[[Box, Box], Tensor]


class BlockScores(NamedTuple):
    """Scores of a block of the background that may give weight."""

    block: Box
    rows: Tensor  # N int64, indices of foreground cells
    cells: Tensor  # N int64, indices of cells of the block
    scores: Tensor  # N


class Scores:
    """The scores of one frame's cells, the arguments of the softmax.

    Args:
        cells: Features ``Chw``.
        norms: Norms of the patches around the cells, ``hw``.
        sharpness: ``hw``, factor on the scores of a background cell; 0 for excluded cells.
        fuse: Whether scores of neighbors are added.
    """

    def __init__(self, cells: Tensor, norms: Tensor, sharpness: Tensor, fuse: bool) -> None:
        self.h, self.w = sharpness.shape
        self.fuse = fuse
        self._cells = _framed(cells)
        self._per_norm = _framed(1.0 / norms)
        self._sharpness = sharpness
        self._barred = torch.zeros_like(sharpness).masked_fill_(sharpness == 0, -torch.inf)

    @property
    def nbytes(self) -> int:
        """Bytes that the cells take."""
        return self._cells.nbytes + self._per_norm.nbytes

    def table(self, f: Box, b: Box) -> Tensor:
        """Return all scores of two boxes; minus infinity for cells that may not be attended to."""
        scores = self._fused(f, b) if self.fuse else self._scores(f, b)
        return torch.addcmul(self._barred[b.slices], scores, self._sharpness[b.slices])

    def can_list(self, f: Box, b: Box) -> bool:
        """Return whether `listed` supports these boxes, and is faster: no neighbor wraps around."""
        return (
            self.fuse
            and self._cells.device.type == "cpu"
            and all(
                box.top > 0 and box.bottom < self.h and box.left > 0 and box.right < self.w
                for box in (f, b)
            )
            and f.area * b.area >= LEAST
        )

    def listed(
        self, f: Box, b: Box, top: Tensor, numbers: int, threads: Threads
    ) -> Iterator[BlockScores]:
        """Yield the scores that are close enough to the largest, block by block.

        top: largest score of each foreground cell so far, updated in place. numbers: approximate
            number
        of table elements to process at a time.
        """
        wide = _grown(f, 2, 2)
        mine = self._cut(self._cells, wide).flatten(1).T
        strips = list(tiles(b, b.height, STRIP))
        span = max(strip.width for strip in strips) + HALO
        rows = max(2 * numbers // (wide.area * span) - HALO, HALO)
        memory = mine.new_empty(wide.area * ((rows + HALO) * span + 2 * LINE))
        for strip in strips:
            span = strip.width + HALO
            before = -HALO * span % LINE
            pitch = before + (rows + HALO) * span
            pitch += -pitch % LINE
            table = memory[: wide.area * pitch].view(wide.area, pitch)
            kept = 0  # elements of products shared with the previous block
            for block in tiles(strip, rows, strip.width):
                stop_point()
                new = _grown(block, 2, 2)
                new = Box(new.top + kept // span, new.left, new.bottom, new.right)
                theirs = self._cut(self._cells, new).flatten(1)
                end = before + (block.height + HALO) * span
                torch.mm(mine, theirs, out=table[:, before + kept : end])
                stop_point()
                found = listed_scores(
                    table.view(wide.height, wide.width, pitch),
                    before,
                    self._cut(self._per_norm, _grown(block, 1, 1)),
                    self._sharpness[block.slices],
                    self._barred[block.slices],
                    top,
                    threads,
                )
                yield BlockScores(block, *found)
                if block.bottom < strip.bottom:
                    kept = HALO * span
                    table[:, before : before + kept] = table[:, end - kept : end].clone()

    def _scores(self, f: Box, b: Box) -> Tensor:
        """Correlate 3x3 patches; those of the background are divided by their norms.

        The result is a sum of correlations of cells along the diagonal of the table.
        """
        stop_point()
        wide_f, wide_b = (_grown(box, 1, 1) for box in (f, b))
        mine, theirs = (self._cut(self._cells, box).flatten(1) for box in (wide_f, wide_b))
        products = (mine.T @ theirs).view(wide_f.height, wide_f.width, wide_b.height, wide_b.width)
        stop_point()
        wide = three_columns(products)
        stop_point()
        scores = three_rows(wide)
        scores *= self._cut(self._per_norm, b)
        return self._blank(scores, f, None)  # the norms zero the background

    def _fused_along_rows(self, f: Box, b: Box) -> Tensor:
        """Return the scores plus those of the left and right neighbors in reading order."""
        total = three_columns(self._scores(_grown(f, 0, 1), _grown(b, 0, 1)))
        return self._with_jumps(total, self._scores, f, b, across=False)

    def _fused(self, f: Box, b: Box) -> Tensor:
        """Repeat that for the neighbors above and below, in the order of columns."""
        total = three_rows(self._fused_along_rows(_grown(f, 1, 0), _grown(b, 1, 0)))
        return self._with_jumps(total, self._fused_along_rows, f, b, across=True)

    def _with_jumps(self, total: Tensor, table: Table, f: Box, b: Box, across: bool) -> Tensor:
        """Add the scores of neighbors across the border, in reading order or column by column.

        As in the original, the cell after the last one of a row is the first one of the next row.
        """
        for step in (-1, 1):
            along = (step, 0) if across else (0, step)
            mine, theirs = (
                [(box, box.moved(*along)), *self._wrapped(box, step, across)] for box in (f, b)
            )
            pairs = product(mine, theirs)
            next(pairs)  # neither wraps around
            for (here_f, there_f), (here_b, there_b) in pairs:
                stop_point()
                rows, columns = here_f.moved(-f.top, -f.left).slices
                others = here_b.moved(-b.top, -b.left).slices
                total[rows, columns, others[0], others[1]] += table(there_f, there_b)
        return self._blank(total, f, b)

    def _wrapped(self, box: Box, step: int, across: bool) -> list[tuple[Box, Box]]:
        """Return the cells of a box whose neighbor is across the border, and those neighbors."""
        if across:
            edge, opposite = (0, self.h - 1) if step < 0 else (self.h - 1, 0)
            if not box.top <= edge < box.bottom:
                return []
            here = Box(edge, box.left, edge + 1, box.right)
            there = Box(opposite, box.left + step, opposite + 1, box.right + step)
        else:
            edge, opposite = (0, self.w - 1) if step < 0 else (self.w - 1, 0)
            if not box.left <= edge < box.right:
                return []
            here = Box(box.top, edge, box.bottom, edge + 1)
            there = Box(box.top + step, opposite, box.bottom + step, opposite + 1)
        return [(here, there)]

    def _blank(self, table: Tensor, f: Box, b: Box | None) -> Tensor:
        """Set the table to zero, in place, for cells outside the frame."""
        for box, first in ((f, 0), (b, 2)):
            if box is None:
                continue
            for axis, start, stop, end in (
                (first, box.top, box.bottom, self.h),
                (first + 1, box.left, box.right, self.w),
            ):
                if start < 0:
                    table.narrow(axis, 0, min(-start, stop - start)).zero_()
                if stop > end:
                    outside = min(stop - end, stop - start)
                    table.narrow(axis, stop - start - outside, outside).zero_()
        return table

    def _cut(self, framed: Tensor, box: Box) -> Tensor:
        """Crop a map with `AROUND` cells of zeros around it."""
        rows, columns = box.moved(AROUND, AROUND).slices
        return framed[..., rows, columns]


def tiles(box: Box, height: int, width: int) -> Iterator[Box]:
    """Yield parts of at most `height` x `width`, about equally large, that cover a box."""
    rows, columns = -(-box.height // height), -(-box.width // width)
    for i in range(rows):
        for j in range(columns):
            yield Box(
                box.top + i * box.height // rows,
                box.left + j * box.width // columns,
                box.top + (i + 1) * box.height // rows,
                box.left + (j + 1) * box.width // columns,
            )


def _framed(plane: Tensor) -> Tensor:
    return functional.pad(plane, (AROUND,) * 4)


def _grown(box: Box, rows: int, columns: int) -> Box:
    """Grow a box on all sides, also beyond the frame."""
    return Box(box.top - rows, box.left - columns, box.bottom + rows, box.right + columns)
