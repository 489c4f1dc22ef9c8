"""Softmax and pasting of contextual attention for some cells, from the table of their scores.

A softmax over ten times a score leaves a cell with weight for a few hundred others, of which there
may be hundreds of thousands. Their weights are kept as a list and their patches are added one by
one. Where cells look at very many others, as in a photo of one color, all are pasted in a product.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.stopping import stop_point

NEGLIGIBLE = 30.0  # e^-30 of the largest weight is below what float32 can add to it
FEW = 1 / 32  # share of all pairs up to which adding one by one is faster than a product
PASTED = 4096  # background patches that are pasted at a time in a product
PATCH = 4  # features along a side of a patch; patches lie two features apart


class Attending(NamedTuple):
    """What F cells get and where they looked."""

    patches: Tensor  # F, 16C: rows, columns, channels of a patch
    sources: Tensor  # FK, the K cells looked at most, strongest first
    weights: Tensor  # FK, in [0, 1]; 0 where there are fewer


class Pasting:
    """The patches of one frame's background.

    features: ``1CHW``. sharpness: ``hw``, what scores of a cell are multiplied by, 0 for cells that
    are not looked at. h = H / 2, w = W / 2. counted: how many of the latter stay in the denominator
    with a score of 0.
    """

    def __init__(self, features: Tensor, sharpness: Tensor, counted: int) -> None:
        self.h, self.w = sharpness.shape
        framed = functional.pad(features[0].permute(1, 2, 0), (0, 0, 1, 1, 1, 1))
        self._stride = framed.shape[1]
        self._pixels = framed.reshape(-1, framed.shape[-1])  # (H + 2) (W + 2), C
        self._valid = (sharpness != 0).flatten()
        self._counted = counted

    @property
    def nbytes(self) -> int:
        """Bytes that the background's patches take."""
        return self._pixels.nbytes

    def few(self, top: Tensor, row: Tensor, cell: Tensor, score: Tensor, places: int) -> Attending:
        """Attend by a list of scores, each of a row and a background cell, patch by patch.

        top: the largest score of each of the F rows.
        """
        peak, rest = self._peak(top)
        # Smaller numbers would become denormal, and products with those are very slow.
        weight = (score - peak[row]).clamp_(min=-2 * NEGLIGIBLE).exp_()
        weight /= rest.index_add(0, row, weight)[row]
        count = torch.bincount(row, minlength=len(top))
        start = count.cumsum(0) - count

        stop_point()
        # By rows, and inside each the strongest first.
        order = weight.argsort(descending=True, stable=True)
        order = order[row[order].argsort(stable=True)]
        row, cell, weight = row[order], cell[order], weight[order]
        rank = torch.arange(len(row), device=row.device) - start[row]
        first = rank < places
        sources = cell.new_zeros(len(top), places)
        strengths = weight.new_zeros(len(top), places)
        sources[row[first], rank[first]] = cell[first]
        strengths[row[first], rank[first]] = weight[first]

        channels = self._pixels.shape[1]
        patches = weight.new_empty(len(top), PATCH * PATCH, channels)
        corner = cell // self.w * 2 * self._stride + cell % self.w * 2
        for number in range(PATCH * PATCH):
            stop_point()
            pixel = corner + number // PATCH * self._stride + number % PATCH
            patches[:, number] = functional.embedding_bag(
                pixel, self._pixels, start, mode="sum", per_sample_weights=weight
            )
        return Attending(patches.flatten(1), sources, strengths)

    def all(self, scores: Tensor, top: Tensor, places: int) -> Attending:
        """Attend by all scores ``F`` hw, -inf for cells that are not looked at, in a product.

        The scores are overwritten.
        """
        peak, rest = self._peak(top)
        cells = torch.arange(scores.shape[1], device=scores.device)
        corner = cells // self.w * 2 * self._stride + cells % self.w * 2
        steps = torch.arange(PATCH, device=scores.device)
        inside = (steps[:, None] * self._stride + steps).flatten()
        channels = self._pixels.shape[1]
        patches = scores.new_zeros(len(scores), PATCH * PATCH * channels)
        total = rest
        for start in range(0, scores.shape[1], PASTED):
            stop_point()
            some = slice(start, start + PASTED)
            weight = scores[:, some].sub_(peak[:, None]).clamp_(min=-2 * NEGLIGIBLE).exp_()
            weight *= self._valid[some]
            total += weight.sum(dim=1)
            patches.addmm_(weight, self._pixels[corner[some, None] + inside].flatten(1))
        patches /= total[:, None]
        strengths, sources = scores.topk(min(places, scores.shape[1]), dim=1)
        missing = (0, places - sources.shape[1])
        strengths = strengths / total[:, None]
        return Attending(
            patches, functional.pad(sources, missing), functional.pad(strengths, missing)
        )

    def _peak(self, top: Tensor) -> tuple[Tensor, Tensor]:
        """What is taken off scores before `exp`, and what stands in the denominator besides."""
        peak = top.clamp_min(0.0) if self._counted else top
        return peak, self._counted * torch.exp(-peak)
