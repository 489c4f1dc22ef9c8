"""DeepFill v2: free-form image inpainting with gated convolution (Yu et al., arXiv 1806.03589)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gatefill.layers.gated import ConvKind
from gatefill.layers.padding import Padding, Resizing
from gatefill.methods.networks.two_stage import Stages, TwoStageNetwork, expect_multiples
from gatefill.settings import check_fields


@dataclass(frozen=True)
class DeepFillV2Config:
    """What a DeepFill v2 network is. The default is the published network, 4,052,478 parameters.

    Official, ported and own weights differ in these fields only.
    """

    width: int = 24  # channels of the first layer after the gate; deeper ones have 2 and 4 times
    kind: ConvKind = "gated"
    guided: bool = False  # a sketch is an input channel
    padding: Padding = "same"
    fuse: bool = True  # attention prefers matches whose neighbors match too
    resizing: Resizing = "aligned"  # which pixels attention keeps where it halves maps
    mask_steps: Literal[1, 2] = 2  # to 1/8 at once, or to 1/4 and then to 1/2 as the original
    match_activation: Literal["relu", "elu"] = "relu"  # of the layer before the attention
    exclude_invalid: bool = False  # patches that touch the hole have no part in the softmax at all
    even_borders: bool = False  # attention divides by the true overlap of patches
    refinement_mask: bool = False  # the refinement net also sees ones and mask, as in DeepFill v1
    decoder_width: int | None = None  # of the refinement's decoder; None: `width`
    gated_output: bool = False  # the to-RGB layers have a gate, too
    output: Literal["tanh", "clip"] = "tanh"
    channel_order: Literal["bgr", "rgb"] = "bgr"

    def __post_init__(self) -> None:
        check_fields(self, width=(2, 1024))
        if self.decoder_width is not None:
            check_fields(self, decoder_width=(2, 1024))

    @classmethod
    def compact(cls) -> DeepFillV2Config:
        """Half the width, a quarter of the parameters: about one million, RGB."""
        return cls(width=12, channel_order="rgb")


class DeepFillV2Network(TwoStageNetwork):
    """Coarse and refinement network of figure 3; the layers stand in `TwoStageNetwork`."""

    def __init__(self, config: DeepFillV2Config) -> None:
        super().__init__(
            width=config.width,
            coarse_channels=6 if config.guided else 5,
            refinement_channels=5 if config.refinement_mask else 3,
            kind=config.kind,
            padding=config.padding,
            fuse=config.fuse,
            resizing=config.resizing,
            mask_steps=config.mask_steps,
            match_activation=config.match_activation,
            exclude=config.exclude_invalid,
            even=config.even_borders,
            decoder_width=config.decoder_width,
            gated_output=config.gated_output,
        )
        self.config = config

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Stages:
        """Fill the holes.

        Args:
            image: ``B3HW`` in [-1, 1], the channels in the config's order; H and W multiples of 8;
                what stands in the hole is ignored.
            mask: ``B1HW``, 1 = hole, one per sample.
            sketch: ``B1HW``, 1 = edge, only for a guided network; None means no edges.

        Raises:
            ConfigError: For sides that are no multiples of 8.
        """
        expect_multiples(image)
        known = 1.0 - mask
        masked, ones = image * known, torch.ones_like(mask)

        # coarse network
        x = torch.cat([masked, ones, mask], dim=1)
        if self.config.guided:
            edges = torch.zeros_like(mask) if sketch is None else sketch * mask
            x = torch.cat([masked, edges, ones, mask], dim=1)
        coarse = self.output(self.coarse(x, known))

        # refinement network: both branches see the coarse result in the hole
        x = coarse * mask + masked
        if self.config.refinement_mask:
            x = torch.cat([x, ones, mask], dim=1)
        hallucinated = self.hallucinate(x)
        attention = self.attention(self.match(x), mask)
        attended = self.pmconv10(self.pmconv9(attention.features))
        refined = self.output(self.decode(torch.cat([hallucinated, attended], dim=1)))
        return Stages(coarse, refined, attention)

    def output(self, x: Tensor) -> Tensor:
        """The last activation of both stages."""
        return torch.tanh(x) if self.config.output == "tanh" else x.clamp(-1.0, 1.0)
