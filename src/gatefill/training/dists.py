"""DISTS: a perceptual distance that tolerates resampled texture (arXiv 2004.07728).

Per channel of each feature map it compares the mean, which describes a texture, and the
correlation over positions, which describes structure.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gatefill.errors import WeightsError
from gatefill.training.trunks import VGG16, Trunk, load_trunk

EPSILON = 1e-6


class Dists:
    """DISTS of pairs of images.

    Args:
        trunk: VGG-16 with all five taps and `l2` pooling.
        alpha: Weights of the means, for the image's three channels first.
        beta: Weights of the correlations, in the same order.
    """

    def __init__(self, trunk: Trunk, alpha: Tensor, beta: Tensor) -> None:
        self.trunk = trunk
        whole = alpha.sum() + beta.sum()
        self._alpha, self._beta = alpha / whole, beta / whole

    def to(self, device: torch.device) -> Dists:
        """Move the network and the weights to a device; return self."""
        self.trunk.to(device)
        self._alpha, self._beta = self._alpha.to(device), self._beta.to(device)
        return self

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the features of ``B3HW``, RGB in [-1, 1]: the image in [0, 1], and the taps."""
        return [image / 2 + 0.5, *self.trunk(image)]

    def distance(self, found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
        """Return one distance per pair of `features`, from 0 for equal images to about 1."""
        means, correlations = [], []
        for ours, theirs in zip(found, wanted, strict=True):
            one, other = (each.flatten(2).float() for each in (ours, theirs))
            mean, mean_other = one.mean(2), other.mean(2)
            variances = one.var(2, correction=0) + other.var(2, correction=0)
            covariance = (one * other).mean(2) - mean * mean_other
            squares = mean.square() + mean_other.square()
            means.append((2 * mean * mean_other + EPSILON) / (squares + EPSILON))
            correlations.append((2 * covariance + EPSILON) / (variances + EPSILON))
        return 1 - torch.cat(means, 1) @ self._alpha - torch.cat(correlations, 1) @ self._beta

    def __call__(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Return one distance per pair of images ``B3HW``, RGB in [-1, 1]."""
        return self.distance(self.features(found), self.features(wanted))


def load_dists(vgg: str | os.PathLike[str], weights: str | os.PathLike[str]) -> Dists:
    """Load DISTS with weights from files.

    Args:
        vgg: VGG-16, as `load_trunk` reads it.
        weights: The published file of alpha and beta.

    Raises:
        WeightsError: If a file has other content.
    """
    trunk = load_trunk(vgg, only=VGG16, weighting="plain", pooling="l2")
    try:
        stored = torch.load(weights, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as why:
        reason = " ".join(str(why).split())[:200]
        raise WeightsError(
            f"{Path(weights).name}: not a file of weights ({reason})", code="weights.file"
        ) from None
    count = 3 + sum(len(channels) for channels in trunk.channel_weights())
    found = [
        stored.get(name, torch.zeros(())).float().flatten() if isinstance(stored, dict) else None
        for name in ("alpha", "beta")
    ]
    alpha, beta = found
    if alpha is None or beta is None or len(alpha) != count or len(beta) != count:
        raise WeightsError(
            f"expected alpha and beta of DISTS, {count} numbers each, got {Path(weights).name}, "
            "which holds other things",
            code="weights.dists",
            file=str(weights),
        )
    return Dists(trunk, alpha, beta)
