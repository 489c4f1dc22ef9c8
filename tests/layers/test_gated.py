from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from gatefill.layers.gated import Convolution, gate, gate_together
from gatefill.layers.partial import Masked


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
    assert layer(torch.randn(2, 5, 9, 6)).shape == (2, 8, 5, 3)


def test_a_layer_without_activation_has_no_gate():
    assert Convolution(4, 3, activation="none").weight.shape == (3, 4, 3, 3)
    assert Convolution(4, 3, activation="none", kind="single_gate").bias.shape == (3,)


def test_results_with_and_without_gradients_agree():
    layer = Convolution(3, 4, upsample=True)
    x = torch.randn(2, 3, 6, 5)
    with torch.inference_mode():
        fast = layer(x)
    torch.testing.assert_close(fast, layer(x).detach())
    assert fast.shape == (2, 4, 12, 10)


def test_partial_layers_carry_the_mask():
    layer = Convolution(1, 1, stride=2, kind="partial")
    known = torch.zeros(1, 1, 8, 8)
    known[..., :2] = 1
    x = torch.ones(1, 1, 8, 8)
    assert layer(Masked(x, known)).known[0, 0, 0].tolist() == [1, 0, 0, 0]
    # A map without a mask is known everywhere.
    assert torch.equal(layer(x), layer(Masked(x, torch.ones_like(x))).features)


@pytest.mark.parametrize("kind", ["gated", "partial"])
@pytest.mark.parametrize("padding", ["same", "symmetric", "reflect"])
def test_a_part_of_a_map_gives_a_part_of_the_result(kind, padding):
    torch.manual_seed(1)
    layer = Convolution(2, 3, 5, kind=kind, padding=padding)
    x = torch.randn(1, 2, 12, 11)
    # The upper right corner: two pixels more below and to the left, the rule's at the border.
    part = layer(x[:, :, :8, 3:], pads=(0, 2, 2, 0))
    torch.testing.assert_close(part, layer(x)[:, :, :6, 5:])
    # What is too much is cut off.
    part = layer(x[:, :, :, 2:], pads=(-1, 2, 2, 2))
    torch.testing.assert_close(part, layer(x)[:, :, :, 5:])


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
    gradient = torch.randn_like(expected)
    (wanted,) = torch.autograd.grad(expected, x, gradient)
    (got,) = torch.autograd.grad(found, x, gradient)
    torch.testing.assert_close(got, wanted)
    assert torch.autograd.gradcheck(lambda y: gate(y, activation), (x,))
