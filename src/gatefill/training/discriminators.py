"""Discriminators: SN-PatchGAN and the critics of DeepFill v1 and Global & Local."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatefill.layers.padding import convolve
from gatefill.layers.spectral_norm import SpectralNormConv2d


@dataclass(frozen=True)
class SNPatchGANConfig:
    """Config of SN-PatchGAN. The default is the published one, 5,946,816 parameters."""

    width: int = 64  # channels of the first layer; deeper ones have 2 and 4 times
    guided: bool = False  # a sketch is an input channel


class SNPatchGAN(nn.Module):
    """Spectrally normalized patch discriminator (arXiv 1806.03589, section 3.3 and figure 4)."""

    def __init__(self, config: SNPatchGANConfig) -> None:
        super().__init__()
        self.config = config
        channels = 5 if config.guided else 4
        for i, factor in enumerate((1, 2, 4, 4, 4, 4), start=1):
            self.add_module(f"conv{i}", SpectralNormConv2d(channels, factor * config.width))
            channels = factor * config.width

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Tensor:
        """Score how real each patch is.

        Args:
            image: ``B3HW`` in [-1, 1], channels in the generator's order.
            mask: ``B1HW``, 1 = hole.
            sketch: ``B1HW``, 1 = edge, for guided discriminators; None: no edges.

        Returns:
            ``BN``, N = h w c in the order of the original.
        """
        x = torch.cat([image, mask], dim=1)
        if self.config.guided:
            drawing = torch.zeros_like(mask) if sketch is None else sketch * mask
            x = torch.cat([x, drawing], dim=1)
        for i in range(1, 7):
            # The original has an activation after the last layer as well.
            x = functional.leaky_relu(self.get_submodule(f"conv{i}")(x), 0.2)
        return x.permute(0, 2, 3, 1).flatten(1)


@dataclass(frozen=True)
class CriticsConfig:
    """Critics of DeepFill v1 or of Global & Local. The dense layers fix the sizes."""

    width: int = 64  # channels of the first layers
    global_size: tuple[int, int] = (256, 256)  # height and width of the whole image in pixels
    local_size: int = 128  # side of the patch around the hole


class _Critic(nn.Module):
    """5x5 convolutions of stride 2 with LeakyReLU(0.2), then one dense value."""

    def __init__(self, width: int, factors: tuple[int, ...], size: tuple[int, int]) -> None:
        super().__init__()
        self.kernels = nn.ModuleList()
        channels = 3
        for factor in factors:
            self.kernels.append(nn.Conv2d(channels, factor * width, 5, 2))
            channels = factor * width
            size = _halved(size)
        self.dense = nn.Linear(channels * size[0] * size[1], 1)

    def forward(self, image: Tensor) -> Tensor:
        """``B3HW`` -> ``B1``."""
        x = image
        for layer in self.kernels:
            assert isinstance(layer, nn.Conv2d)
            x = functional.leaky_relu(convolve(x, layer.weight, layer.bias, stride=2), 0.2)
        score: Tensor = self.dense(x.flatten(1))
        return score


class DeepFillV1Critics(nn.Module):
    """Global and local Wasserstein critics of DeepFill v1 (arXiv 1801.07892, section 3.2)."""

    def __init__(self, config: CriticsConfig) -> None:
        super().__init__()
        self.config = config
        self.whole = _Critic(config.width, (1, 2, 4, 4), config.global_size)
        self.local = _Critic(config.width, (1, 2, 4, 8), (config.local_size, config.local_size))

    def forward(self, image: Tensor, patch: Tensor) -> tuple[Tensor, Tensor]:
        """Whole image ``B3HW`` and patch around the hole ``B3PP`` -> two scores ``B1``."""
        return self.whole(image), self.local(patch)


class GlobalLocalCritic(nn.Module):
    """Context discriminator of Global & Local (Iizuka et al. 2017, table 2)."""

    def __init__(self, config: CriticsConfig) -> None:
        super().__init__()
        self.config = config
        self.whole = self._branch((1, 2, 4, 8, 8, 8), config.global_size)
        self.local = self._branch((1, 2, 4, 8, 8), (config.local_size, config.local_size))
        self.joint = nn.Linear(2 * 16 * config.width, 1)

    def forward(self, image: Tensor, patch: Tensor) -> Tensor:
        """Whole image ``B3HW`` and patch around the hole ``B3PP`` -> one logit ``B1``."""
        logit: Tensor = self.joint(torch.cat([self.whole(image), self.local(patch)], dim=1))
        return logit

    def _branch(self, factors: tuple[int, ...], size: tuple[int, int]) -> nn.Sequential:
        layers: list[nn.Module] = []
        channels, width = 3, self.config.width
        for factor in factors:
            layers += [
                nn.Conv2d(channels, factor * width, 5, 2, 2),
                nn.BatchNorm2d(factor * width),
                nn.ReLU(),
            ]
            channels = factor * width
            size = _halved(size)
        return nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(channels * size[0] * size[1], 16 * width), nn.ReLU()
        )


def _halved(size: tuple[int, int]) -> tuple[int, int]:
    """The size after a convolution of stride 2, rounded up."""
    return -(-size[0] // 2), -(-size[1] // 2)
