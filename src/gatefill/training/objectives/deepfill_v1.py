"""DeepFill v1: spatially discounted L1 and WGAN-GP with two critics (arXiv 1801.07892, 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config, DeepFillV1Network
from gatefill.methods.networks.two_stage import Stages
from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch
from gatefill.training.discriminators import CriticsConfig, DeepFillV1Critics
from gatefill.training.initialization import initialize
from gatefill.training.losses import (
    discount,
    discount_of_square,
    gradient_penalty,
    hole_corners,
    patches,
)
from gatefill.training.objectives.base import Generator, Judge, Losses, Made, Objective, Turn


@dataclass(frozen=True)
class DeepFillV1Loss:
    """Weights of the losses; the defaults are those of the released code."""

    hole: float = 1.2  # discounted L1 in the hole
    known: float = 1.2  # auto-encoding: L1 of the known pixels
    coarse: float = 1.2  # weight of the coarse frame in both terms
    gamma: float = 0.9  # discount factor per pixel
    # Where the discount starts: at the border of the square that boxes are cut out of, half of the
    # frame, as in the released code; or at the border of the hole, whatever its shape.
    discount: Literal["square", "hole"] = "square"
    adversarial: float = 0.001
    penalty: float = 10.0  # gradient penalty of the critics, lambda of WGAN-GP
    critic_steps: int = 5
    critic_width: int = 64  # channels of the critics' first layers


class DeepFillV1Objective(Objective):
    """DeepFill v1 with critics of the whole image and of a patch of half its side."""

    separate_batches = True

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.network, DeepFillV1Config)
        assert isinstance(config.loss, DeepFillV1Loss)
        self.loss = config.loss
        self.side = min(config.data.shape) // 2
        self.generator = initialize(DeepFillV1Network(config.network), config.initialization)
        self.critic = DeepFillV1Critics(
            CriticsConfig(self.loss.critic_width, config.data.shape, self.side)
        )

    def turn(self, images: int) -> Turn:
        return Turn(critic=self.loss.critic_steps, generator=True)

    def fill(self, generator: Generator, batch: Batch) -> Made:
        stages: Stages = generator(batch.image, batch.mask)
        return Made(stages.refined, stages.coarse, stages.attention.offsets)

    def critic_loss(self, judge: Judge, batch: Batch, filled: Made) -> Losses:
        fake = batch.composite(filled.refined)
        corners = hole_corners(batch.mask, self.side)
        real_patch, fake_patch = (patches(x, corners, self.side) for x in (batch.image, fake))
        scores = judge(torch.cat([batch.image, fake]), torch.cat([real_patch, fake_patch]))
        distance = sum(real.mean() - false.mean() for real, false in (s.chunk(2) for s in scores))

        # Gradient penalty at random points between real and fake, separately for image and patch.
        whole = _between(batch.image, fake)
        local = _between(real_patch, fake_patch)
        of_whole, of_local = judge(whole, local)
        penalty = gradient_penalty(of_whole, whole, batch.mask)
        penalty = penalty + gradient_penalty(
            of_local, local, patches(batch.mask, corners, self.side)
        )
        total = self.loss.penalty * penalty - distance
        return Losses(
            total, {"d_loss": total, "d_distance": torch.as_tensor(distance), "d_penalty": penalty}
        )

    def generator_loss(self, judge: Judge, batch: Batch, filled: Made, images: int) -> Losses:
        assert filled.coarse is not None
        corners = hole_corners(batch.mask, self.side)
        if self.loss.discount == "square":
            weights = discount_of_square(batch.mask, self.side, self.loss.gamma)
        else:
            weights = discount(batch.mask, self.loss.gamma)
        known = 1.0 - batch.mask

        def in_hole(frame: Tensor) -> Tensor:
            # The mean over the patch around the hole, as in the released code.
            summed = ((frame - batch.image).abs() * weights).sum()
            return summed / (batch.size * 3 * self.side**2)

        def outside(frame: Tensor) -> Tensor:
            return ((frame - batch.image).abs() * known).mean() / known.mean().clamp_min(1e-6)

        fake = batch.composite(filled.refined)
        scores = judge(fake, patches(fake, corners, self.side))
        terms = {
            "l1_hole": self.loss.coarse * in_hole(filled.coarse) + in_hole(filled.refined),
            "l1_known": self.loss.coarse * outside(filled.coarse) + outside(filled.refined),
            "g_adversarial": -(scores[0].mean() + scores[1].mean()),
        }
        total = self.loss.hole * terms["l1_hole"] + self.loss.known * terms["l1_known"]
        return Losses(total + self.loss.adversarial * terms["g_adversarial"], terms)


def _between(real: Tensor, fake: Tensor) -> Tensor:
    """Return a random point between each real sample and its fake one, with a gradient."""
    share = torch.rand(real.shape[0], 1, 1, 1, device=real.device)
    return (real + share * (fake - real)).detach().requires_grad_()
