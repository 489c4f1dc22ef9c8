"""Contextual attention for some cells of a frame, with bounded memory.

The result is that of `gatefill.layers.contextual_attention`, for one frame without a gradient.
Scores (`scores.py`) are computed for a box of foreground cells and a tile of background cells at a
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.geometry import Box
from gatefill.layers.attention_pairs import border_gain, patch_norms, valid_cells
from gatefill.layers.contextual_attention import ContextualAttention, exact
from gatefill.layers.padding import resize_nearest
from gatefill.parallel import Threads
from gatefill.runtime.pasting import FEW, NEGLIGIBLE, Pasting
from gatefill.runtime.scores import Scores, tiles

TILE = 2**21  # elements of a table to process at a time
WORKING = 12 * 4  # bytes per element of a table, with its temporaries
LARGEST_CHUNK = 40


class CellsFound(NamedTuple):
    """The attention of a box of cells of h x w."""

    features: Tensor  # 1C 2h 2w
    sources: Tensor  # hwK int64, the K cells with the largest weights, row * width + column
    weights: Tensor  # hwK, their weights in [0, 1], strongest first


class CellAttention:
    """Attention over the cells of one frame, for any number of boxes around its holes.

    Args:
        layer: The attention layer of the network.
        features: ``1CHW``.
        mask: ``11`` 4H 4W, 1 = hole.
        memory: Bytes of memory to use at most.
        tick: Called frequently with the multiplications since the previous call.
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
        self._tick = tick
        self._features = features
        cells = resize_nearest(features, self.h, self.w, layer.resizing)
        hole = layer.hole(mask, height, width)
        valid = valid_cells(hole, cells)[0, 0]
        sharpness = valid * layer.softmax_scale
        self._scores = Scores(cells[0], patch_norms(cells)[0, 0], sharpness, layer.fuse)
        invalid = int((valid == 0).sum())
        # Without valid cells there is nothing to attend to: weights are 0 in either case.
        counted = 0 if layer.exclude and invalid < valid.numel() else invalid
        self._gain = border_gain(height, width, features) if layer.even else None
        self._flat = False  # whether cells attend to very many others
        self._pasting = Pasting(features, sharpness, counted)
        shared = self._scores.nbytes + self._pasting.nbytes
        left = max(memory - shared, 0)
        # At most half of the memory for tables in progress, the rest for scores.
        self._tile = max(min(TILE, left // (2 * WORKING)), 1)
        self._memory = left - WORKING * self._tile

    def __call__(self, box: Box, places: int) -> CellsFound:
        """Compute the attention of the cells of a box, with the `places` best cells of each."""
        features = self._features.new_empty(
            1, self._features.shape[1], 2 * box.height, 2 * box.width
        )
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
        """Yield parts of a box whose scores for the whole background fit into memory."""
        side = LARGEST_CHUNK
        while side > 1 and 4 * (side + 2) ** 2 * self.h * self.w > self._memory:
            side -= 1
        return tiles(box, side, side)

    def _chunk(self, box: Box, places: int) -> CellsFound:
        # A patch covers 4x4 features, so patches of the surrounding cells reach into the box, too.
        around = box.grown(1, self.h, self.w)
        found = None
        if not self._flat:
            listed = self._listed_scores(around)
            if listed is None:  # then the other boxes will have as many
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
        """Return the scores of the cells of a box that give any weight; None if there are many.

        Returns the largest score of each cell, and for each score its foreground cell, its
        background cell, and its value.
        """
        top = self._features.new_full((box.area,), -torch.inf)
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
        """Do the same for one part of the background after the other, updating `top`."""
        places = torch.arange(self.h * self.w, device=top.device).view(self.h, self.w)
        left = [Box(0, 0, self.h, self.w)]
        inner = Box(1, 1, self.h - 1, self.w - 1)
        if self._scores.can_list(box, inner):
            for found in self._scores.listed(box, inner, top, self._tile, self._threads):
                yield found.rows, places[found.block.slices].flatten()[found.cells], found.scores
                self._tick(pairs_cost(box.area, found.block.area))
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

    def _all_scores(self, box: Box) -> tuple[Tensor, Tensor]:
        """Return all scores of a box, one row per cell, and the largest of each row."""
        table = self._features.new_empty(box.height, box.width, self.h, self.w)
        for tile, scores in self._sharp_scores(box, Box(0, 0, self.h, self.w)):
            rows, columns = tile.slices
            table[:, :, rows, columns] = scores
        flat = table.view(box.area, -1)
        return flat, flat.amax(dim=1)

    def _sharp_scores(self, box: Box, background: Box) -> Iterator[tuple[Box, Tensor]]:
        """Yield the arguments of the softmax for the cells of a box, by tiles of the background."""
        for tile in self._tiles(box, background):
            yield tile, self._scores.table(box, tile)
            self._tick(pairs_cost(box.area, tile.area))

    def _tiles(self, box: Box, background: Box) -> Iterator[Box]:
        """Yield tiles of the background that fit the cache, with long rows for fast sums."""
        cells = max(self._tile // ((box.height + 6) * (box.width + 6)), 64)
        width = min(background.width, max(64, cells // 16))
        return tiles(background, max(cells // width, 1), width)

    def _overlapped(self, patches: Tensor, around: Box, box: Box) -> Tensor:
        """Add up the 4x4 patches of `around`, at stride 2, to features ``1C`` 2h 2w of a box."""
        size = 2 * around.height, 2 * around.width
        planes = patches.view(around.area, 16, -1).permute(2, 1, 0).reshape(1, -1, around.area)
        whole = functional.fold(planes, size, kernel_size=4, stride=2, padding=1)
        top, left = 2 * (box.top - around.top), 2 * (box.left - around.left)
        pasted = whole[:, :, top : top + 2 * box.height, left : left + 2 * box.width] / 4.0
        if self._gain is None:
            return pasted
        rows = slice(2 * box.top, 2 * box.bottom)
        return pasted * self._gain[rows, 2 * box.left : 2 * box.right]


def pairs_cost(foreground: int, background: int) -> float:
    """Estimate the cost of scores in multiplications, including reading and writing them."""
    return 256.0 * foreground * background
