"""DeepFill v2: L1 on both stages and the hinge loss of SN-PatchGAN (arXiv 1806.03589, 3.3-3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gatefill.errors import ConfigError
from gatefill.methods.networks.deepfill_v2 import (
    DeepFillV2Config,
    DeepFillV2Network,
)
from gatefill.methods.networks.two_stage import Stages
from gatefill.settings import expect_at_least
from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch
from gatefill.training.discriminators import SNPatchGAN, SNPatchGANConfig
from gatefill.training.initialization import initialize
from gatefill.training.losses import (
    hinge_discriminator_loss,
    hinge_generator_loss,
    l1,
    near_boundary,
)
from gatefill.training.objectives.base import Generator, Judge, Losses, Made, Objective, Turn


@dataclass(frozen=True)
class DeepFillV2Loss:
    """Weights of the losses; the defaults are the published ones."""

    coarse: float = 1.0  # L1 of the coarse frame, over the whole image
    coarse_frozen: bool = False  # freeze the coarse network, to fine-tune the detail
    refined: float = 1.0  # L1 of the refined frame
    known: float = 1.0  # weight of known pixels in both, relative to those of the hole
    adversarial: float = 1.0  # hinge loss of the composite
    adversarial_from: int = 0  # images before the adversarial loss starts
    # Distance in pixels from the known part beyond which the discriminator gets the truth; 0 = off.
    adversarial_reach: int = 0
    discriminator_width: int = 64  # channels of its first layer
    separate_batches: bool = True  # one batch per network; False: one batch, filled once, for both

    def __post_init__(self) -> None:
        expect_at_least(
            0,
            **{"loss.adversarial_reach": self.adversarial_reach, "loss.known": self.known},
        )


class DeepFillV2Objective(Objective):
    """DeepFill v2, with sketches if the network's config is guided."""

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.network, DeepFillV2Config)
        assert isinstance(config.loss, DeepFillV2Loss)
        self.loss = config.loss
        self.separate_batches = self.loss.separate_batches
        self.generator = initialize(DeepFillV2Network(config.network), config.initialization)
        if self.loss.coarse_frozen and not config.network.refinement:
            raise ConfigError(
                "expected loss.coarse_frozen=false for a network without refinement: nothing else "
                "is left to train",
                code="train.frozen",
            )
        if self.loss.coarse_frozen:
            for name, layer in self.generator.named_children():
                if name.startswith("conv"):  # names of the refinement network have a prefix
                    layer.requires_grad_(False)
        self.critic = SNPatchGAN(
            SNPatchGANConfig(self.loss.discriminator_width, guided=config.network.guided)
        )

    def turn(self, images: int) -> Turn:
        starts = images >= self.loss.adversarial_from and self.loss.adversarial > 0
        return Turn(critic=1 if starts else 0, generator=True)

    def fill(self, generator: Generator, batch: Batch) -> Made:
        stages: Stages | Tensor = generator(batch.image, batch.mask, batch.sketch)
        if isinstance(stages, Tensor):
            return Made(stages)
        return Made(stages.refined, stages.coarse, stages.attention.offsets)

    def _judged(self, batch: Batch, refined: Tensor) -> Tensor:
        """The fake input of the discriminator: the composite near the boundaries of holes.

        Deep inside a large hole the detail cannot be predicted, and a small generator learns to
        satisfy the discriminator with a pattern there.
        """
        if not self.loss.adversarial_reach:
            return batch.composite(refined)
        near = near_boundary(batch.mask, self.loss.adversarial_reach) * batch.mask
        return torch.lerp(batch.image, refined, near)

    def critic_loss(self, judge: Judge, batch: Batch, filled: Made) -> Losses:
        fake = self._judged(batch, filled.refined)
        # One call for both, as in the original: u is updated once per step.
        sketch = None if batch.sketch is None else torch.cat([batch.sketch, batch.sketch])
        values = judge(torch.cat([batch.image, fake]), torch.cat([batch.mask] * 2), sketch)
        real, false = values.chunk(2)
        loss = hinge_discriminator_loss(real, false)
        return Losses(loss, {"d_loss": loss, "d_real": real.mean(), "d_fake": false.mean()})

    def generator_loss(self, judge: Judge, batch: Batch, filled: Made, images: int) -> Losses:
        terms = {"l1_refined": self._l1(filled.refined, batch)}
        total = self.loss.refined * terms["l1_refined"]
        if filled.coarse is not None:
            terms["l1_coarse"] = self._l1(filled.coarse, batch)
            total = total + self.loss.coarse * terms["l1_coarse"]
        if self.turn(images).critic:
            values = judge(self._judged(batch, filled.refined), batch.mask, batch.sketch)
            terms["g_adversarial"] = hinge_generator_loss(values)
            total = total + self.loss.adversarial * terms["g_adversarial"]
        return Losses(total, terms)

    def _l1(self, frame: Tensor, batch: Batch) -> Tensor:
        if self.loss.known == 1.0:
            return l1(frame, batch.image)
        weight = self.loss.known + (1.0 - self.loss.known) * batch.mask
        return l1(weight * frame, weight * batch.image)
