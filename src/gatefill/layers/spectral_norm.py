"""Spectral normalization as in the original DeepFill v2 code (Miyato et al., ICLR 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatefill.layers.padding import Padding, convolve


def spectral_norm(weight: Tensor, u: Tensor, eps: float = 1e-12) -> tuple[Tensor, Tensor, Tensor]:
    """Divide `weight` ``O...`` by its largest singular value, estimated by one power iteration.

    The gradient passes through u, v and sigma; torch's own spectral norm treats u and v as
    constant, which changes the gradient of the first layer by five percent.

    Args:
        weight: ``O...``.
        u: ``1O``, the estimate of the previous call.
        eps: Added to each norm.

    Returns:
        weight / sigma, the new u, and sigma.
    """
    matrix = weight.flatten(1)
    v = u @ matrix
    v = v / (v.norm() + eps)
    new_u = v @ matrix.T
    new_u = new_u / (new_u.norm() + eps)
    sigma = (v @ matrix.T @ new_u.T).squeeze()
    return weight / sigma, new_u, sigma


class SpectralNormConv2d(nn.Module):
    """Convolution with a spectrally normalized kernel; every call updates u, in eval mode too."""

    u: Tensor

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int = 5,
        stride: int = 2,
        padding: Padding = "same",
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding: Padding = padding
        self.weight = nn.Parameter(torch.empty(width, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("u", torch.empty(1, width))
        nn.init.xavier_uniform_(self.weight)
        nn.init.trunc_normal_(self.u, std=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """``BCHW`` -> ``B`` width ceil(H / stride) ceil(W / stride)."""
        # A copy, because autograd keeps the old u for the backward pass.
        weight, new_u, _ = spectral_norm(self.weight, self.u.clone())
        with torch.no_grad():
            self.u.copy_(new_u)
        return convolve(x, weight, self.bias, stride=self.stride, padding=self.padding)
