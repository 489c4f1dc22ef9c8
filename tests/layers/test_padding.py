from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from gatefill.layers.padding import (
    convolve,
    pad_amounts,
    resize_nearest,
    same_padding,
    source_indices,
    upsample_twice,
)
from tests.official import arrays

SIZES = st.integers(1, 40)


def test_same_padding_is_asymmetric_on_even_sizes():
    assert same_padding(256, 3, stride=2) == (0, 1)
    assert same_padding(256, 5, stride=2) == (1, 2)
    assert same_padding(255, 3, stride=2) == (1, 1)
    assert same_padding(64, 3, dilation=16) == (16, 16)
    assert same_padding(64, 4, stride=2) == (1, 1)


@pytest.mark.parametrize(("name", "share"), [("half", 2), ("quarter", 4), ("eighth", 8)])
def test_aligned_indices_are_those_of_the_original(name, share):
    table = arrays("resize_nearest_align_corners")
    starts = np.cumsum(table[f"{name}_len"]) - table[f"{name}_len"]
    for size, start, count in zip(table[f"{name}_in"], starts, table[f"{name}_len"], strict=True):
        assert count == size // share
        wanted = table[f"{name}_idx"][start : start + count]
        assert source_indices(int(size), int(count)) == tuple(wanted.tolist())


@pytest.mark.parametrize("size", [256, 512, 680, 1024])
def test_two_steps_to_an_eighth_keep_the_pixels_of_the_original(size):
    wanted = arrays("resize_nearest_align_corners")[f"mask_two_step_{size}"]
    places = torch.arange(float(size)).view(1, 1, 1, -1)
    quarter = resize_nearest(places, 1, size // 4)
    assert resize_nearest(quarter, 1, size // 8).flatten().tolist() == wanted.tolist()


@given(SIZES, SIZES)
def test_doubling_replicates_under_both_rules(height, width):
    x = torch.arange(float(height * width)).view(1, 1, height, width)
    replicated = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.equal(upsample_twice(x), replicated)
    assert torch.equal(resize_nearest(x, 2 * height, 2 * width, "floor"), replicated)
    assert torch.equal(resize_nearest(x, 2 * height, 2 * width, "aligned"), replicated)


def test_floor_takes_every_second_pixel_and_aligned_does_not():
    x = torch.arange(8.0).view(1, 1, 1, 8)
    assert resize_nearest(x, 1, 4, "floor").flatten().tolist() == [0, 2, 4, 6]
    assert resize_nearest(x, 1, 4, "aligned").flatten().tolist() == [0, 2, 5, 7]


@given(
    SIZES,
    SIZES,
    st.sampled_from([1, 3, 5, 7]),
    st.sampled_from([(1, 1), (2, 1), (1, 2), (1, 4)]),
    st.sampled_from(["same", "symmetric"]),
)
def test_convolution_equals_one_on_a_padded_map(height, width, kernel, steps, rule):
    stride, dilation = steps
    generator = torch.Generator().manual_seed(height * 41 + width)
    x = torch.randn(1, 2, height, width, generator=generator)
    weight = torch.randn(3, 2, kernel, kernel, generator=generator)
    top, bottom = pad_amounts(rule, height, kernel, stride, dilation)
    left, right = pad_amounts(rule, width, kernel, stride, dilation)
    padded = functional.pad(x, (left, right, top, bottom))
    wanted = functional.conv2d(padded, weight, None, stride, 0, dilation)
    got = convolve(x, weight, stride=stride, dilation=dilation, padding=rule)
    assert got.shape[-2:] == (-(-height // stride), -(-width // stride))
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    kernel=st.sampled_from([3, 5]),
    dilation=st.integers(1, 16),
)
def test_reflection_goes_to_and_fro_at_any_size(height, width, kernel, dilation):
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(height))
    weight = torch.randn(4, 3, kernel, kernel, generator=torch.Generator().manual_seed(width))
    reach = dilation * (kernel - 1) // 2
    sides = [(0, 0), (0, 0), (reach, reach), (reach, reach)]
    padded = torch.from_numpy(np.pad(x.numpy(), sides, mode="reflect"))
    wanted = functional.conv2d(padded, weight, dilation=dilation)
    got = convolve(x, weight, dilation=dilation, padding="reflect")
    assert got.shape == (2, 4, height, width)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


def test_reflection_mirrors_without_the_edge():
    x = torch.tensor([[[[1.0, 2.0, 3.0]] * 3]])
    left = torch.zeros(1, 1, 3, 3)
    left[0, 0, 1, 0] = 1.0
    assert convolve(x, left, padding="reflect")[0, 0, 0].tolist() == [2.0, 1.0, 2.0]
    assert convolve(x, left, padding="symmetric")[0, 0, 0].tolist() == [0.0, 1.0, 2.0]


def test_indices_of_a_resize_serve_training_after_a_fill_and_after_an_export():
    class Half(torch.nn.Module):
        def forward(self, x):
            return resize_nearest(x, 7, 5)

    x = torch.rand(1, 1, 15, 11)
    torch.export.export(Half(), (x,), strict=False)
    with torch.inference_mode():
        wanted = resize_nearest(x, 7, 5)
    x.requires_grad_()
    found = resize_nearest(x, 7, 5)
    found.sum().backward()
    assert type(found) is torch.Tensor
    assert torch.equal(found, wanted)
    assert x.grad is not None
    assert x.grad.sum() == 35
