"""Partial convolution: the six-term loss and its two phases (arXiv 1804.07723, 3.3 and 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from gatefill.errors import ConfigError
from gatefill.methods.networks.partial_conv import PartialConvConfig, PartialConvNetwork
from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch
from gatefill.training.losses import perceptual_loss, style_loss, variation_loss
from gatefill.training.objectives.base import Generator, Judge, Losses, Made, Objective, Turn
from gatefill.training.trunks import VGG16, Trunk, load_trunk


@dataclass(frozen=True)
class PartialConvLoss:
    """Weights of the six terms; the defaults are the published ones."""

    known: float = 1.0
    hole: float = 6.0
    perceptual: float = 0.05
    style: float = 120.0  # of the output and of the composite, two terms
    variation: float = 0.1
    vgg: Path | None = None  # file of VGG-16 weights that the perceptual and style terms need
    finetune_from: int | None = None  # images after which the encoder's BatchNorm is frozen
    finetune_rate: float = 0.25  # factor on the learning rate from then on


class PartialConvObjective(Objective):
    """Partial convolution with six terms and no critic."""

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.network, PartialConvConfig)
        assert isinstance(config.loss, PartialConvLoss)
        self.loss = config.loss
        self.order = config.channel_order
        self.network = PartialConvNetwork(config.network)
        self.generator = self.network
        self.vgg: Trunk | None = None
        if self.loss.perceptual or self.loss.style:
            if self.loss.vgg is None:
                raise ConfigError(
                    "the perceptual and style terms need VGG-16 weights: give the file that "
                    "torchvision publishes as vgg16-397923af.pth "
                    "(https://download.pytorch.org/models/vgg16-397923af.pth) as "
                    "loss.vgg=FILE, or train without them: loss.perceptual=0, loss.style=0",
                    code="train.vgg",
                )
            self.vgg = load_trunk(self.loss.vgg, taps=3, only=VGG16)

    def turn(self, images: int) -> Turn:
        return Turn(0, True, self.loss.finetune_rate if self._finetunes(images) else 1.0)

    def set_mode(self, images: int) -> None:
        self.network.train()
        if self._finetunes(images):
            for norm in self.network.encoder_norms():
                norm.eval()

    def held(self, images: int) -> Iterable[nn.Parameter]:
        if not self._finetunes(images):
            return ()
        return [p for norm in self.network.encoder_norms() for p in norm.parameters()]

    def fill(self, generator: Generator, batch: Batch) -> Made:
        return Made(generator(batch.image, batch.mask))

    def generator_loss(self, judge: Judge, batch: Batch, filled: Made, images: int) -> Losses:
        loss, image, found = self.loss, batch.image, filled.refined
        composite = batch.composite(found)
        wrong = (found - image).abs()
        terms = {
            "l1_known": (wrong * (1.0 - batch.mask)).mean(),
            "l1_hole": (wrong * batch.mask).mean(),
            "variation": variation_loss(composite, batch.mask),
        }
        total = loss.known * terms["l1_known"] + loss.hole * terms["l1_hole"]
        total = total + loss.variation * terms["variation"]
        if self.vgg is not None:
            frames = torch.cat([found, composite, image])
            vgg = self.vgg.to(frames.device)
            features = vgg(frames.flip(1) if self.order == "bgr" else frames)
            # The paper compares the outputs of the first three poolings.
            layers = [functional.max_pool2d(each, 2, 2).chunk(3) for each in features]
            of_found, of_composite, of_image = ([each[i] for each in layers] for i in range(3))
            terms["perceptual"] = perceptual_loss(of_found, of_image)
            terms["perceptual"] = terms["perceptual"] + perceptual_loss(of_composite, of_image)
            terms["style"] = style_loss(of_found, of_image) + style_loss(of_composite, of_image)
            total = total + loss.perceptual * terms["perceptual"] + loss.style * terms["style"]
        return Losses(total, terms)

    def _finetunes(self, images: int) -> bool:
        return self.loss.finetune_from is not None and images >= self.loss.finetune_from
