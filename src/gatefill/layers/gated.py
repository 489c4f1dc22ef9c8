"""Gated convolution (arXiv 1806.03589, section 3.1) and the kinds the paper compares it with."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatefill.layers.gate_gradient import Gate
from gatefill.layers.padding import Padding, convolve, upsample_twice
from gatefill.layers.partial import grow_known, partial_convolution

ConvKind = Literal["gated", "single_gate", "partial", "vanilla"]
"""gated: a learned gate per channel and place. single_gate: one gate per place for all channels,
the cheaper form. partial: a hard gate computed from the mask. vanilla: no gate."""

Activation = Literal["elu", "relu", "leaky_relu", "none"]


def activate(x: Tensor, activation: Activation, inplace: bool = False) -> Tensor:
    """ELU, ReLU, LeakyReLU(0.2) or nothing."""
    match activation:
        case "elu":
            return functional.elu(x, inplace=inplace)
        case "relu":
            return functional.relu(x, inplace=inplace)
        case "leaky_relu":
            return functional.leaky_relu(x, 0.2, inplace=inplace)
        case "none":
            return x


def gate(x: Tensor, activation: Activation = "elu", inplace: bool = False) -> Tensor:
    """``phi(features) * sigmoid(gates)``: ``B2CHW`` -> ``BCHW``.

    The first half of the channels are features, the second half their gates. inplace: `x` may be
    overwritten, which saves most of the time on a CPU.
    """
    width = x.shape[1] // 2
    if x.requires_grad and activation in ("elu", "relu"):
        gated: Tensor = Gate.apply(x, activation == "relu")  # type: ignore[no-untyped-call]
        return gated
    if not inplace:
        return activate(x[:, :width], activation) * torch.sigmoid(x[:, width:])
    activate(x[:, :width], activation, inplace=True)
    return functional.glu(x, dim=1)


def gate_together(x: Tensor, activation: Activation = "elu") -> Tensor:
    """One gate for all features of a place: ``B(C+1)HW`` -> ``BCHW``; the last channel gates."""
    return activate(x[:, :-1], activation) * torch.sigmoid(x[:, -1:])


class Convolution(nn.Module):
    """One convolution of any kind, with its activation; a 2x upsampling may stand before it.

    `width` is the number of channels that come out, after the gate. Where `activation` is "none"
    the layer has no gate either: that is how the networks' to-RGB layers are.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        upsample: bool = False,
        activation: Activation = "elu",
        kind: ConvKind = "gated",
        padding: Padding = "same",
    ) -> None:
        super().__init__()
        self.width, self.stride, self.dilation = width, stride, dilation
        self.upsample = upsample
        self.activation: Activation = activation
        self.kind: ConvKind = "vanilla" if activation == "none" and kind != "partial" else kind
        self.padding: Padding = padding
        gates = {"gated": width, "single_gate": 1}.get(self.kind, 0)
        self.weight = nn.Parameter(torch.empty(width + gates, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(width + gates))
        nn.init.xavier_uniform_(self.weight)  # as the original: Glorot, zero bias

    def forward(self, x: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """``BCHW`` -> ``B`` width ceil(H / stride) ceil(W / stride), or 2H 2W when upsampling.

        known: ``B1HW``, 1 = known; only the kind "partial" reads it and returns it updated.
        """
        if self.upsample:
            x = upsample_twice(x)
        if self.kind == "partial":
            if known is None:
                raise ValueError("expected the mask of known pixels for a partial convolution")
            known = grow_known(known) if self.upsample else known
            x, known = partial_convolution(
                x,
                known,
                self.weight,
                self.bias,
                stride=self.stride,
                dilation=self.dilation,
                padding=self.padding,
            )
            return activate(x, self.activation), known

        x = convolve(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            dilation=self.dilation,
            padding=self.padding,
        )
        # Without a gradient nobody else needs the convolution's own result.
        inplace = not x.requires_grad
        match self.kind:
            case "gated":
                return gate(x, self.activation, inplace), known
            case "single_gate":
                return gate_together(x, self.activation), known
            case _:
                return activate(x, self.activation, inplace), known
