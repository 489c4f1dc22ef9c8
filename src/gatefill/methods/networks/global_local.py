"""Global & Local: consistent image completion (Iizuka et al., SIGGRAPH 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from gatefill.settings import check_fields


@dataclass(frozen=True)
class GlobalLocalConfig:
    """Architecture of a Global & Local completion network. Default: the published network."""

    width: int = 64  # channels of the first layer; deeper layers have 2 and 4 times as many
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # mean training color, for the hole
    norm_after_relu: bool = False  # batch normalization after the ReLU, as in GLCIC-PyTorch
    output: Literal["sigmoid", "clip"] = "sigmoid"  # clip: works in [-1, 1], as in mmagic
    channel_order: Literal["bgr", "rgb"] = "rgb"  # channel order of the network and of `mean`

    def __post_init__(self) -> None:
        check_fields(self, width=(2, 1024), mean=(0, 1))

    @classmethod
    def compact(cls) -> GlobalLocalConfig:
        """Return the config with half the width and a quarter of the parameters."""
        return cls(width=32)


def _block(
    channels: int,
    width: int,
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 1,
    *,
    norm_after_relu: bool,
) -> nn.Module:
    """Build a block of convolution, batch normalization and ReLU."""
    padding = dilation * (kernel - 1) // 2
    layer = nn.Conv2d(channels, width, kernel, stride, padding, dilation)
    return nn.Sequential(layer, *_normalized_relu(width, norm_after_relu))


def _doubling(channels: int, width: int, *, norm_after_relu: bool) -> nn.Module:
    """Build a block of deconvolution to twice the size, batch normalization and ReLU."""
    layer = nn.ConvTranspose2d(channels, width, 4, 2, 1)
    return nn.Sequential(layer, *_normalized_relu(width, norm_after_relu))


def _normalized_relu(width: int, norm_after_relu: bool) -> list[nn.Module]:
    norm, relu = nn.BatchNorm2d(width), nn.ReLU()
    return [relu, norm] if norm_after_relu else [norm, relu]


class GlobalLocalNetwork(nn.Module):
    """The completion network of table 1."""

    multiple = 4  # sides must be multiples of this
    mean: Tensor

    def __init__(self, config: GlobalLocalConfig) -> None:
        super().__init__()
        self.config = config
        one, two, four = config.width, 2 * config.width, 4 * config.width
        block = partial(_block, norm_after_relu=config.norm_after_relu)
        doubling = partial(_doubling, norm_after_relu=config.norm_after_relu)

        self.encoder = nn.Sequential(
            block(4, one, kernel=5),
            block(one, two, stride=2),
            block(two, two),
            block(two, four, stride=2),
            block(four, four),
            block(four, four),
        )
        self.dilated = nn.Sequential(*(block(four, four, dilation=d) for d in (2, 4, 8, 16)))
        self.decoder = nn.Sequential(
            block(four, four),
            block(four, four),
            doubling(four, two),
            block(two, two),
            doubling(two, one),
            block(one, one // 2),
            nn.Conv2d(one // 2, 3, 3, 1, 1),
        )
        mean = torch.tensor(config.mean).view(1, 3, 1, 1)
        if config.output == "clip":
            mean = mean * 2.0 - 1.0
        self.register_buffer("mean", mean, persistent=False)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the holes of a batch.

        Args:
            image: ``B3HW`` in [-1, 1], H and W multiples of 4; values in the hole are ignored.
            mask: ``B1HW``, 1 = hole, one per sample.

        Returns:
            ``B3HW`` in [-1, 1], the whole frame.
        """
        # The network itself works in [0, 1], as in the paper.
        if self.config.output == "sigmoid":
            image = (image + 1.0) / 2.0
        filled = image * (1.0 - mask) + self.mean * mask
        x = self.encoder(torch.cat([filled, mask], dim=1))
        x = self.dilated(x)
        x = self.decoder(x)
        if self.config.output == "clip":
            return torch.clamp(x, -1.0, 1.0)
        return torch.sigmoid(x) * 2.0 - 1.0
