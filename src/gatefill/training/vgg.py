"""VGG-16 up to its third pooling, as perceptual and style losses read it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

# Channels of the convolutions up to the third pooling (arXiv 1409.1556, table 1, column D).
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256))


class VGG16(nn.Module):
    """Features after the first three poolings; never trained. Keys are those of torchvision."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for block in _BLOCKS:
            for width in block:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        # Of ImageNet, RGB in [0, 1], with which the published weights were trained.
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        """``B3HW`` RGB in [-1, 1] -> features at a half, a quarter and an eighth of the size."""
        x = ((image + 1.0) / 2.0 - self.mean) / self.std
        pooled = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                pooled.append(x)
        return pooled


def load_vgg16(path: str | os.PathLike[str]) -> VGG16:
    """VGG-16 with the weights of a torchvision file, whose other layers are left aside.

    Raises ValueError where the file holds something else.
    """
    network = VGG16()
    expected = network.state_dict()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, UnicodeDecodeError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise ValueError(f"{Path(path).name}: not a file of weights ({reason})") from None
    fits = isinstance(state, dict) and all(
        name in state and state[name].shape == value.shape for name, value in expected.items()
    )
    if not fits:
        raise ValueError(
            f"expected VGG-16 weights with torchvision's names (features.0.weight ...), "
            f"got {Path(path).name}, which holds something else"
        )
    network.load_state_dict({name: state[name] for name in expected})
    return network
