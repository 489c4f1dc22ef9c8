"""The settings of a comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from gatefill.errors import ConfigError
from gatefill.scales import Large
from gatefill.settings import check_fields


@dataclass(frozen=True)
class CompareConfig:
    """Settings of a comparison."""

    masks: tuple[str, ...] = ("brush", "box", "lama_thick", "center")  # kinds, or folders of masks
    size: int | None = 256  # photos are cropped to their central square and scaled; None: unchanged
    seed: int = 0
    limit: int | None = None  # largest number of photos
    cutouts: Path | None = None  # a folder of images with alpha, for masks of kind "object"
    lpips_weights: Path | None = None  # AlexNet, for LPIPS
    dists_weights: Path | None = None  # alpha and beta, for DISTS, with VGG-16
    vgg_weights: Path | None = None
    fid_weights: Path | None = None  # Inception, for FID
    device: str = "cpu"
    large: Large = "auto"  # how large photos are filled; see `Inpainter`
    save: bool = False  # keep inputs and fills at full size, as PNG

    def __post_init__(self) -> None:
        if (self.dists_weights is None) != (self.vgg_weights is None):
            raise ConfigError(
                "expected the weights of DISTS and of VGG-16 together, got one of them",
                code="compare.dists",
            )
        check_fields(self, size=(16, math.inf), seed=(0, math.inf))
