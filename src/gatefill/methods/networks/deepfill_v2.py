"""DeepFill v2: free-form image inpainting with gated convolution (Yu et al., arXiv 1806.03589)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from gatefill.layers.contextual_attention import Attended, ContextualAttention
from gatefill.layers.gated import Activation, ConvKind, Convolution
from gatefill.layers.padding import Padding, Resizing, resize_nearest
from gatefill.methods.base import Fill, Image, Mask
from gatefill.methods.network import PLACES, Frames, NetworkMethod, untrained
from gatefill.methods.registry import METHODS
from gatefill.methods.rim import even_miss
from gatefill.methods.window import Window, around, everywhere
from gatefill.settings import check_fields


@dataclass(frozen=True)
class DeepFillV2Config:
    """What a DeepFill v2 network is. The default is the published network, 4,052,478 parameters.

    Official, ported and own weights differ in these fields only.
    """

    width: int = 24  # channels of the first layer after the gate; deeper ones have 2 and 4 times
    kind: ConvKind = "gated"
    guided: bool = False  # a sketch is an input channel
    padding: Padding = "same"
    fuse: bool = True  # attention prefers matches whose neighbours match too
    resizing: Resizing = "aligned"  # which pixels attention keeps where it halves maps
    mask_steps: Literal[1, 2] = 2  # to 1/8 at once, or to 1/4 and then to 1/2 as the original
    refinement_mask: bool = False  # the refinement net also sees ones and mask, as in DeepFill v1
    output: Literal["tanh", "clip"] = "tanh"
    channel_order: Literal["bgr", "rgb"] = "bgr"
    # After the network, even out the step of colour at the hole's rim; weights are the same.
    finish: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        check_fields(self, width=(2, 1024))

    @classmethod
    def compact(cls) -> DeepFillV2Config:
        """Half the width, a quarter of the parameters: about one million, RGB, with a finish."""
        return cls(width=12, channel_order="rgb", finish=True)


class Stages(NamedTuple):
    """What a two-stage network returns: whole frames in [-1, 1], before compositing."""

    coarse: Tensor  # B3HW
    refined: Tensor  # B3HW
    attention: Attended  # on the grid of 8x8 pixels


class LayerRow(NamedTuple):
    """A row of the paper's table of layers."""

    name: str
    halves: int  # width in halves of the config's: 2 is the first layer's, 0 stands for RGB
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    upsample: bool = False
    activation: Activation = "elu"


def _encoder(prefix: str, widths: tuple[int, int, int, int, int]) -> list[LayerRow]:
    """The first five layers of a branch, down to a quarter of the size."""
    return [
        LayerRow(f"{prefix}conv1", widths[0], kernel=5),
        LayerRow(f"{prefix}conv2_downsample", widths[1], stride=2),
        LayerRow(f"{prefix}conv3", widths[2]),
        LayerRow(f"{prefix}conv4_downsample", widths[3], stride=2),
        LayerRow(f"{prefix}conv5", widths[4]),
    ]


def _dilated(prefix: str) -> list[LayerRow]:
    """Five layers that look further and further."""
    rates = {7: 2, 8: 4, 9: 8, 10: 16}
    atrous = [LayerRow(f"{prefix}conv{i}_atrous", 8, dilation=rate) for i, rate in rates.items()]
    return [LayerRow(f"{prefix}conv6", 8), *atrous]


def _decoder(prefix: str) -> list[LayerRow]:
    """The last seven layers of a stage, back to the full size."""
    return [
        LayerRow(f"{prefix}conv11", 8),
        LayerRow(f"{prefix}conv12", 8),
        LayerRow(f"{prefix}conv13_upsample", 4, upsample=True),
        LayerRow(f"{prefix}conv14", 4),
        LayerRow(f"{prefix}conv15_upsample", 2, upsample=True),
        LayerRow(f"{prefix}conv16", 1),
        LayerRow(f"{prefix}conv17", 0, activation="none"),
    ]


# The names are those of the official variables, so that maps of weights are mechanical.
COARSE_ENCODER = [*_encoder("", (2, 4, 4, 8, 8)), *_dilated("")]
COARSE_DECODER = _decoder("")
HALLUCINATION = [*_encoder("x", (2, 2, 4, 4, 8)), *_dilated("x")]
MATCHING = [*_encoder("pm", (2, 2, 4, 8, 8)), LayerRow("pmconv6", 8, activation="relu")]
ATTENDED = [LayerRow("pmconv9", 8), LayerRow("pmconv10", 8)]
DECODER = _decoder("all")


