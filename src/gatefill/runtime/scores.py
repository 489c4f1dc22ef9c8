"""Scores of contextual attention: how alike the cells of one frame are, box by box.

A table is a tensor of foreground row, column, background row, column; boxes may stick out of the
frame by a few cells, where tables hold zeros.
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

AROUND = 4  # cells of zeros around the frame: patches and two fusions reach three
STRIP = 64  # columns of the background whose scores are listed together
LINE = 16  # numbers: a product written to rows that do not start there takes up to twice as long
LEAST = 2**20  # scores below which the kernel need not be loaded, or even compiled

Table = Callable[[Box, Box], Tensor]


class BlockScores(NamedTuple):
    """Scores of a block of the background that may give weight."""

    block: Box
    rows: Tensor  # N int64, whose they are: numbers of foreground cells
    cells: Tensor  # N int64, of which cell of the block
    scores: Tensor  # N


class Scores:
    """The scores of one frame's cells, as a softmax takes them.

    cells: features ``Chw``. norms: of the patches around them, ``hw``. sharpness: ``hw``, what
    scores of a background cell are multiplied by, 0 for cells that are not looked at. fuse: whether
    those of neighbors are added.
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
        """All scores of two boxes in the frame; minus infinity for cells that are not looked at."""
        scores = self._fused(f, b) if self.fuse else self._scores(f, b)
        return torch.addcmul(self._barred[b.slices], scores, self._sharpness[b.slices])

    def can_list(self, f: Box, b: Box) -> bool:
        """Whether `listed` takes these boxes, and pays: as neighbors of no cell jump."""
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
        """Those of the scores that are not far below the largest, block by block.

        top: the largest of each foreground cell so far, raised in place. numbers: of a table that
        may be worked on at a time, about.
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
            kept = 0  # numbers of products that the last block had, too
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
        """Correlation of 3x3 patches, the background's divided by their norms.

        It is a sum of correlations of cells along the diagonal of the table.
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
        return self._blank(scores, f, None)  # the norms blank the background

    def _fused_along_rows(self, f: Box, b: Box) -> Tensor:
        """Scores, and those of the left and right neighbors in reading order."""
        total = three_columns(self._scores(_grown(f, 0, 1), _grown(b, 0, 1)))
        return self._with_jumps(total, self._scores, f, b, across=False)

    def _fused(self, f: Box, b: Box) -> Tensor:
        """The same again for the neighbors above and below, columns read one after the other."""
        total = three_rows(self._fused_along_rows(_grown(f, 1, 0), _grown(b, 1, 0)))
        return self._with_jumps(total, self._fused_along_rows, f, b, across=True)

    def _with_jumps(self, total: Tensor, table: Table, f: Box, b: Box, across: bool) -> Tensor:
        """Add what neighbors at the opposite border give, in reading order or column by column.

        As in the original, after a row's last cell comes the first one of the next row.
        """
        for step in (-1, 1):
            along = (step, 0) if across else (0, step)
            mine, theirs = (
                [(box, box.moved(*along)), *self._wrapped(box, step, across)] for box in (f, b)
            )
            pairs = product(mine, theirs)
            next(pairs)  # neither jumps
            for (here_f, there_f), (here_b, there_b) in pairs:
                stop_point()
                rows, columns = here_f.moved(-f.top, -f.left).slices
                others = here_b.moved(-b.top, -b.left).slices
                total[rows, columns, others[0], others[1]] += table(there_f, there_b)
        return self._blank(total, f, b)

    def _wrapped(self, box: Box, step: int, across: bool) -> list[tuple[Box, Box]]:
        """The cells of a box whose neighbor is at the opposite border, and those neighbors."""
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
        """Zero the table, in place, for cells outside the frame."""
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
        """A box of a map with `AROUND` cells of zeros around it."""
        rows, columns = box.moved(AROUND, AROUND).slices
        return framed[..., rows, columns]


def tiles(box: Box, height: int, width: int) -> Iterator[Box]:
    """Parts of at most `height` x `width` that cover a box, about equally large."""
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
    """A box with more cells on all sides, also beyond the frame."""
    return Box(box.top - rows, box.left - columns, box.bottom + rows, box.right + columns)
