from __future__ import annotations

import pytest
import torch

from gatefill.layers.spectral_norm import SpectralNormConv2d, spectral_norm


def test_it_converges_to_the_largest_singular_value():
    weight = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    u = torch.ones(1, 6)
    for _ in range(200):
        normalized, u, sigma = spectral_norm(weight, u)
    assert sigma.item() == pytest.approx(torch.linalg.matrix_norm(weight.flatten(1), 2).item())
    assert torch.linalg.matrix_norm(normalized.flatten(1), 2).item() == pytest.approx(1.0)


def test_u_moves_at_every_call_in_training_and_not():
    layer = SpectralNormConv2d(3, 8)
    x = torch.randn(1, 3, 16, 16)
    before = layer.u.clone()
    layer.train()
    layer(x)
    between = layer.u.clone()
    layer.eval()
    with torch.inference_mode():
        layer(x)
    assert not torch.equal(before, between)
    assert not torch.equal(between, layer.u)
    assert "u" in layer.state_dict()


def test_the_gradient_runs_through_u_and_v():
    weight = torch.randn(4, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    u = torch.randn(1, 4, dtype=torch.float64)
    # Numerical differences know nothing of tensors held constant.
    assert torch.autograd.gradcheck(lambda w: spectral_norm(w, u)[0], weight)


def test_two_calls_before_one_backward_pass():
    layer = SpectralNormConv2d(3, 4)
    x = torch.randn(1, 3, 8, 8)
    (layer(x).sum() + layer(x).sum()).backward()
    assert layer.weight.grad is not None
