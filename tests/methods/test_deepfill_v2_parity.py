"""Every forward run of the original code that we have, against the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config
from tests.official import arrays, generator, images_of, masks_of, nhwc, sketches_of

# Two backends of the original differ among themselves by 1.8e-5 and 2.0e-4.
COARSE, REFINED = 5e-5, 5e-4


def check(run, network):
    with torch.inference_mode():
        stages = network(images_of(run), masks_of(run), sketches_of(run))
    coarse, refined = nhwc(stages.coarse)[0], nhwc(stages.refined)[0]
    if "stage1" in run:
        np.testing.assert_allclose(coarse, run["stage1"], atol=COARSE, rtol=0)
    else:
        np.testing.assert_allclose(coarse[::4, ::4], run["stage1_stride4"], atol=COARSE, rtol=0)
    np.testing.assert_allclose(refined, run["stage2"], atol=REFINED, rtol=0)
    np.testing.assert_array_equal(nhwc(stages.attention.offsets)[0], run["attn_offset"])
    return stages


@pytest.mark.parametrize(("name", "guided"), [("tiny", False), ("tiny_guided", True)])
def test_the_tiny_networks(name, guided):
    network = generator(arrays(f"{name}_weights_initial"), DeepFillV2Config(width=4, guided=guided))
    seen = record(network)
    run = arrays(f"{name}_64x80")
    check(run, network)
    for layer, values in seen.items():
        spread = nhwc(values).std(axis=(0, 1, 2))
        mean = nhwc(values).mean(axis=(0, 1, 2))
        np.testing.assert_allclose(mean, run[f"act_mean/{official(layer)}"], atol=2e-6)
        np.testing.assert_allclose(spread, run[f"act_std/{official(layer)}"], atol=2e-6)


def test_all_activations():
    network = generator(arrays("weights_generator"), DeepFillV2Config())
    seen = record(network)
    run = arrays("gen_48x64_activations")
    check(run, network)
    assert len(seen) == 42
    for layer, values in seen.items():
        wanted = run[f"act/{official(layer)}"]
        got = nhwc(values)[0][..., ::4]
        np.testing.assert_allclose(got, wanted, atol=2e-5 * max(1, abs(wanted).max()), rtol=0)


@pytest.mark.parametrize(
    "name", ["gen_256_freeform", pytest.param("gen_512x680_freeform", marks=pytest.mark.slow)]
)
def test_whole_photos(name):
    network = generator(arrays("weights_generator"), DeepFillV2Config())
    run = arrays(name)
    stages = check(run, network)
    strongest = stages.attention.weights[0, 0]
    np.testing.assert_allclose(strongest.numpy(), run["attn_maxprob"], atol=1e-4)
    # The original's script truncates; a value within rounding of a step may fall to either side.
    mask = run["mask_u8"][..., None] > 127.5
    whole = np.where(mask, nhwc(stages.refined)[0], nhwc(images_of(run))[0])
    levels = ((whole + 1) * 127.5).clip(0, 255).astype(np.uint8)[..., ::-1]
    off = abs(levels.astype(int) - run["output_u8_rgb"].astype(int))[mask[..., 0]]
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01


def test_the_guided_network():
    weights = arrays("weights_generator") | arrays("weights_guided_conv1_only")
    check(arrays("guided_256_freeform"), generator(weights, DeepFillV2Config(guided=True)))


def record(network):
    """What each layer puts out, by name, filled at the next run."""
    seen = {}
    for name, layer in network.named_children():
        if name != "attention":
            layer.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, out))
    return seen


def official(layer):
    return f"{layer}_conv" if layer.endswith("upsample") else layer
