"""DeepFill v1: inpainting with contextual attention (Yu et al., CVPR 2018, arXiv 1801.07892)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gatefill.layers.padding import Padding, Resizing
from gatefill.methods.network import PLACES, Frames, NetworkMethod, untrained
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network, Stages
from gatefill.methods.registry import METHODS
from gatefill.settings import check_fields


@dataclass(frozen=True)
class DeepFillV1Config:
    """What a DeepFill v1 network is. The default is the released network, 3,601,542 parameters."""

    width: int = 32  # channels of the first layer; deeper ones have 2 and 4 times
    padding: Padding = "same"
    fuse: bool = True  # attention prefers matches whose neighbours match too
    resizing: Resizing = "aligned"  # which pixels attention keeps where it halves maps
    mask_steps: Literal[1, 2] = 2  # to 1/8 at once, or to 1/4 and then to 1/2 as the original
    channel_order: Literal["bgr", "rgb"] = "bgr"

    def __post_init__(self) -> None:
        check_fields(self, width=(2, 1024))

    @classmethod
    def compact(cls) -> DeepFillV1Config:
        """Half the width, a quarter of the parameters, RGB."""
        return cls(width=16, channel_order="rgb")

    def as_v2(self) -> DeepFillV2Config:
        """The same network as a case of its successor: no gates, a clipped output, and a
        refinement net that sees the mask."""
        return DeepFillV2Config(
            width=self.width,
            kind="vanilla",
            padding=self.padding,
            fuse=self.fuse,
            resizing=self.resizing,
            mask_steps=self.mask_steps,
            refinement_mask=True,
            output="clip",
            channel_order=self.channel_order,
        )


class DeepFillV1Network(DeepFillV2Network):
    """The two stages of figure 2 and the two branches of figure 4; layers as in DeepFill v2."""

    def __init__(self, config: DeepFillV1Config) -> None:
        super().__init__(config.as_v2())
        self.released = config


class DeepFillV1(NetworkMethod):
    """DeepFill v1 as a method. Without a network it has random weights and makes noise."""

    def __init__(
        self,
        config: DeepFillV1Config | None = None,
        network: DeepFillV1Network | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        info = METHODS["deepfill_v1"]
        if network is None:
            start = config or DeepFillV1Config()
            network = untrained(lambda: DeepFillV1Network(start), info.title)
        self.config = network.released
        super().__init__(info, network, self.config.channel_order, device, dtype)

    def _run(self, image: Tensor, mask: Tensor, sketch: Tensor | None) -> Frames:
        assert sketch is None
        stages: Stages = self.network(image, mask, None, PLACES, near_hole=True)
        return Frames(stages.refined, stages.coarse, stages.attention)
