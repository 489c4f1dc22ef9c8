"""Spectral normalization as the original DeepFill v2 code does it (Miyato et al., ICLR 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatefill.layers.padding import Padding, convolve


def spectral_norm(weight: Tensor, u: Tensor, eps: float = 1e-12) -> tuple[Tensor, Tensor, Tensor]:
    """Divide `weight` ``O...`` by its largest singular value, estimated by one power iteration.

    u: ``1O``, the estimate of the last call. Returns (weight / sigma, the new u, sigma).
    The gradient runs through u, v and sigma: torch's own spectral norm holds u and v constant,
    which changes the first layer's gradient by five per cent. `eps` is added to each norm.
    """
    matrix = weight.flatten(1)
    v = u @ matrix
    v = v / (v.norm() + eps)
    new_u = v @ matrix.T
    new_u = new_u / (new_u.norm() + eps)
    sigma = (v @ matrix.T @ new_u.T).squeeze()
    return weight / sigma, new_u, sigma


class SpectralNormConv2d(nn.Module):
    """Convolution with a spectrally normalized kernel; u moves at every call, training or not."""

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
