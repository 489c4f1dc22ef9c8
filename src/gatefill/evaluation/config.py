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
    """What is compared on."""

    masks: tuple[str, ...] = ("brush", "box", "lama_thick", "center")  # kinds, or folders of masks
    size: int | None = 256  # photos' middle squares at this size; None takes them as they are
    seed: int = 0
    limit: int | None = None  # at most so many photos
    cutouts: Path | None = None  # a folder of images with alpha, for masks of kind "object"
    lpips_weights: Path | None = None  # AlexNet; with it LPIPS is measured
    dists_weights: Path | None = None  # alpha and beta; with them and VGG-16, DISTS
    vgg_weights: Path | None = None
    fid_weights: Path | None = None  # Inception; with it FID
    device: str = "cpu"
    large: Large = "auto"  # how photos larger than a method likes are filled; see `Inpainter`
    save: bool = False  # keep inputs and fills at full size, as PNG

    def __post_init__(self) -> None:
        if (self.dists_weights is None) != (self.vgg_weights is None):
            raise ConfigError(
                "expected the weights of DISTS and of VGG-16 together, got one of them",
                code="compare.dists",
            )
        check_fields(self, size=(16, math.inf), seed=(0, math.inf))
