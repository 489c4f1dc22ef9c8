"""The layers of both DeepFill papers: a coarse network, and a refinement of two branches.

Tables of layers: arXiv 1806.03589, figure 3, and the released code. The layers have the names of
the official variables, so that weights can be mapped by name: ``conv`` is the coarse network; in
the refinement ``xconv`` is the branch without attention, ``pmconv`` ("patch matching") the branch
with attention, and ``allconv`` the decoder of both.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

from torch import Tensor, nn

from gatefill.errors import ConfigError
from gatefill.layers.contextual_attention import Attended, ContextualAttention
from gatefill.layers.gated import ConvKind, Convolution
from gatefill.layers.padding import Padding, Resizing
from gatefill.layers.partial import Masked

MULTIPLE = 8  # sides must be multiples of this


class Stages(NamedTuple):
    """Outputs of a two-stage network: whole frames in [-1, 1], before compositing."""

    coarse: Tensor  # B3HW
    refined: Tensor  # B3HW
    attention: Attended  # on the grid of 8x8 pixels


class TwoStageNetwork(nn.Module):
    """The layers, and the four chains they form; a subclass defines how they are connected."""

    multiple = MULTIPLE

    def __init__(
        self,
        *,
        width: int,
        coarse_channels: int,
        refinement_channels: int,
        kind: ConvKind,
        padding: Padding,
        fuse: bool,
        resizing: Resizing,
        mask_steps: Literal[1, 2],
        match_activation: Literal["relu", "elu"],
        exclude: bool,
        even: bool,
        decoder_width: int | None = None,
        gated_output: bool = False,
        refinement: bool = True,
    ) -> None:
        """Create the layers; arguments not described here are fields of the configs.

        Args:
            width: Channels of the first layer.
            coarse_channels: Input channels of the coarse network.
            refinement_channels: Input channels of the refinement network.
            refinement: Whether there is a refinement network.
        """
        super().__init__()
        self.kind = kind
        conv = partial(Convolution, kind=kind, padding=padding)
        to_rgb = partial(conv, activation="none", always_gated=gated_output)
        c, d = width, decoder_width or width

        # coarse network
        self.conv1 = conv(coarse_channels, c, 5)
        self.conv2_downsample = conv(c, 2 * c, stride=2)
        self.conv3 = conv(2 * c, 2 * c)
        self.conv4_downsample = conv(2 * c, 4 * c, stride=2)
        self.conv5 = conv(4 * c, 4 * c)
        self.conv6 = conv(4 * c, 4 * c)
        self.conv7_atrous = conv(4 * c, 4 * c, dilation=2)
        self.conv8_atrous = conv(4 * c, 4 * c, dilation=4)
        self.conv9_atrous = conv(4 * c, 4 * c, dilation=8)
        self.conv10_atrous = conv(4 * c, 4 * c, dilation=16)
        self.conv11 = conv(4 * c, 4 * c)
        self.conv12 = conv(4 * c, 4 * c)
        self.conv13_upsample = conv(4 * c, 2 * c, upsample=True)
        self.conv14 = conv(2 * c, 2 * c)
        self.conv15_upsample = conv(2 * c, c, upsample=True)
        self.conv16 = conv(c, c // 2)
        self.conv17 = to_rgb(c // 2, 3)
        if not refinement:
            return

        # refinement network: the branch that hallucinates
        self.xconv1 = conv(refinement_channels, c, 5)
        self.xconv2_downsample = conv(c, c, stride=2)
        self.xconv3 = conv(c, 2 * c)
        self.xconv4_downsample = conv(2 * c, 2 * c, stride=2)
        self.xconv5 = conv(2 * c, 4 * c)
        self.xconv6 = conv(4 * c, 4 * c)
        self.xconv7_atrous = conv(4 * c, 4 * c, dilation=2)
        self.xconv8_atrous = conv(4 * c, 4 * c, dilation=4)
        self.xconv9_atrous = conv(4 * c, 4 * c, dilation=8)
        self.xconv10_atrous = conv(4 * c, 4 * c, dilation=16)

        # refinement network: the branch that matches patches
        self.pmconv1 = conv(refinement_channels, c, 5)
        self.pmconv2_downsample = conv(c, c, stride=2)
        self.pmconv3 = conv(c, 2 * c)
        self.pmconv4_downsample = conv(2 * c, 4 * c, stride=2)
        self.pmconv5 = conv(4 * c, 4 * c)
        self.pmconv6 = conv(4 * c, 4 * c, activation=match_activation)
        self.attention = ContextualAttention(
            fuse=fuse, resizing=resizing, mask_steps=mask_steps, exclude=exclude, even=even
        )
        self.pmconv9 = conv(4 * c, 4 * c)
        self.pmconv10 = conv(4 * c, 4 * c)

        # decoder of both branches
        self.allconv11 = conv(8 * c, 4 * d)
        self.allconv12 = conv(4 * d, 4 * d)
        self.allconv13_upsample = conv(4 * d, 2 * d, upsample=True)
        self.allconv14 = conv(2 * d, 2 * d)
        self.allconv15_upsample = conv(2 * d, d, upsample=True)
        self.allconv16 = conv(d, d // 2)
        self.allconv17 = to_rgb(d // 2, 3)

    def coarse(self, x: Tensor, known: Tensor) -> Tensor:
        """Run the coarse network without output activation; known: for partial convolutions."""
        if self.kind == "partial":
            x = Masked(x, known)  # type: ignore[assignment]  # the layers pass it on
        x = self.conv1(x)
        x = self.conv2_downsample(x)
        x = self.conv3(x)
        x = self.conv4_downsample(x)
        x = self.conv5(x)
        x = self.conv6(x)
        x = self.conv7_atrous(x)
        x = self.conv8_atrous(x)
        x = self.conv9_atrous(x)
        x = self.conv10_atrous(x)
        x = self.conv11(x)
        x = self.conv12(x)
        x = self.conv13_upsample(x)
        x = self.conv14(x)
        x = self.conv15_upsample(x)
        x = self.conv16(x)
        x = self.conv17(x)
        return x[0] if self.kind == "partial" else x

    def hallucinate(self, x: Tensor) -> Tensor:
        """Run the branch without attention: four dilated layers enlarge the receptive field."""
        x = self.xconv1(x)
        x = self.xconv2_downsample(x)
        x = self.xconv3(x)
        x = self.xconv4_downsample(x)
        x = self.xconv5(x)
        x = self.xconv6(x)
        x = self.xconv7_atrous(x)
        x = self.xconv8_atrous(x)
        x = self.xconv9_atrous(x)
        return self.xconv10_atrous(x)  # type: ignore[no-any-return]

    def match(self, x: Tensor) -> Tensor:
        """Compute the features whose patches contextual attention compares."""
        x = self.pmconv1(x)
        x = self.pmconv2_downsample(x)
        x = self.pmconv3(x)
        x = self.pmconv4_downsample(x)
        x = self.pmconv5(x)
        return self.pmconv6(x)  # type: ignore[no-any-return]

    def decode(self, x: Tensor) -> Tensor:
        """Decode both branches, concatenated, to a frame, up to the output activation."""
        x = self.allconv11(x)
        x = self.allconv12(x)
        x = self.allconv13_upsample(x)
        x = self.allconv14(x)
        x = self.allconv15_upsample(x)
        x = self.allconv16(x)
        return self.allconv17(x)  # type: ignore[no-any-return]


def expect_multiples(image: Tensor) -> None:
    """Raise ConfigError for a frame ``B3HW`` with a side that is not a multiple of 8."""
    height, width = image.shape[-2:]
    if height % MULTIPLE or width % MULTIPLE:
        raise ConfigError(
            f"expected sides that are multiples of {MULTIPLE}, got {width} x {height}",
            code="network.sides",
            multiple=MULTIPLE,
        )
