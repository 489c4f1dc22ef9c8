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
    """Architecture of a DeepFill v2 network. Default: the published network, 4,052,478 parameters.

    Official, ported and own weights differ in these fields only. At equal `width` a gated
    convolution has twice the parameters of a vanilla or partial one.
    """

    width: int = 24  # channels of the first layer after its gate; deeper ones have 2 and 4 times
    kind: ConvKind = "gated"  # of all convolutions, see `gatefill.layers.gated`
    guided: bool = False  # the sketch is an input channel
    padding: Padding = "same"  # of all convolutions, see `gatefill.layers.padding`
    fuse: bool = True  # apply the fuse step: prefer matches whose neighbors match, too
    resizing: Resizing = "aligned"  # pixel grid for downscaling in the attention
    mask_steps: Literal[1, 2] = 2  # mask to 1/8 at once, or to 1/4, then 1/2 as in the original
    match_activation: Literal["relu", "elu"] = "relu"  # activation before the attention
    exclude_invalid: bool = False  # leave patches that touch the hole out of the softmax
    even_borders: bool = False  # divide pasted patches by their true overlap
    refinement_mask: bool = False  # feed ones and mask to the refinement, as in DeepFill v1
    decoder_width: int | None = None  # width of the refinement's decoder; None: `width`
    gated_output: bool = False  # the output layers are gated, too
    refinement: bool = True  # False: the coarse network alone, whose frame is the result
    output: Literal["tanh", "clip"] = "tanh"  # output activation of both stages
    channel_order: Literal["bgr", "rgb"] = "bgr"  # of input and output; the official code has BGR

    def __post_init__(self) -> None:
        check_fields(self, width=(2, 1024))
        if self.decoder_width is not None:
            check_fields(self, decoder_width=(2, 1024))

    @classmethod
    def compact(cls) -> DeepFillV2Config:
        """Return the config with half the width and a quarter of the parameters, RGB."""
        return cls(width=12, channel_order="rgb")


class DeepFillV2Network(TwoStageNetwork):
    """The coarse and the refinement network of figure 3; `TwoStageNetwork` has the layers."""

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
            refinement=config.refinement,
        )
        self.config = config

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Stages | Tensor:
        """Fill the holes of a batch.

        Args:
            image: ``B3HW`` in [-1, 1], channels in the config's order; H and W multiples of 8;
                values in the hole are ignored.
            mask: ``B1HW``, 1 = hole, one per sample.
            sketch: ``B1HW``, 1 = edge, for guided networks only; None: no edges.

        Returns:
            The frames of both stages; the frame ``B3HW`` of a network without refinement.

        Raises:
            ConfigError: If a side is not a multiple of 8.
        """
        expect_multiples(image)
        known = 1.0 - mask
        # The plane of ones distinguishes the frame from the zeros of padding.
        masked, ones = image * known, torch.ones_like(mask)

        # coarse network
        x = torch.cat([masked, ones, mask], dim=1)
        if self.config.guided:
            edges = torch.zeros_like(mask) if sketch is None else sketch * mask
            x = torch.cat([masked, edges, ones, mask], dim=1)
        coarse = self.output(self.coarse(x, known))
        if not self.config.refinement:
            return coarse

        # refinement network: both branches get the coarse result in the hole
        x = coarse * mask + masked
        if self.config.refinement_mask:
            x = torch.cat([x, ones, mask], dim=1)
        hallucinated = self.hallucinate(x)
        attention = self.attention(self.match(x), mask)
        attended = self.pmconv10(self.pmconv9(attention.features))
        refined = self.output(self.decode(torch.cat([hallucinated, attended], dim=1)))
        return Stages(coarse, refined, attention)

    def output(self, x: Tensor) -> Tensor:
        """Apply the output activation of both stages."""
        return torch.tanh(x) if self.config.output == "tanh" else x.clamp(-1.0, 1.0)
