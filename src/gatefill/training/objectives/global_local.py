"""Global & Local: squared error first, then the critic alone, then both (Iizuka et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from gatefill.errors import ConfigError
from gatefill.methods.networks.global_local import GlobalLocalConfig, GlobalLocalNetwork
from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch
from gatefill.training.discriminators import CriticsConfig, GlobalLocalCritic
from gatefill.training.losses import hole_corners, patches
from gatefill.training.objectives.base import Generator, Judge, Losses, Made, Objective, Turn


@dataclass(frozen=True)
class GlobalLocalLoss:
    """The three phases; the defaults are the published steps times the batch of 96."""

    completion_images: int = 90_000 * 96  # first phase: squared error only
    critic_images: int = 10_000 * 96  # second phase: the critic only
    adversarial: float = 0.0004  # weight in the third phase
    critic_width: int = 64  # channels of the critic's first layers


class GlobalLocalObjective(Objective):
    """Global & Local with one critic of the whole image and a patch of half its side."""

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.network, GlobalLocalConfig)
        assert isinstance(config.loss, GlobalLocalLoss)
        self.loss = config.loss
        self.side = min(config.data.shape) // 2
        if config.batch_size == config.accumulate and self.side <= 32:
            # The critic's last features are 1x1 pixels, and batch normalization needs two values.
            raise ConfigError(
                "expected two samples or more in each part of a batch at a data.size of up to 64, "
                f"got batch_size={config.batch_size}",
                code="train.batch_size",
                value=config.batch_size,
            )
        self.generator = GlobalLocalNetwork(config.network)
        self.critic = GlobalLocalCritic(
            CriticsConfig(self.loss.critic_width, config.data.shape, self.side)
        )

    def turn(self, images: int) -> Turn:
        if images < self.loss.completion_images:
            return Turn(critic=0, generator=True)
        if images < self.loss.completion_images + self.loss.critic_images:
            return Turn(critic=1, generator=False)
        return Turn(critic=1, generator=True)

    def fill(self, generator: Generator, batch: Batch) -> Made:
        return Made(generator(batch.image, batch.mask))

    def critic_loss(self, judge: Judge, batch: Batch, filled: Made) -> Losses:
        fake = batch.composite(filled.refined)
        corners = hole_corners(batch.mask, self.side)
        both = torch.cat([batch.image, fake])
        real, false = judge(both, patches(both, corners * 2, self.side)).chunk(2)
        # softplus(-x) and softplus(x) are the cross entropies of "real" and "fake".
        loss = functional.softplus(-real).mean() + functional.softplus(false).mean()
        return Losses(loss, {"d_loss": loss, "d_real": real.mean(), "d_fake": false.mean()})

    def generator_loss(self, judge: Judge, batch: Batch, filled: Made, images: int) -> Losses:
        # In [0, 1], as in the paper.
        wrong = (filled.refined - batch.image) / 2.0 * batch.mask
        terms = {"mse": wrong.square().mean()}
        total = terms["mse"]
        if self.turn(images).critic:
            fake = batch.composite(filled.refined)
            corners = hole_corners(batch.mask, self.side)
            values = judge(fake, patches(fake, corners, self.side))
            terms["g_adversarial"] = functional.softplus(-values).mean()
            total = total + self.loss.adversarial * terms["g_adversarial"]
        return Losses(total, terms)
