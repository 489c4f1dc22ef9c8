from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from gatefill.layers.gated import Convolution, gate, gate_together


def test_the_first_half_is_the_feature_and_the_second_the_gate():
    x = torch.tensor([2.0, -1.0, 0.0, 3.0]).view(1, 4, 1, 1)
    wanted = [2.0 / 2, (math.exp(-1) - 1) / (1 + math.exp(-3))]
    assert gate(x).flatten().tolist() == pytest.approx(wanted)
    assert gate(x, "relu").flatten().tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("activation", ["elu", "relu", "leaky_relu", "none"])
def test_gating_in_place_changes_nothing(activation):
    x = torch.randn(2, 10, 5, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(gate(x.clone(), activation, inplace=True), gate(x, activation))


def test_one_gate_serves_all_features():
    x = torch.tensor([2.0, -1.0, 3.0]).view(1, 3, 1, 1)
    open_by = 1 / (1 + math.exp(-3))
    wanted = [2.0 * open_by, (math.exp(-1) - 1) * open_by]
    assert gate_together(x).flatten().tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("kind", "outputs"), [("gated", 16), ("single_gate", 9), ("partial", 8), ("vanilla", 8)]
)
def test_kinds_differ_in_parameters_and_agree_in_shape(kind, outputs):
    layer = Convolution(5, 8, 3, stride=2, kind=kind)
    assert layer.weight.shape == (outputs, 5, 3, 3)
    known = torch.ones(2, 1, 9, 6)
    x, _ = layer(torch.randn(2, 5, 9, 6), known)
    assert x.shape == (2, 8, 5, 3)


def test_a_layer_without_activation_has_no_gate():
    assert Convolution(4, 3, activation="none").weight.shape == (3, 4, 3, 3)
    assert Convolution(4, 3, activation="none", kind="single_gate").bias.shape == (3,)


def test_results_with_and_without_gradients_agree():
    layer = Convolution(3, 4, upsample=True)
    x = torch.randn(2, 3, 6, 5)
    with torch.inference_mode():
        fast = layer(x)[0]
    torch.testing.assert_close(fast, layer(x)[0].detach())
    assert fast.shape == (2, 4, 12, 10)


def test_partial_layers_need_and_carry_the_mask():
    layer = Convolution(1, 1, stride=2, kind="partial")
    known = torch.zeros(1, 1, 8, 8)
    known[..., :2] = 1
    _, seen = layer(torch.ones(1, 1, 8, 8), known)
    assert seen[0, 0, 0].tolist() == [1, 0, 0, 0]
    with pytest.raises(ValueError, match="mask of known pixels"):
        layer(torch.ones(1, 1, 8, 8))


@pytest.mark.parametrize("activation", ["elu", "relu"])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_the_gates_own_gradient_is_autograds(activation, memory):
    torch.manual_seed(0)
    x = torch.randn(2, 6, 5, 7, dtype=torch.double).contiguous(memory_format=memory)
    x.requires_grad_()
    phi = functional.elu if activation == "elu" else functional.relu
    expected = phi(x[:, :3]) * torch.sigmoid(x[:, 3:])
    found = gate(x, activation)
    torch.testing.assert_close(found, expected)
    slope = torch.randn_like(expected)
    (wanted,) = torch.autograd.grad(expected, x, slope)
    (got,) = torch.autograd.grad(found, x, slope)
    torch.testing.assert_close(got, wanted)
    assert torch.autograd.gradcheck(lambda y: gate(y, activation), (x,))
