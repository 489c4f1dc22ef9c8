"""DeepFill v1: inpainting with contextual attention (Yu et al., CVPR 2018, arXiv 1801.07892)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gatefill.layers.padding import Padding, Resizing
from gatefill.methods.networks.two_stage import Stages, TwoStageNetwork, expect_multiples
from gatefill.settings import check_fields


@dataclass(frozen=True)
class DeepFillV1Config:
    """Architecture of a DeepFill v1 network. Default: the released one, 3,601,542 parameters."""

    width: int = 32  # channels of the first layer; deeper ones have 2 and 4 times
    padding: Padding = "same"
    fuse: bool = True  # apply the fuse step: prefer matches whose neighbors match, too
    resizing: Resizing = "aligned"  # pixel grid for downscaling in the attention
    mask_steps: Literal[1, 2] = 2  # mask to 1/8 at once, or to 1/4, then 1/2 as in the original
    match_activation: Literal["relu", "elu"] = "relu"  # activation before the attention
    exclude_invalid: bool = False  # leave patches that touch the hole out of the softmax
    even_borders: bool = False  # divide pasted patches by their true overlap
    channel_order: Literal["bgr", "rgb"] = "bgr"

    def __post_init__(self) -> None:
        check_fields(self, width=(2, 1024))

    @classmethod
    def compact(cls) -> DeepFillV1Config:
        """Return the config with half the width and a quarter of the parameters, RGB."""
        return cls(width=16, channel_order="rgb")


class DeepFillV1Network(TwoStageNetwork):
    """The two stages of figure 2 and the two branches of figure 4: plain convolutions and ELU."""

    def __init__(self, config: DeepFillV1Config) -> None:
        super().__init__(
            width=config.width,
            coarse_channels=5,
            refinement_channels=5,
            kind="vanilla",
            padding=config.padding,
            fuse=config.fuse,
            resizing=config.resizing,
            mask_steps=config.mask_steps,
            match_activation=config.match_activation,
            exclude=config.exclude_invalid,
            even=config.even_borders,
        )
        self.config = config

    def forward(self, image: Tensor, mask: Tensor) -> Stages:
        """Fill the holes of a batch.

        Args:
            image: ``B3HW`` in [-1, 1], channels in the config's order; H and W multiples of 8;
                values in the hole are ignored.
            mask: ``B1HW``, 1 = hole, one per sample.


        Raises:
            ConfigError: If a side is not a multiple of 8.
        """
        expect_multiples(image)
        known = 1.0 - mask
        masked, ones = image * known, torch.ones_like(mask)

        # coarse network
        coarse = self.coarse(torch.cat([masked, ones, mask], dim=1), known).clamp(-1.0, 1.0)

        # refinement network: both branches get the coarse result in the hole, and the mask
        x = torch.cat([coarse * mask + masked, ones, mask], dim=1)
        hallucinated = self.hallucinate(x)
        attention = self.attention(self.match(x), mask)
        attended = self.pmconv10(self.pmconv9(attention.features))
        refined = self.decode(torch.cat([hallucinated, attended], dim=1)).clamp(-1.0, 1.0)
        return Stages(coarse, refined, attention)
