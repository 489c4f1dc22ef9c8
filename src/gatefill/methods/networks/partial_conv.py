"""Partial convolution: inpainting for irregular holes (Liu et al., ECCV 2018, arXiv 1804.07723)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from gatefill.layers.gated import Activation, activate
from gatefill.layers.padding import Padding, Pads
from gatefill.layers.partial import Joined, Masked, partial_convolution
from gatefill.settings import check_fields


@dataclass(frozen=True)
class PartialConvConfig:
    """Architecture of a partial convolution U-Net. Default: the published network."""

    width: int = 64  # channels of the first layer; deeper layers have 2, 4 and 8 times as many
    levels: int = 8  # number of halvings; the paper's 8 go from 512 to 2 pixels
    padding: Padding = "symmetric"
    normalization: Literal["none", "imagenet"] = "none"  # normalization of the input
    channel_order: Literal["bgr", "rgb"] = "rgb"

    def __post_init__(self) -> None:
        check_fields(self, width=(1, 1024), levels=(1, 12))

    @classmethod
    def compact(cls) -> PartialConvConfig:
        """Return the config with half the width and a quarter of the parameters."""
        return cls(width=32)


class PartialBlock(nn.Module):
    """Partial convolution, optional batch normalization, activation."""

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int,
        *,
        stride: int = 1,
        norm: bool = True,
        activation: Activation = "relu",
        padding: Padding = "symmetric",
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.activation: Activation = activation
        self.padding: Padding = padding
        self.weight = nn.Parameter(torch.empty(width, channels, kernel, kernel))
        # A bias before a normalization would have no effect.
        self.bias = None if norm else nn.Parameter(torch.zeros(width))
        self.norm = nn.BatchNorm2d(width) if norm else None
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x: Masked, pads: Pads | None = None) -> Masked:
        """Apply the block.

        Args:
            x: Features ``BCHW`` and their mask ``B1HW`` or ``BCHW``.
            pads: Number of pixels to pad on each side, if `x` is a part of a map.

        Returns:
            Features ``BChw`` and mask ``B1hw``.
        """
        features, known = partial_convolution(
            *x, self.weight, self.bias, stride=self.stride, padding=self.padding, pads=pads
        )
        if self.norm is not None:
            features = self.norm(features)
        return Masked(activate(features, self.activation), known)


class PartialConvNetwork(nn.Module):
    """The U-Net of table 2: encoder ``enc1``..., decoder ``dec8``...``dec1``."""

    multiple = 1  # any size: upscaled maps are cropped to their skip connection's size
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: PartialConvConfig) -> None:
        super().__init__()
        self.config = config
        if config.normalization == "imagenet":  # in [-1, 1]
            mean = 2.0 * torch.tensor([0.485, 0.456, 0.406]) - 1.0
            deviation = 2.0 * torch.tensor([0.229, 0.224, 0.225])
            self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
            self.register_buffer("deviation", deviation.view(1, 3, 1, 1), persistent=False)
        self.join = Joined()
        widths = [3] + [config.width * min(2**level, 8) for level in range(config.levels)]
        kernels = {1: 7, 2: 5, 3: 5}
        for level in range(1, config.levels + 1):
            encoder = PartialBlock(
                widths[level - 1],
                widths[level],
                kernels.get(level, 3),
                stride=2,
                norm=level > 1,
                padding=config.padding,
            )
            self.add_module(f"enc{level}", encoder)
        for level in range(config.levels, 0, -1):
            decoder = PartialBlock(
                widths[level] + widths[level - 1],
                widths[level - 1],
                3,
                norm=level > 1,
                activation="leaky_relu" if level > 1 else "none",
                padding=config.padding,
            )
            self.add_module(f"dec{level}", decoder)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the holes of a batch.

        Args:
            image: ``B3HW`` in [-1, 1]; values in the hole are ignored.
            mask: ``B1HW``, 1 = hole, one per sample.

        Returns:
            ``B3HW``, the whole frame, not clipped.
        """
        if self.config.normalization == "imagenet":
            image = (image - self.mean) / self.deviation

        # encoder
        known = 1.0 - mask
        skips = [Masked(image * known, known)]
        for level in range(1, self.config.levels + 1):
            skips.append(self.get_submodule(f"enc{level}")(skips[-1]))

        # decoder: features and masks are upscaled and concatenated with the encoder's
        x = skips.pop()
        for level in range(self.config.levels, 0, -1):
            x = self.get_submodule(f"dec{level}")(self.join(x, skips.pop()))
        if self.config.normalization == "imagenet":
            return x[0] * self.deviation + self.mean
        return x[0]

    def encoder_norms(self) -> list[nn.BatchNorm2d]:
        """Return the normalizations that are frozen in fine-tuning (section 3.3 of the paper)."""
        encoders = [self.get_submodule(f"enc{i}") for i in range(1, self.config.levels + 1)]
        return [m for e in encoders for m in e.modules() if isinstance(m, nn.BatchNorm2d)]
