"""DeepFill v1, partial convolution and Global & Local against literal transcriptions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from gatefill.layers.padding import resize_nearest
from gatefill.methods.blend import blend
from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config, DeepFillV1Network
from gatefill.methods.networks.global_local import GlobalLocalConfig, GlobalLocalNetwork
from gatefill.methods.networks.partial_conv import PartialConvConfig, PartialConvNetwork
from gatefill.training.discriminators import (
    CriticsConfig,
    DeepFillV1Critics,
    GlobalLocalCritic,
    SNPatchGAN,
    SNPatchGANConfig,
)
from tests.layers.literal_attention import literal_attention
from tests.layers.test_partial import slowly


def count(network):
    return sum(p.numel() for p in network.parameters())


def example(height, width):
    dice = torch.Generator().manual_seed(1)
    mask = torch.zeros(1, 1, height, width)
    mask[..., 4:20, 10:25] = 1
    return torch.rand(1, 3, height, width, generator=dice) * 2 - 1, mask


def test_parameter_counts():
    assert count(DeepFillV1Network(DeepFillV1Config())) == 3_601_542
    assert count(PartialConvNetwork(PartialConvConfig())) == 32_859_796
    assert count(GlobalLocalNetwork(GlobalLocalConfig())) == 6_072_131
    assert count(SNPatchGAN(SNPatchGANConfig())) == 5_946_816


@pytest.mark.parametrize(
    ("network", "config"),
    [
        (DeepFillV1Network, DeepFillV1Config),
        (PartialConvNetwork, PartialConvConfig),
        (GlobalLocalNetwork, GlobalLocalConfig),
    ],
)
def test_compact_networks_have_about_a_quarter_of_the_parameters(network, config):
    share = count(network(config.compact())) / count(network(config()))
    assert 0.24 < share < 0.26


def test_deepfill_v1_is_the_papers_chain_of_convolutions():
    torch.manual_seed(0)
    # The random layers amplify rounding a thousandfold, so no float32.
    network = DeepFillV1Network(DeepFillV1Config(width=4)).double()
    for name, value in network.named_parameters():
        value.data.normal_(0, 0.3 if name.endswith("weight") else 0.1)
    image, mask = (plane.double() for plane in example(64, 48))

    def conv(x, name, stride=1, rate=1, phi=functional.elu):
        weight, bias = (network.get_parameter(f"{name}.{part}") for part in ("weight", "bias"))
        pads = []
        for size in (x.shape[3], x.shape[2]):
            reach = (weight.shape[-1] - 1) * rate + 1
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            pads += [total // 2, total - total // 2]
        return phi(functional.conv2d(functional.pad(x, pads), weight, bias, stride, 0, rate))

    def doubled(x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def down(x, p):
        x = conv(conv(x, f"{p}conv1"), f"{p}conv2_downsample", 2)
        return conv(conv(conv(x, f"{p}conv3"), f"{p}conv4_downsample", 2), f"{p}conv5")

    def dilated(x, p):
        x = conv(x, f"{p}conv6")
        for i, rate in ((7, 2), (8, 4), (9, 8), (10, 16)):
            x = conv(x, f"{p}conv{i}_atrous", rate=rate)
        return x

    def up(x, p):
        x = conv(conv(x, f"{p}conv11"), f"{p}conv12")
        x = conv(conv(doubled(x), f"{p}conv13_upsample"), f"{p}conv14")
        x = conv(conv(doubled(x), f"{p}conv15_upsample"), f"{p}conv16")
        return conv(x, f"{p}conv17", phi=lambda y: y).clamp(-1, 1)

    with torch.inference_mode():
        ones = torch.ones_like(mask)
        known = image * (1 - mask)
        coarse = up(dilated(down(torch.cat([known, ones, mask], 1), ""), ""), "")
        x = torch.cat([coarse * mask + known, ones, mask], 1)
        hallucinated = dilated(down(x, "x"), "x")
        matched = conv(down(x, "pm"), "pmconv6", phi=functional.relu)
        quarter = resize_nearest(mask, 16, 12)
        attended, _ = literal_attention(matched, matched, resize_nearest(quarter, 8, 6))
        attended = conv(conv(attended, "pmconv9"), "pmconv10")
        refined = up(torch.cat([hallucinated, attended], 1), "all")
        stages = network(image, mask)
    assert refined.std() > 0.01
    torch.testing.assert_close(stages.coarse, coarse, atol=1e-9, rtol=0)
    torch.testing.assert_close(stages.refined, refined, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("normalization", ["none", "imagenet"])
def test_partial_conv_is_the_papers_u_net(normalization):
    torch.manual_seed(0)
    config = PartialConvConfig(width=3, levels=3, normalization=normalization)
    network = PartialConvNetwork(config).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    image, mask = example(24, 32)

    def block(name, x, known, stride, phi):
        layer = network.get_submodule(name)
        bias = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias.detach().numpy()
        x, seen = slowly(x, known, layer.weight.detach().numpy(), bias, stride)
        if layer.norm is not None:
            mean, var, scale, shift = (
                v.detach().numpy()[:, None, None]
                for v in (
                    layer.norm.running_mean,
                    layer.norm.running_var,
                    layer.norm.weight,
                    layer.norm.bias,
                )
            )
            x = (x - mean) / np.sqrt(var + 1e-5) * scale + shift
        return phi(x), np.broadcast_to(seen, x.shape)

    def doubled(x):
        return x.repeat(2, axis=1).repeat(2, axis=2)

    known = np.broadcast_to(1 - mask[0].numpy(), (3, 24, 32))
    pixels, mean, deviation = image[0].numpy(), 0.0, 1.0
    if normalization == "imagenet":  # of values in [0, 1], as torchvision has them
        mean = np.array([0.485, 0.456, 0.406])[:, None, None]
        deviation = np.array([0.229, 0.224, 0.225])[:, None, None]
        pixels = ((pixels + 1) / 2 - mean) / deviation
    skips = [(pixels * known, known)]
    for level in (1, 2, 3):
        skips.append(block(f"enc{level}", *skips[-1], 2, lambda x: np.maximum(x, 0)))
    x, known = skips.pop()
    for level in (3, 2, 1):
        skip, skip_known = skips.pop()
        x = np.concatenate([doubled(x), skip])
        known = np.concatenate([doubled(known), skip_known])
        leak = 0.2 if level > 1 else 1.0
        x, known = block(
            f"dec{level}", x, known, 1, lambda y, leak=leak: np.where(y > 0, y, leak * y)
        )
    with torch.inference_mode():
        got = network(image, mask)
    if normalization == "imagenet":
        x = (x * deviation + mean) * 2 - 1
    np.testing.assert_allclose(got[0].numpy(), x, atol=1e-4, rtol=1e-4)


@given(st.integers(1, 40), st.integers(2, 40))
def test_partial_conv_takes_any_size(height, width):
    network = PartialConvNetwork(PartialConvConfig(width=2)).eval()
    mask = torch.zeros(1, 1, height, width)
    mask[..., : width // 2] = 1
    with torch.inference_mode():
        assert network(torch.ones(1, 3, height, width), mask).shape == (1, 3, height, width)


def test_partial_conv_names_the_norms_that_fine_tuning_holds():
    network = PartialConvNetwork(PartialConvConfig(width=2))
    assert len(network.encoder_norms()) == 7  # none on the first of eight


def test_global_local_is_the_papers_table():
    network = GlobalLocalNetwork(GlobalLocalConfig(width=8, mean=(0.1, 0.5, 0.9))).eval()
    # kernel, stride, dilation, channels out; negative strides are deconvolutions.
    table = [(5, 1, 1, 8), (3, 2, 1, 16), (3, 1, 1, 16), (3, 2, 1, 32), (3, 1, 1, 32)]
    table += [(3, 1, 1, 32), *((3, 1, d, 32) for d in (2, 4, 8, 16))]
    table += [(3, 1, 1, 32), (3, 1, 1, 32), (4, -2, 1, 16), (3, 1, 1, 16), (4, -2, 1, 8)]
    table += [(3, 1, 1, 4), (3, 1, 1, 3)]
    layers = [
        m for m in network.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d))
    ]
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(layers) == len(table) == len(norms) + 1
    image, mask = example(32, 40)
    mean = torch.tensor([0.1, 0.5, 0.9]).view(1, 3, 1, 1)
    x = torch.cat([(image + 1) / 2 * (1 - mask) + mean * mask, mask], 1)
    with torch.inference_mode():
        for i, (layer, (kernel, stride, rate, width)) in enumerate(zip(layers, table, strict=True)):
            if stride < 0:
                x = functional.conv_transpose2d(x, layer.weight, layer.bias, 2, 1)
            else:
                reach = rate * (kernel - 1) // 2
                x = functional.conv2d(x, layer.weight, layer.bias, stride, reach, rate)
            assert x.shape[1] == width
            if i < len(norms):
                x = functional.relu(norms[i](x))
        got = network(image, mask)
    torch.testing.assert_close(got, torch.sigmoid(x) * 2 - 1, atol=1e-5, rtol=1e-4)


def test_the_finish_keeps_the_fills_gradients_and_the_photos_colors():
    rows, columns = np.mgrid[:60, :80].astype(np.float32)
    photo = np.stack([0.2 + columns / 200, 0.3 + rows / 200, 0.5 + 0 * rows], axis=-1)
    mask = np.zeros((60, 80), dtype=bool)
    mask[20:40, 30:50] = True
    # The right content in the wrong color comes out in the right color.
    finished = blend(photo + np.float32(0.15), np.where(mask[..., None], 9, photo), mask)
    assert abs(finished - photo)[mask].max() < 8 / 255
    # Detail of the fill survives, which fast marching alone would not give.
    dotted = photo.copy()
    dotted[28:32, 38:42] += np.float32(0.3)
    finished = blend(dotted, photo, mask)
    assert (finished - photo)[29:31, 39:41].min() > 0.15


@pytest.mark.parametrize(
    "box",
    [
        np.s_[0:30, 0:30],
        np.s_[30:60, 50:80],
        np.s_[30:60, 0:79],
        np.s_[0:60, 30:41],
        np.s_[10:31, 20:40],
        np.s_[5:6, 7:8],
        np.s_[5:8, 7:9],
    ],
)
def test_the_finish_does_not_shift_a_hole_at_the_border(box):
    dice = np.random.default_rng(0)
    photo = 0.4 + 0.2 * dice.random((60, 80, 3), dtype=np.float32)
    mask = np.zeros((60, 80), dtype=bool)
    mask[box] = True
    finished = blend(photo, photo, mask)
    assert abs(finished - photo)[~mask].max() <= 0.5 / 255 + 1e-6
    # Inside, the steps from pixel to pixel are those of the fill, which has noise for content.
    inside = cv2.erode(np.pad(mask, 1).astype(np.uint8), np.ones((5, 5)))[1:-1, 1:-1] > 0
    if inside.any():
        steps = [np.diff(a, axis=1, prepend=0)[inside].ravel() for a in (finished, photo)]
        assert np.corrcoef(*steps)[0, 1] > 0.8


@given(st.integers(1, 12), st.integers(2, 12), st.integers(0, 2**16))
def test_the_finish_takes_any_size_and_mask(height, width, seed):
    dice = np.random.default_rng(seed)
    photo = dice.random((height, width, 3), dtype=np.float32)
    mask = dice.random((height, width)) < 0.5
    mask[0, 0], mask[-1, -1] = True, False
    finished = blend(1 - photo, photo, mask)
    assert finished.shape == photo.shape
    assert finished.dtype == np.float32


def test_fast_marching_alone_fills_holes_too_thin_to_blend():
    photo = np.full((20, 20, 3), 0.4, dtype=np.float32)
    mask = np.zeros((20, 20), dtype=bool)
    mask[:, 10] = True
    finished = blend(np.ones_like(photo), photo, mask)
    assert abs(finished - 102 / 255).max() < 3 / 255


def test_critics_take_a_frame_and_a_patch():
    config = CriticsConfig(width=4, global_size=(64, 64), local_size=32)
    frame, patch = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 32, 32)
    whole, local = DeepFillV1Critics(config)(frame, patch)
    assert whole.shape == local.shape == (2, 1)
    assert GlobalLocalCritic(config)(frame, patch).shape == (2, 1)
    # The published sizes: dense layers over 16 x 16 x 256 and 8 x 8 x 512, and over 4 x 4 x 512.
    published = DeepFillV1Critics(CriticsConfig())
    assert published.whole.dense.in_features == 16 * 16 * 256
    assert published.local.dense.in_features == 8 * 8 * 512
    joint = GlobalLocalCritic(CriticsConfig())
    dense = [m for m in joint.modules() if isinstance(m, torch.nn.Linear)]
    assert [d.in_features for d in dense] == [4 * 4 * 512, 4 * 4 * 512, 2048]
