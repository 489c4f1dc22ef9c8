"""Losses that compare features of a trained classifier in the holes.

The perceptual distance compares features at the same position (LPIPS, arXiv 1801.03924). The style
distance compares statistics of features over the whole hole, so it measures the kind of texture
independent of position (after arXiv 1508.06576).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.training.losses import chosen, places_of
from gatefill.training.trunks import Trunk


class TapPlaces(NamedTuple):
    """Features of one tap at the positions that contain a part of a hole."""

    found: Tensor  # PC float32, of the composite
    wanted: Tensor  # PC float32, of the truth
    counts: Tensor  # B int64, number of the P positions per sample


def hole_places(found: Sequence[Tensor], wanted: Sequence[Tensor], mask: Tensor) -> list[TapPlaces]:
    """Select the features in the holes, per tap, as input of the losses below.

    Holes are a small part of most images, and the losses would take more time than the
    convolutions where these run in bfloat16.

    Args:
        found: Feature maps ``BCHW`` of the composite, one per tap.
        wanted: Feature maps of the ground truth, one per tap.
        mask: ``B1HW``, 1 = hole.
    """
    taps = []
    for ours, theirs in zip(found, wanted, strict=True):
        inside = functional.adaptive_max_pool2d(mask, ours.shape[-2:])[:, 0] > 0
        places = places_of(inside)
        one, other = (
            chosen(each.permute(0, 2, 3, 1).flatten(0, 2), places).float()
            for each in (ours, theirs)
        )
        taps.append(TapPlaces(one, other, inside.sum(dim=(1, 2))))
    return taps


def perceptual_distance(taps: Sequence[TapPlaces], channels: Sequence[Tensor]) -> Tensor:
    """LPIPS at the positions in the holes.

    Args:
        taps: The features there.
        channels: Weights of the channels, one vector per tap.

    Returns:
        The weighted squared difference of unit vectors, averaged over the positions of each tap
        and summed over taps; 0 if there is no hole.
    """
    total = taps[0].found.new_zeros(())
    for tap, weights in zip(taps, channels, strict=True):
        apart = (_unit(tap.found, 1) - _unit(tap.wanted, 1)).square() @ weights
        total = total + apart.sum() / max(len(apart), 1)
    return total


def style_distance(taps: Sequence[TapPlaces]) -> Tensor:
    """Difference of the covariances of channels over the positions of each hole.

    Args:
        taps: The features there.

    Returns:
        The Frobenius norm of the difference, relative to that of the ground truth's covariance, so
        that all samples and taps have equal weight: averaged over samples with a hole and over
        taps; 0 if there is no hole.
    """
    total = taps[0].found.new_zeros(())
    for tap in taps:
        if not len(tap.found):
            continue
        ours, theirs = (_covariances(each, tap.counts) for each in (tap.found, tap.wanted))
        size = theirs.flatten(1).norm(dim=1)
        # The root has no finite gradient at 0; covariances of flat surfaces are nearly 0.
        norm = ((ours - theirs).flatten(1).square().sum(1) + 1e-12).sqrt()
        share = (tap.counts > 0) / (tap.counts > 0).sum()
        total = total + (norm / (size + 0.1 * (size * share).sum() + 1e-3) * share).sum()
    return total / len(taps)


def lpips(trunk: Trunk, found: Tensor, wanted: Tensor) -> Tensor:
    """LPIPS v0.1 of pairs of images, one value per pair.

    Args:
        trunk: A trunk with the channel weights of LPIPS and all five taps.
        found: ``B3HW`` RGB in [-1, 1].
        wanted: ``B3HW`` RGB in [-1, 1].
    """
    return lpips_of_features(trunk, trunk(found), trunk(wanted))


def lpips_of_features(trunk: Trunk, found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Compute `lpips` from features of the images, as returned by `trunk`."""
    total = torch.zeros(len(found[0]), device=found[0].device)
    for ours, theirs, weights in zip(found, wanted, trunk.channel_weights(), strict=True):
        apart = (_unit(ours.float(), 1) - _unit(theirs.float(), 1)).square()
        total = total + torch.einsum("bchw,c->bhw", apart, weights).mean(dim=(1, 2))
    return total


def _unit(features: Tensor, dim: int) -> Tensor:
    # Added both outside and inside the root, whose gradient must be finite at 0.
    norm = (features.square().sum(dim, keepdim=True) + 1e-12).sqrt()
    return features / (norm + 1e-10)


def _covariances(rows: Tensor, counts: Tensor) -> Tensor:
    """Return the covariances of the channels of ``PC`` per sample, ``BCC``; 0 without positions.

    counts: Number of the P positions per sample. All samples are computed at once, padded with
        zeros:
    a loop over them would take a GPU longer than the whole network.
    """
    batch, most = len(counts), int(counts.max())
    numbers = torch.arange(batch, device=rows.device)
    sample = numbers.repeat_interleave(counts, output_size=len(rows))
    before = counts.cumsum(0) - counts
    place = sample * most + torch.arange(len(rows), device=rows.device) - before[sample]
    padded = rows.new_zeros(batch * most, rows.shape[1]).index_copy(0, place, rows)
    padded = padded.view(batch, most, -1)
    valid = torch.arange(most, device=rows.device) < counts[:, None]
    number = counts.clamp(min=1)[:, None, None]
    centered = (padded - padded.sum(1, keepdim=True) / number) * valid[:, :, None]
    return centered.transpose(1, 2) @ centered / number