class DeepFillV2Network(nn.Module):
    """Coarse and refinement network of figure 3; the layers carry the official names."""

    multiple = 8  # sides must be multiples of this

    def __init__(self, config: DeepFillV2Config) -> None:
        super().__init__()
        self.config = config
        deep = 4 * config.width
        self._add([*COARSE_ENCODER, *COARSE_DECODER], 6 if config.guided else 5)
        seen = 5 if config.refinement_mask else 3
        self._add(HALLUCINATION, seen)
        self._add(MATCHING, seen)
        self.attention = ContextualAttention(fuse=config.fuse, resizing=config.resizing)
        self._add(ATTENDED, deep)
        self._add(DECODER, 2 * deep)

    def forward(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        places: int = 0,
        near_hole: bool = False,
    ) -> Stages:
        """Fill the holes.

        image: ``B3HW`` in [-1, 1], the channels in the config's order; H and W multiples of 8; what
        stands in the hole is ignored. mask: ``B1HW``, 1 = hole, one per sample. sketch: ``B1HW``,
        1 = edge, only for a guided network. places: how many sources attention reports per cell.
        near_hole: compute only what the holes' pixels depend on. They come out the same; far from
        the holes, the frames show the image and attention is 0.
        """
        height, width = image.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(f"expected sides that are multiples of 8, got {width} x {height}")

        # inputs
        ones = torch.ones_like(mask)
        masked = image * (1.0 - mask)
        carries_mask = self.config.kind == "partial"
        drawing = [self._drawing(sketch, mask)] if self.config.guided else []
        window = around(mask) if near_hole else everywhere(mask)

        # coarse network
        x = torch.cat([masked, *drawing, ones, mask], dim=1)
        x, known = self._run(COARSE_ENCODER, x, 1.0 - mask if carries_mask else None)
        x, _ = self._run(COARSE_DECODER, x, known, window)
        coarse = window.paste(self._output(x), masked)

        # refinement network: two branches see the coarse result in the hole
        pasted = coarse * mask + masked
        if self.config.refinement_mask:
            pasted = torch.cat([pasted, ones, mask], dim=1)
        everything = ones if carries_mask else None
        hallucinated, known = self._run(HALLUCINATION, pasted, everything)

        matched, _ = self._run(MATCHING, pasted, everything)
        attention = self.attention(matched, self._hole(mask), places, window.slices(8))
        attended, known = self._run(ATTENDED, attention.features, known, window)

        # decoder
        x = torch.cat([window.cut(hallucinated, 4), attended], dim=1)
        x, _ = self._run(DECODER, x, known)
        return Stages(coarse, window.paste(self._output(x), masked), attention)

    def _add(self, rows: list[LayerRow], channels: int) -> None:
        """Create the layers of a branch, the first of which takes `channels` channels."""
        config = self.config
        for row in rows:
            width = row.halves * config.width // 2 or 3
            layer = Convolution(
                channels,
                width,
                row.kernel,
                stride=row.stride,
                dilation=row.dilation,
                upsample=row.upsample,
                activation=row.activation,
                kind=config.kind,
                padding=config.padding,
            )
            self.add_module(row.name, layer)
            channels = width

    def _run(
        self, rows: list[LayerRow], x: Tensor, known: Tensor | None, window: Window | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The layers of a branch one after the other, on a window of quarter-size maps if given.

        Only partial convolutions carry the mask of what is `known`.
        """
        if window is not None:
            x = window.cut(x, 4)
            known = None if known is None else window.cut(known, 4)
        for row in rows:
            x, known = self.get_submodule(row.name)(x, known)
        return x, known

    def _output(self, x: Tensor) -> Tensor:
        return torch.tanh(x) if self.config.output == "tanh" else x.clamp(-1.0, 1.0)

    def _drawing(self, sketch: Tensor | None, mask: Tensor) -> Tensor:
        """The sketch inside the hole; none at all means no edges."""
        return torch.zeros_like(mask) if sketch is None else sketch * mask

    def _hole(self, mask: Tensor) -> Tensor:
        """The mask at an eighth of the size, where attention matches."""
        height, width = mask.shape[-2:]
        if self.config.mask_steps == 2:
            # As the original: two steps keep other pixels than one.
            mask = resize_nearest(mask, height // 4, width // 4, self.config.resizing)
        return resize_nearest(mask, height // 8, width // 8, self.config.resizing)


class DeepFillV2(NetworkMethod):
    """DeepFill v2 as a method. Without a network it has random weights and makes noise."""

    def __init__(
        self,
        config: DeepFillV2Config | None = None,
        network: DeepFillV2Network | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        info = METHODS["deepfill_v2"]
        if network is None:
            start = config or DeepFillV2Config()
            network = untrained(lambda: DeepFillV2Network(start), info.title)
        self.config = network.config
        info = replace(info, takes_sketch=self.config.guided)
        super().__init__(info, network, self.config.channel_order, device, dtype)

    def _finish(self, found: Fill, image: Image, mask: Mask) -> Fill:
        if not self.config.finish:
            return found
        return replace(found, image=even_miss(found.image, image, mask))

    def _run(self, image: Tensor, mask: Tensor, sketch: Tensor | None) -> Frames:
        stages: Stages = self.network(image, mask, sketch, PLACES, near_hole=True)
        return Frames(stages.refined, stages.coarse, stages.attention)
