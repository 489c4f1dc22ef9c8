"""Softmax and pasting of contextual attention for some cells, from a table of scores.

With scores times ten, a softmax leaves weight for a few hundred of what may be hundreds of
thousands of cells. Their weights are kept as a list, and their patches are added one by one. If
cells attend to very many others, as in a photo of one color, all patches are pasted by a matrix
product.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.stopping import stop_point

NEGLIGIBLE = 30.0  # e^-30 of the largest weight is lost in float32 when added to it
FEW = 1 / 32  # share of pairs up to which adding patches is faster than a product
PASTED = 4096  # background patches per matrix product
PATCH = 4  # side of a patch in features; patches are at stride 2


class Attending(NamedTuple):
    """The patches of F cells, and the cells they attend to."""

    patches: Tensor  # F, 16C: rows, columns, channels of a patch
    sources: Tensor  # FK, the K cells with the largest weights, strongest first
    weights: Tensor  # FK, in [0, 1]; 0 if there are fewer than K


class Pasting:
    """The background patches of one frame.

    Args:
        features: ``1CHW``; h = H / 2 and w = W / 2.
        sharpness: ``hw``, factor on the scores of a cell; 0 for cells that may not be attended to.
        counted: Number of the latter that stay in the denominator with a score of 0.
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
        """Attend by a list of scores, each with a row and a background cell, patch by patch.

        top: the largest score of each of the F rows.
        """
        peak, rest = self._peak(top)
        # Smaller weights would be denormal numbers, with which products are very slow.
        weight = (score - peak[row]).clamp_(min=-2 * NEGLIGIBLE).exp_()
        weight /= rest.index_add(0, row, weight)[row]
        count = torch.bincount(row, minlength=len(top))
        start = count.cumsum(0) - count

        stop_point()
        # Sorted by row, and within each row the strongest first.
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
        """Attend by all scores ``F`` hw, -inf for excluded cells, in a matrix product.

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
        """Return what to subtract from scores before `exp`, and the rest of the denominator."""
        peak = top.clamp_min(0.0) if self._counted else top
        return peak, self._counted * torch.exp(-peak)
