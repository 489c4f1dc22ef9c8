"""Global & Local: consistent image completion (Iizuka et al., SIGGRAPH 2017)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gatefill.methods.base import Fill, Image, Mask
from gatefill.methods.network import Frames, NetworkMethod, untrained
from gatefill.methods.registry import METHODS
from gatefill.settings import check_fields


@dataclass(frozen=True)
class GlobalLocalConfig:
    """What a Global & Local completion network is. The default is the published network."""

    width: int = 64  # channels of the first layer; deeper ones have 2 and 4 times
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # of the training images, fills the hole
    # After the network, Telea's fast marching, then Poisson blending; weights are the same.
    finish: bool = field(default=True, compare=False)
    channel_order: Literal["bgr", "rgb"] = "rgb"  # of the network and of `mean`

    def __post_init__(self) -> None:
        check_fields(self, width=(2, 1024), mean=(0, 1))

    @classmethod
    def compact(cls) -> GlobalLocalConfig:
        """Half the width, a quarter of the parameters."""
        return cls(width=32)


def _block(
    channels: int, width: int, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Module:
    """Convolution, batch normalisation, ReLU."""
    padding = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, padding, dilation),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def _doubling(channels: int, width: int) -> nn.Module:
    """Deconvolution to twice the size, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(channels, width, 4, 2, 1), nn.BatchNorm2d(width), nn.ReLU()
    )


class GlobalLocalNetwork(nn.Module):
    """The completion network of table 1."""

    multiple = 4  # sides must be multiples of this
    mean: Tensor

    def __init__(self, config: GlobalLocalConfig) -> None:
        super().__init__()
        self.config = config
        one, two, four = config.width, 2 * config.width, 4 * config.width
        self.encoder = nn.Sequential(
            _block(4, one, kernel=5),
            _block(one, two, stride=2),
            _block(two, two),
            _block(two, four, stride=2),
            _block(four, four),
            _block(four, four),
        )
        self.dilated = nn.Sequential(*(_block(four, four, dilation=d) for d in (2, 4, 8, 16)))
        self.decoder = nn.Sequential(
            _block(four, four),
            _block(four, four),
            _doubling(four, two),
            _block(two, two),
            _doubling(two, one),
            _block(one, one // 2),
            nn.Conv2d(one // 2, 3, 3, 1, 1),
        )
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the holes.

        image: ``B3HW`` in [-1, 1], H and W multiples of 4; what stands in the hole is ignored.
        mask: ``B1HW``, 1 = hole, one per sample. Returns ``B3HW`` in [-1, 1], the whole frame.
        """
        # The network itself works in [0, 1], as the paper's does.
        filled = (image + 1.0) / 2.0 * (1.0 - mask) + self.mean * mask
        x = self.encoder(torch.cat([filled, mask], dim=1))
        x = self.decoder(self.dilated(x))
        return torch.sigmoid(x) * 2.0 - 1.0


class GlobalLocal(NetworkMethod):
    """Global & Local as a method. Without a network it has random weights and makes noise."""

    def __init__(
        self,
        config: GlobalLocalConfig | None = None,
        network: GlobalLocalNetwork | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        info = METHODS["global_local"]
        if network is None:
            start = config or GlobalLocalConfig()
            network = untrained(lambda: GlobalLocalNetwork(start), info.title)
        self.config = network.config
        super().__init__(info, network, self.config.channel_order, device, dtype)

    def _finish(self, found: Fill, image: Image, mask: Mask) -> Fill:
        """Once finished, the network's own frame is `coarse`."""
        if not self.config.finish:
            return found
        return replace(found, image=finish(found.image, image, mask), coarse=found.image)

    def _run(self, image: Tensor, mask: Tensor, sketch: Tensor | None) -> Frames:
        assert sketch is None
        return Frames(self.network(image, mask))


def finish(filled: Image, image: Image, mask: Mask) -> Image:
    """Blend a fill into its photo, as section 4.4 of the paper does.

    filled, image: ``HW3`` float32 in [0, 1]. mask: ``HW`` bool, True = hole. Fast marching (Telea,
    radius 1) fills the hole from the photo, then Poisson blending lays the gradients of `filled`
    over it. Both come from OpenCV and work on 8 bits. Returns the whole frame in [0, 1].
    """
    # Blending shifts a hole that touches the frame's border, so a rim is added around the frame.
    rim = 2
    photo, patch = (
        np.pad(_bytes(frame), ((rim, rim), (rim, rim), (0, 0)), mode="edge")
        for frame in (image, filled)
    )
    # Beside a hole the rim is as unknown as the hole; fast marching continues into it.
    unknown = np.pad(mask, rim, mode="edge").astype(np.uint8) * 255
    # At the frame's edge it reads pixels that it should not, so the hole shows the fill.
    result = np.where(unknown[..., None] > 0, patch, photo)
    result = cv2.inpaint(result, unknown, 1, cv2.INPAINT_TELEA)

    # The blend starts one pixel inside the hole, and fails on holes that have no such pixel.
    hole = np.pad(mask, rim).astype(np.uint8) * 255
    if cv2.erode(hole, np.ones((3, 3), np.uint8)).any():
        left, top, width, height = cv2.boundingRect(hole)
        centre = (left + width // 2, top + height // 2)
        result = cv2.seamlessClone(patch, result, hole, centre, cv2.NORMAL_CLONE)
    inside: Image = result[rim:-rim, rim:-rim].astype(np.float32) / np.float32(255.0)
    return inside


def _bytes(frame: Image) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.rint(frame * 255.0).clip(0, 255).astype(np.uint8)
    return pixels
