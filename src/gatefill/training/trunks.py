"""AlexNet and VGG-16 without classifiers; perceptual losses compare their features.

Their weights come from a file that the user names; none are in the package.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gatefill.errors import WeightsError

Pooling = Literal["max", "l2"]


class Architecture(NamedTuple):
    """The layout of the convolutions and poolings of a trunk."""

    name: str
    strides: tuple[int, ...]
    paddings: tuple[int, ...]
    pooled_before: tuple[int, ...]  # the convolutions that follow a pooling
    window: int  # kernel size of the pooling, with stride 2
    taps: tuple[int, ...]  # the convolutions whose ReLU output is compared
    places: tuple[int, ...]  # indices in torchvision's `features`


ALEXNET = Architecture(
    "AlexNet", (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (1, 2), 3, (0, 1, 2, 3, 4), (0, 3, 6, 8, 10)
)
VGG16 = Architecture(
    "VGG-16", (1,) * 13, (1,) * 13, (2, 4, 7, 10), 2, (1, 3, 6, 9, 12),
    (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
)  # fmt: skip


class Trunk(nn.Module):
    """The convolutions of AlexNet or VGG-16; never trained.

    Args:
        architecture: AlexNet or VGG-16.
        weights: ``convN.weight`` (OIHW) and ``convN.bias``, N from 0; ``linN.weight``, if present
            (otherwise 1), are the channel weights of LPIPS (arXiv 1801.03924, equation 1).
        taps: Number of feature maps to compute, of five, from the first.
        pooling: ``max`` as in training, or ``l2``, the smooth root mean square that DISTS uses
            instead (arXiv 2004.07728, equation 2).
    """

    shift: Tensor
    scale: Tensor
    blur: Tensor

    def __init__(
        self,
        architecture: Architecture,
        weights: Mapping[str, Tensor],
        taps: int = 5,
        pooling: Pooling = "max",
    ) -> None:
        super().__init__()
        self.architecture, self.tapped = architecture, architecture.taps[:taps]
        self.pooling = pooling
        self.convolutions = nn.ModuleList()
        for number in range(self.tapped[-1] + 1):
            weight = weights[f"conv{number}.weight"].float()
            out, into, side, _ = weight.shape
            strides, paddings = architecture.strides, architecture.paddings
            layer = nn.Conv2d(into, out, side, strides[number], paddings[number])
            layer.load_state_dict({"weight": weight, "bias": weights[f"conv{number}.bias"].float()})
            self.convolutions.append(layer)
        for place, number in enumerate(self.tapped):
            alike = torch.ones(len(weights[f"conv{number}.bias"]))
            channels = weights.get(f"lin{place}.weight", alike).float().flatten()
            self.register_buffer(f"channels{place}", channels, persistent=False)
        # Input normalization of LPIPS v0.1 for RGB in [-1, 1]; ImageNet's values are for [0, 1].
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        window = torch.hann_window(5, periodic=False)[1:-1]
        blur = torch.outer(window, window) / window.sum() ** 2
        self.register_buffer("blur", blur, persistent=False)
        self.requires_grad_(False)
        self.eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Feature maps of the taps.

        Args:
            image: ``B3HW`` RGB in [-1, 1].
        """
        x = (image - self.shift) / self.scale
        found = []
        for number, layer in enumerate(self.convolutions):
            if number in self.architecture.pooled_before:
                x = self._pooled(x)
            x = layer(x).relu()
            if number in self.tapped:
                found.append(x)
        return found

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pooling == "max":
            return functional.max_pool2d(x, self.architecture.window, 2)
        channels = x.shape[1]
        kernel = self.blur.expand(channels, 1, 3, 3)
        power = functional.conv2d(x.square(), kernel, stride=2, padding=1, groups=channels)
        return (power + 1e-12).sqrt()

    def channel_weights(self) -> list[Tensor]:
        """One vector of channel weights per tap."""
        return [self.get_buffer(f"channels{place}") for place in range(len(self.tapped))]


def load_trunk(
    path: str | os.PathLike[str],
    taps: int = 5,
    only: Architecture | None = None,
    weighting: Literal["lpips", "plain"] = "lpips",
    pooling: Pooling = "max",
) -> Trunk:
    """Load a trunk from a weights file.

    Args:
        path: An ``.npz`` of arrays named as in `Trunk`, or torchvision's file of AlexNet or VGG-16
            (``features.N.weight``).
        taps: Number of feature maps.
        only: Accept weights of this architecture only.
        weighting: Channel weights: ``lpips``, from the file or, if it has none, from torchmetrics,
            which includes them for both networks; ``plain`` for equal weights.
        pooling: See `Trunk`.

    Raises:
        WeightsError: If the file has other content.
    """
    name = Path(path).name
    try:
        stored = _read(path)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, zipfile.BadZipFile) as why:
        reason = " ".join(str(why).split())[:200]
        raise WeightsError(
            f"{name}: not a file of weights ({reason})", code="weights.file"
        ) from None
    weights = stored if isinstance(stored, dict) else {}
    architecture, found = _named(weights, taps)
    if architecture is None or only not in (None, architecture):
        expected = "AlexNet or VGG-16" if only is None else only.name
        raise WeightsError(
            f"expected the convolutions of {expected}, with torchvision's names "
            f"(features.0.weight ...) or as conv0.weight ..., got {name}, which holds other things",
            code="weights.classifier",
        )
    channels = {key: value for key, value in found.items() if key.startswith("lin")}
    found = {key: value for key, value in found.items() if key not in channels}
    if weighting == "lpips":
        found |= channels or _published_channels(architecture, found)
    return Trunk(architecture, found, taps, pooling)


def _published_channels(
    architecture: Architecture, convolutions: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the matching channel weights of LPIPS v0.1; none for networks of other widths."""
    package = find_spec("torchmetrics")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / "functional" / "image" / "lpips_models"
    file = folder / ("alex.pth" if architecture is ALEXNET else "vgg.pth")
    stored = torch.load(file, map_location="cpu", weights_only=True)
    found = {f"lin{place}.weight": stored[f"lin{place}.model.1.weight"] for place in range(5)}
    widths = {
        f"lin{place}.weight": len(convolutions.get(f"conv{number}.bias", ()))
        for place, number in enumerate(architecture.taps)
    }
    return {name: value for name, value in found.items() if value.numel() == widths[name]}


def _read(path: str | os.PathLike[str]) -> object:
    if Path(path).suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    return torch.load(path, map_location="cpu", weights_only=True)


def _named(stored: dict[str, Tensor], taps: int) -> tuple[Architecture | None, dict[str, Tensor]]:
    """Return the architecture (None if unknown) and the weights of a file, by our names."""
    for architecture in (ALEXNET, VGG16):
        numbers = range(architecture.taps[taps - 1] + 1)
        for names in (
            {n: f"conv{n}" for n in numbers},
            {n: f"features.{architecture.places[n]}" for n in numbers},
        ):
            sides = [stored.get(f"{name}.weight", torch.zeros(())) for name in names.values()]
            biases = [stored.get(f"{name}.bias", torch.zeros(())) for name in names.values()]
            fits = all(
                w.ndim == 4 and b.shape == w.shape[:1] for w, b in zip(sides, biases, strict=True)
            )
            if not fits or (sides[0].shape[-1] == 11) != (architecture is ALEXNET):
                continue
            found = {key: value for key, value in stored.items() if key.startswith("lin")}
            for number, name in names.items():
                found[f"conv{number}.weight"] = stored[f"{name}.weight"]
                found[f"conv{number}.bias"] = stored[f"{name}.bias"]
            return architecture, found
    return None, {}
