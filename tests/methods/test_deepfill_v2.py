from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network

TINY = DeepFillV2Config(width=4, channel_order="rgb")


def count(network, prefix=""):
    return sum(p.numel() for name, p in network.named_parameters() if name.startswith(prefix))


def example(height=64, width=48, batch=1, seed=0):
    dice = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=dice) * 2 - 1
    mask = torch.zeros(batch, 1, height, width)
    mask[..., 8:24, 16:30] = 1
    return image, mask


def loud(config, seed=0):
    """A random network whose outputs depend on everything: fresh weights are too quiet."""
    torch.manual_seed(seed)
    network = DeepFillV2Network(config)
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.25 if parameter.ndim > 1 else 0.1)
    return network


def test_parameter_counts():
    network = DeepFillV2Network(DeepFillV2Config())
    assert count(network) == 4_052_478
    assert count(network, "conv") == 1_631_151
    assert count(network) - count(network, "conv") == 2_421_327
    assert count(DeepFillV2Network(DeepFillV2Config(guided=True))) == 4_053_678
    assert 0.95e6 < count(DeepFillV2Network(DeepFillV2Config.compact())) < 1.05e6


@pytest.mark.parametrize("guided", [True, False])
def test_without_refinement_the_frame_is_that_of_the_coarse_network(guided):
    image, mask = example()
    sketch = (mask * (image[:, :1] > 0)) if guided else None
    whole = loud(replace(TINY, guided=guided))
    alone = DeepFillV2Network(replace(TINY, guided=guided, refinement=False))
    assert count(alone) == count(whole, "conv")
    kept = {name: value for name, value in whole.state_dict().items() if name.startswith("conv")}
    alone.load_state_dict(kept)
    with torch.inference_mode():
        frame = alone(image, mask, sketch)
        assert torch.equal(frame, whole(image, mask, sketch).coarse)
    assert frame.std() > 0.1


@pytest.mark.parametrize("kind", ["gated", "single_gate", "partial", "vanilla"])
@pytest.mark.parametrize("padding", ["same", "symmetric", "reflect"])
def test_every_kind_and_padding_fills_and_learns(kind, padding):
    network = DeepFillV2Network(replace(TINY, kind=kind, padding=padding))
    image, mask = example(24, 32)  # at dilation 16, padding is wider than the maps
    stages = network(image, mask)
    assert stages.coarse.shape == stages.refined.shape == image.shape
    stages.refined.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(
    "change",
    [
        {"padding": "symmetric"},
        {"fuse": False},
        {"resizing": "floor"},
        {"mask_steps": 1},
        {"output": "clip"},
    ],
)
def test_each_convention_matters(change):
    image, mask = example(88, 88)
    # Thin lines, of which two steps of resizing keep others than one.
    mask[..., ::7] = 1
    network = loud(TINY)
    other = DeepFillV2Network(replace(TINY, **change))
    other.load_state_dict(network.state_dict())
    with torch.inference_mode():
        difference = network(image, mask).refined - other(image, mask).refined
    assert difference.abs().max() > 1e-4


def test_what_stands_in_the_hole_is_ignored():
    image, mask = example()
    network = loud(TINY)
    with torch.inference_mode():
        first = network(image, mask)
        second = network(image + mask * torch.randn_like(image), mask)
    assert torch.equal(first.coarse, second.coarse)
    assert torch.equal(first.refined, second.refined)


def test_only_the_sketch_inside_the_hole_matters():
    image, mask = example()
    network = loud(replace(TINY, guided=True))
    lines = (torch.rand_like(mask) < 0.2).float()
    with torch.inference_mode():
        without = network(image, mask)
        outside = network(image, mask, lines * (1 - mask))
        inside = network(image, mask, lines)
    assert torch.equal(without.refined, outside.refined)
    assert not torch.equal(without.coarse, inside.coarse)


def test_a_batch_of_two_masks_equals_two_single_runs():
    image, mask = example(batch=2)
    mask[1] = mask[1].roll((20, 9), dims=(1, 2))
    network = loud(TINY)
    with torch.inference_mode():
        both = network(image, mask)
        for i in (0, 1):
            one = network(image[i : i + 1], mask[i : i + 1])
            torch.testing.assert_close(both.refined[i : i + 1], one.refined, atol=1e-4, rtol=1e-3)
            assert torch.equal(both.attention.offsets[i : i + 1], one.attention.offsets)


def test_sides_that_do_not_fit_are_refused():
    image, mask = example(64, 44)
    with pytest.raises(ValueError, match="multiples of 8, got 44 x 64"):
        DeepFillV2Network(TINY)(image, mask)
