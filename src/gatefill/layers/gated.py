"""Gated convolution (arXiv 1806.03589, section 3.1) and the kinds the paper compares it with."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatefill.layers.gate_gradient import Gate
from gatefill.layers.padding import Padding, Pads, convolve, padded, upsample_twice
from gatefill.layers.partial import Masked, partial_convolution

ConvKind = Literal["gated", "single_gate", "partial", "vanilla"]
"""gated: a learned gate per channel and position, with twice the parameters of vanilla at equal
width.
single_gate: one learned gate per position for all channels, the cheaper form. partial: a hard gate
computed from the mask. vanilla: no gate."""

Activation = Literal["elu", "relu", "leaky_relu", "none"]


def activate(x: Tensor, activation: Activation, inplace: bool = False) -> Tensor:
    """Apply ELU, ReLU, LeakyReLU(0.2) or no activation.

    Args:
        x: Any shape.
        activation: The function.
        inplace: Allow overwriting `x`.

    Returns:
        A tensor of the same shape.
    """
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
    """Compute ``phi(features) * sigmoid(gates)``: ``B2CHW`` -> ``BCHW``.

    The first half of the channels are features, the second half their gates.

    Args:
        x: Output of the convolution.
        activation: phi.
        inplace: Allow overwriting `x`, which saves most of the time on a CPU.

    Returns:
        The gated features.
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
    """Gate all features of a position by the last channel: ``B(C+1)HW`` -> ``BCHW``."""
    return activate(x[:, :-1], activation) * torch.sigmoid(x[:, -1:])


class Convolution(nn.Module):
    """One convolution of any kind with its activation, optionally after 2x upsampling.

    `width` is the number of output channels, after the gate; at equal width a gated convolution has
    twice the parameters of a vanilla one. With `activation` "none" the layer has no gate, as in the
    networks' output layers, unless `always_gated`.
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
        always_gated: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.kernel, self.stride, self.dilation = width, kernel, stride, dilation
        self.upsample = upsample
        self.activation: Activation = activation
        plain = activation == "none" and kind != "partial" and not always_gated
        self.kind: ConvKind = "vanilla" if plain else kind
        self.padding: Padding = padding
        gates = {"gated": width, "single_gate": 1}.get(self.kind, 0)
        self.weight = nn.Parameter(torch.empty(width + gates, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(width + gates))
        nn.init.xavier_uniform_(self.weight)  # as in the original: Glorot, zero bias

    def forward(self, x: Tensor | Masked, pads: Pads | None = None) -> Any:
        """Run the layer on a whole map, or on a part of one.

        Args:
            x: ``BCHW``. The kind "partial" also accepts `Masked`; a plain map counts as entirely
                known.
            pads: Number of pixels to pad after upsampling, if `x` is a part of a map.

        Returns:
            ``B`` width ceil(H / stride) ceil(W / stride), or 2H 2W with upsampling; `Masked` if `x`
            is.
        """
        if self.kind == "partial":
            return self._partial(x, pads)
        assert isinstance(x, Tensor)
        x = upsample_twice(x) if self.upsample else x
        if self.kind == "gated" and not torch.is_grad_enabled():
            # Two convolutions give features and gates as contiguous tensors, on which activations
            # are several times as fast as on halves of one tensor.
            stride, dilation, padding = self.stride, self.dilation, self.padding
            x, left = padded(
                x, self.kernel, stride=stride, dilation=dilation, padding=padding, pads=pads
            )
            features, gates = (
                functional.conv2d(x, weight, bias, stride, left, dilation)
                for weight, bias in (
                    (self.weight[: self.width], self.bias[: self.width]),
                    (self.weight[self.width :], self.bias[self.width :]),
                )
            )
            return activate(features, self.activation, inplace=True).mul_(gates.sigmoid_())
        x = convolve(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            dilation=self.dilation,
            padding=self.padding,
            pads=pads,
        )
        # Without a gradient the output of the convolution may be overwritten.
        inplace = not x.requires_grad
        match self.kind:
            case "gated":
                return gate(x, self.activation, inplace)
            case "single_gate":
                return gate_together(x, self.activation)
            case _:
                return activate(x, self.activation, inplace)

    def _partial(self, x: Tensor | Masked, pads: Pads | None) -> Tensor | Masked:
        features, known = x if isinstance(x, tuple) else (x, torch.ones_like(x[:, :1]))
        if self.upsample:
            features, known = upsample_twice(features), upsample_twice(known)
        features, known = partial_convolution(
            features,
            known,
            self.weight,
            self.bias,
            stride=self.stride,
            dilation=self.dilation,
            padding=self.padding,
            pads=pads,
        )
        features = activate(features, self.activation)
        return Masked(features, known) if isinstance(x, tuple) else features
