"""The gate with a hand-written gradient for training.

Autograd differentiates the two halves of the channels as strided views. With channels last, where a
half is not contiguous, that takes a CPU five times as long as this whole function.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


class Gate(torch.autograd.Function):
    """``elu(features) * sigmoid(gates)``, or with ReLU: ``B2CHW`` -> ``BCHW``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, relu: bool) -> Tensor:
        activation = functional.relu if relu else functional.elu
        if x.is_cuda:
            # In this layout halves are contiguous, and as fast as whole tensors.
            first, second = x.chunk(2, dim=1)
            features, gates = activation(first), torch.sigmoid(second)
        else:
            # Activations are computed for all channels, twice too many, as contiguous tensors are
            # faster.
            features, gates = _halves(activation(x))[0], _halves(torch.sigmoid(x))[1]
        ctx.save_for_backward(features, gates)
        ctx.relu = relu
        return features * gates

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        features, gates = ctx.saved_tensors
        gated = gradient * gates
        # elu' = 1 + min(elu, 0);  sigmoid' = sigmoid (1 - sigmoid)
        if ctx.relu:
            to_features = gated * (features > 0)
        else:
            to_features = torch.addcmul(gated, gated, features.clamp(max=0.0))
        gated = gated * features
        to_gates = torch.addcmul(gated, gated, gates, value=-1.0)
        return torch.cat([to_features, to_gates], dim=1), None


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two halves of the channels, each contiguous in the memory format of `x`."""
    last = x.is_contiguous(memory_format=torch.channels_last)
    order = torch.channels_last if last else torch.contiguous_format
    first, second = x.chunk(2, dim=1)
    return first.contiguous(memory_format=order), second.contiguous(memory_format=order)
