"""Losses as pure functions of tensors."""

from __future__ import annotations

from torch import Tensor


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of a discriminator's values (arXiv 1806.03589, equation 3), halved and averaged.

    As the released code: ``0.5 mean(relu(1 - real)) + 0.5 mean(relu(1 + fake))``; 1 at the start.
    """
    return 0.5 * (1.0 - real).relu().mean() + 0.5 * (1.0 + fake).relu().mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """``-mean(fake)``."""
    return -fake.mean()
