"""Contextual attention for some cells of a frame, in memory that does not grow with all pairs.

The same numbers as `gatefill.layers.contextual_attention`, for one frame without a gradient. Tables
of scores are made for a box of foreground cells and a tile of background cells at a time.

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
from gatefill.layers.attention_pairs import border_gain, patch_norms, valid_cells
from gatefill.layers.contextual_attention import ContextualAttention, exact
from gatefill.layers.padding import resize_nearest
from gatefill.parallel import Threads
from gatefill.runtime.diagonals import HALO, listed_scores, three_columns, three_rows
from gatefill.runtime.pasting import FEW, NEGLIGIBLE, Pasting
from gatefill.stopping import stop_point

AROUND = 4  # cells of zeros around the frame: patches and two fusions reach three
TILE = 2**21  # numbers of a table that are worked on at a time
WORKING = 12 * 4  # bytes for each number of a table: what stands beside it while it is made
LARGEST_CHUNK = 40
STRIP = 64  # columns of the background whose scores are listed together
LEAST = 2**20  # scores below which the kernel need not be loaded, or even compiled

Table = Callable[[Box, Box], Tensor]


class CellsFound(NamedTuple):
    """What attention gives for a box of cells of h x w."""

    features: Tensor  # 1C 2h 2w
    sources: Tensor  # hwK int64, the K cells looked at most as row * width + column
    weights: Tensor  # hwK, their weights in [0, 1], strongest first


class CellAttention:
    """Attention over the cells of one frame: what all boxes of its holes share.

    layer: the network's attention. features: ``1CHW``. mask: ``11`` 4H 4W, 1 = hole.
    memory: bytes that all of it may take. tick: called now and then with what the work since then
    cost, in multiplications.
    """

    def __init__(
        self,
        layer: ContextualAttention,
        features: Tensor,
        mask: Tensor,
        memory: int,
        tick: Callable[[float], None] = lambda _: None,
    ) -> None:
        features = exact(features)
        height, width = features.shape[-2:]
        self.h, self.w = height // 2, width // 2
        self.fuse = layer.fuse
        self._tick = tick
        self._channels = features.shape[1]
        cells = resize_nearest(features, self.h, self.w, layer.resizing)
        hole = layer.hole(mask, height, width)
        valid = valid_cells(hole, cells)[0, 0]
        self._cells = _framed(cells[0])
        self._per_norm = _framed(1.0 / patch_norms(cells)[0, 0])
        self._sharpness = valid * layer.softmax_scale
        self._barred = torch.zeros_like(valid).masked_fill_(valid == 0, -torch.inf)
        invalid = int((valid == 0).sum())
        # With nothing valid there is nothing to choose among: weights are 0 either way.
        counted = 0 if layer.exclude and invalid < valid.numel() else invalid
        self._gain = border_gain(height, width, features) if layer.even else None
        self._flat = False  # whether cells look at very many others
        self._pasting = Pasting(features, self._sharpness, counted)
        shared = self._cells.nbytes + self._per_norm.nbytes + self._pasting.nbytes
        left = max(memory - shared, 0)
        # At most half for the tables that are worked on, the rest for scores.
        self._tile = max(min(TILE, left // (2 * WORKING)), 1)
        self._memory = left - WORKING * self._tile

    def __call__(self, box: Box, places: int) -> CellsFound:
        """What the cells of a box see, with the `places` cells each looked at most."""
        features = self._cells.new_empty(1, self._channels, 2 * box.height, 2 * box.width)
        sources = torch.zeros(box.height, box.width, places, dtype=torch.int64)
        weights = torch.zeros(box.height, box.width, places)
        with Threads(torch.get_num_threads()) as self._threads:
            for part in self._chunks(box):
                found = self._chunk(part, places)
                rows = slice(part.top - box.top, part.bottom - box.top)
                columns = slice(part.left - box.left, part.right - box.left)
                here = (
                    slice(2 * rows.start, 2 * rows.stop),
                    slice(2 * columns.start, 2 * columns.stop),
                )
                features[:, :, here[0], here[1]] = found.features
                sources[rows, columns] = found.sources.cpu()
                weights[rows, columns] = found.weights.cpu()
        return CellsFound(features, sources, weights)

    def _chunks(self, box: Box) -> Iterator[Box]:
        """Parts of a box whose scores for the whole background fit into memory."""
        side = LARGEST_CHUNK
        while side > 1 and 4 * (side + 2) ** 2 * self.h * self.w > self._memory:
            side -= 1
        return tiles(box, side, side)

    def _chunk(self, box: Box, places: int) -> CellsFound:
        # A patch covers 4x4 features, so those of the cells around are pasted into the box, too.
        around = box.grown(1, self.h, self.w)
        found = None
        if not self._flat:
            listed = self._listed_scores(around)
            if listed is None:  # so it will be around the other boxes
                self._flat = True
            else:
                found = self._pasting.few(*listed, places)
        if found is None:
            found = self._pasting.all(*self._all_scores(around), places)
        inner = box.moved(-around.top, -around.left).slices
        return CellsFound(
            self._overlapped(found.patches, around, box),
            found.sources.view(around.height, around.width, places)[inner],
            found.weights.view(around.height, around.width, places)[inner],
        )

    def _listed_scores(self, box: Box) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """The scores of the cells of a box that give any weight; None where they are many.

        Returns the largest of each cell, and of each score: whose it is, of which background cell,
        and itself.
        """
        top = self._cells.new_full((box.area,), -torch.inf)
        most, count = FEW * box.area * self.h * self.w, 0
        found = []
        for part in self._lists(box, top):
            count += len(part[0])
            if count > most:
                return None
            found.append(part)
        row, cell, score = (torch.cat(parts) for parts in zip(*found, strict=True))
        still = score > top[row] - NEGLIGIBLE
        return top, row[still], cell[still], score[still]

    def _lists(self, box: Box, top: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The same for one part of the background after the other, which raise `top`."""
        places = torch.arange(self.h * self.w, device=top.device).view(self.h, self.w)
        left = [Box(0, 0, self.h, self.w)]
        inner = Box(1, 1, self.h - 1, self.w - 1)
        if self._kernel_pays(box, inner):
            for block, (row, cell, score) in self._lists_inside(box, inner, top):
                yield row, places[block.slices].flatten()[cell], score
            left = [
                Box(0, 0, 1, self.w),
                Box(self.h - 1, 0, self.h, self.w),
                Box(1, 0, self.h - 1, 1),
                Box(1, self.w - 1, self.h - 1, self.w),
            ]
        for background in left:
            for tile, scores in self._sharp_scores(box, background):
                part = scores.view(box.area, -1)
                highest = part.amax(dim=1)
                torch.maximum(top, highest, out=top)
                rows = (highest > top - NEGLIGIBLE).nonzero()[:, 0]
                some = part[rows]
                which, cell = (some > (top[rows] - NEGLIGIBLE)[:, None]).nonzero(as_tuple=True)
                yield rows[which], places[tile.slices].flatten()[cell], some[which, cell]

    def _kernel_pays(self, box: Box, inner: Box) -> bool:
        """Whether a kernel may list scores: inside, as neighbors of no cell jump."""
        return (
            self.fuse
            and self._cells.device.type == "cpu"
            and box.top > 0
            and box.bottom < self.h
            and box.left > 0
            and box.right < self.w
            and box.area * inner.area >= LEAST
        )

    def _lists_inside(
        self, box: Box, inner: Box, top: Tensor
    ) -> Iterator[tuple[Box, tuple[Tensor, Tensor, Tensor]]]:
        """Blocks of a part of the background that has no border, and their lists."""
        wide = _grown(box, 2, 2)
        mine = self._cut(self._cells, wide).flatten(1).T
        strips = list(tiles(inner, inner.height, STRIP))
        span = max(strip.width for strip in strips) + HALO
        rows = max(2 * self._tile // (wide.area * span) - HALO, HALO)
        memory = mine.new_empty(wide.area * (rows + HALO) * span)
        for strip in strips:
            span = strip.width + HALO
            table = memory[: wide.area * (rows + HALO) * span].view(wide.area, -1, span)
            kept = 0  # rows of products that the last block had, too
            for block in tiles(strip, rows, strip.width):
                stop_point()
                new = _grown(block, 2, 2)
                new = Box(new.top + kept, new.left, new.bottom, new.right)
                theirs = self._cut(self._cells, new).flatten(1)
                end = block.height + HALO
                torch.mm(mine, theirs, out=table[:, kept:end].flatten(1))
                stop_point()
                yield (
                    block,
                    listed_scores(
                        table.view(wide.height, wide.width, -1, span),
                        self._cut(self._per_norm, _grown(block, 1, 1)),
                        self._sharpness[block.slices],
                        self._barred[block.slices],
                        top,
                        self._threads,
                    ),
                )
                table[:, :HALO] = table[:, block.height : end].clone()
                kept = HALO
                self._tick(pairs_cost(box.area, block.area))

    def _all_scores(self, box: Box) -> tuple[Tensor, Tensor]:
        """All scores of the cells of a box, a row for each, and each cell's largest."""
        table = self._cells.new_empty(box.height, box.width, self.h, self.w)
        for tile, scores in self._sharp_scores(box, Box(0, 0, self.h, self.w)):
            rows, columns = tile.slices
            table[:, :, rows, columns] = scores
        flat = table.view(box.area, -1)
        return flat, flat.amax(dim=1)

    def _sharp_scores(self, box: Box, background: Box) -> Iterator[tuple[Box, Tensor]]:
        """What a softmax is taken of for the cells of a box, tile by tile of the background."""
        table = self._fused if self.fuse else self._scores
        for tile in self._tiles(box, background):
            sharpness, barred = self._sharpness[tile.slices], self._barred[tile.slices]
            yield tile, torch.addcmul(barred, table(box, tile), sharpness)
            self._tick(pairs_cost(box.area, tile.area))

    def _tiles(self, box: Box, background: Box) -> Iterator[Box]:
        """Tiles of the background: long rows, as fast sums want them, but in the cache."""
        cells = max(self._tile // ((box.height + 6) * (box.width + 6)), 64)
        width = min(background.width, max(64, cells // 16))
        return tiles(background, max(cells // width, 1), width)

    def _overlapped(self, patches: Tensor, around: Box, box: Box) -> Tensor:
        """The features ``1C`` 2h 2w of a box: the patches of 4x4 of `around`, at stride 2."""
        size = 2 * around.height, 2 * around.width
        planes = patches.view(around.area, 16, -1).permute(2, 1, 0).reshape(1, -1, around.area)
        whole = functional.fold(planes, size, kernel_size=4, stride=2, padding=1)
        top, left = 2 * (box.top - around.top), 2 * (box.left - around.left)
        pasted = whole[:, :, top : top + 2 * box.height, left : left + 2 * box.width] / 4.0
        if self._gain is None:
            return pasted
        rows = slice(2 * box.top, 2 * box.bottom)
        return pasted * self._gain[rows, 2 * box.left : 2 * box.right]

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


def pairs_cost(foreground: int, background: int) -> float:
    """What the scores of so many cells cost, in multiplications, reading and writing included."""
    return 256.0 * foreground * background


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
