"""The methods that run a network, behind the one interface."""

from __future__ import annotations

import logging
from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatefill.methods.base import composite
from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config
from gatefill.methods.networks.global_local import GlobalLocalConfig
from gatefill.methods.networks.partial_conv import PartialConvConfig
from gatefill.methods.registry import METHODS, create, entry, with_network
from gatefill.runtime.torch import TorchRuntime
from tests.official import arrays, generator
from tests.runtime.test_torch import loud

CONFIGS = {
    "deepfill_v2": DeepFillV2Config(width=2),
    "deepfill_v1": DeepFillV1Config(width=2),
    "partial_conv": PartialConvConfig(width=2),
    "global_local": GlobalLocalConfig(width=4),
}
SMALL = {
    name: with_network(name, loud(entry(name).load("network")(config), seed=4))
    for name, config in CONFIGS.items()
}


def photo(height, width, seed=0):
    dice = np.random.default_rng(seed)
    image = dice.random((height, width, 3), dtype=np.float32)
    mask = dice.random((height, width)) < 0.4
    mask.flat[0], mask.flat[-1] = True, False
    return image, mask


@pytest.mark.parametrize("name", SMALL)
@settings(max_examples=15)
@given(height=st.integers(1, 33), width=st.integers(2, 33), seed=st.integers(0, 2**16))
def test_any_size_is_filled_and_known_pixels_stay(name, height, width, seed):
    image, mask = photo(height, width, seed)
    before = image.copy()
    found = SMALL[name].fill(image, mask)
    assert found.image.shape == image.shape
    assert found.image.dtype == np.float32
    assert 0 <= found.image.min() <= found.image.max() <= 1
    assert np.array_equal(image, before)
    result = composite(found.image, image, mask)
    assert np.array_equal(result[~mask], image[~mask])
    if found.attention is not None:
        for places in (found.attention.target, found.attention.source):
            assert (places >= 0).all()
            assert (places < [height, width]).all()


@pytest.mark.parametrize("name", SMALL)
def test_fills_are_large_enough_to_compare(name):
    image, mask = photo(37, 30)
    other = 1 - image
    first, second = (SMALL[name].fill(a, mask).image[mask] for a in (image, other))
    assert first.std() > 0.05
    assert abs(first - second).mean() > 0.03


def test_a_finished_fill_of_one_stage_keeps_the_networks_own_frame():
    image, mask = np.full((40, 40, 3), 0.25, np.float32), np.zeros((40, 40), bool)
    mask[12:28, 12:28] = True
    network = SMALL["global_local"].runtime.network
    plain = with_network("global_local", deepcopy(network), finish=False).fill(image, mask)
    finished = with_network("global_local", deepcopy(network)).fill(image, mask)
    assert plain.coarse is None
    np.testing.assert_allclose(finished.coarse[mask], plain.image[mask], atol=1e-6)
    assert abs(finished.image - plain.image)[mask].max() > 0.01


@pytest.mark.parametrize("name", SMALL)
def test_what_stands_in_the_hole_is_ignored(name):
    image, mask = photo(37, 30)
    other = np.where(mask[..., None], np.float32(0.123), image)
    first, second = (SMALL[name].fill(a, mask).image for a in (image, other))
    assert np.array_equal(first[mask], second[mask])


@pytest.mark.parametrize("name", SMALL)
def test_progress_rises_to_one_and_may_stop_the_work(name):
    image, mask = photo(16, 16)
    shares = []
    SMALL[name].fill(image, mask, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0

    def stop(share):
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SMALL[name].fill(image, mask, progress=stop)
    assert len(shares) > 10
    SMALL[name].fill(image, mask)  # and it still works


@pytest.mark.parametrize("name", SMALL)
def test_bad_frames_are_refused(name):
    image, mask = photo(16, 16)
    with pytest.raises(ValueError, match="float32"):
        SMALL[name].fill((image * 255).astype(np.uint8), mask)
    with pytest.raises(ValueError, match="size"):
        SMALL[name].fill(image, mask[:, :-1])
    with pytest.raises(ValueError, match="takes no sketch"):
        SMALL[name].fill(image, mask, sketch=mask)


@pytest.mark.parametrize("name", SMALL)
def test_the_table_says_what_the_methods_are(name):
    info = SMALL[name].info
    row = METHODS[name]
    assert (info.name, info.title, info.multiple) == (row.name, row.title, row.multiple)
    assert row.needs == (() if name == "deepfill_v2" else ("torch",))  # whose weights ship as ONNX
    assert info.multiple == SMALL[name].runtime.network.multiple
    assert not info.takes_sketch


def test_fresh_weights_are_the_same_each_time_and_warn(caplog):
    with caplog.at_level(logging.WARNING):
        first, second = (create("deepfill_v2", CONFIGS["deepfill_v2"]) for _ in range(2))
    assert "no trained weights" in caplog.text
    for a, b in zip(*(each.runtime.network.parameters() for each in (first, second)), strict=True):
        assert torch.equal(a, b)


def test_creating_a_method_leaves_the_random_state_alone():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    create("partial_conv", CONFIGS["partial_conv"])
    assert torch.equal(torch.rand(2), wanted)


@pytest.mark.parametrize(("name", "guided"), [("tiny", False), ("tiny_guided", True)])
def test_a_photo_through_the_method_equals_the_originals_picture(name, guided):
    network = generator(arrays(f"{name}_weights_initial"), DeepFillV2Config(width=4, guided=guided))
    method = with_network("deepfill_v2", network, finish=False)
    assert method.info.takes_sketch == guided
    run = arrays(f"{name}_64x80")
    image = run["image_bgr_u8"][..., ::-1].astype(np.float32) / np.float32(255)
    mask = run["mask_u8"] > 127.5
    sketch = run["edge_u8"][..., 0] / 255 > 0.6 if guided else None
    found = method.fill(image, mask, sketch)
    wanted = (run["stage2"][..., ::-1] + 1) / 2
    np.testing.assert_allclose(found.image[mask], wanted[mask], atol=1e-5)
    wanted = (run["stage1"][..., ::-1] + 1) / 2
    np.testing.assert_allclose(found.coarse[mask], wanted[mask], atol=1e-5)

    # attention
    cells = found.attention.target // 8
    best = found.attention.source[:, 0] // 8
    offsets = run["attn_offset"][cells[:, 0], cells[:, 1]]
    np.testing.assert_array_equal(best - cells, offsets)
    holes = {(int(r) // 8, int(c) // 8) for r, c in np.argwhere(mask)}
    assert {tuple(cell) for cell in cells.tolist()} == holes
    assert found.attention.stride == 8
    assert (np.diff(found.attention.weight, axis=1) <= 0).all()


@pytest.mark.parametrize("name", SMALL)
def test_half_precision_is_close(name):
    image, mask = photo(48, 40)
    full = SMALL[name].runtime
    half = TorchRuntime(deepcopy(full.network), dtype=torch.bfloat16)
    a, b = (runtime.run(image, mask).image[mask] for runtime in (full, half))
    assert b.dtype == np.float32
    assert abs(a - b).mean() < 0.02


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", SMALL)
def test_cuda_agrees_with_the_cpu(name):
    image, mask = photo(48, 40)
    full = SMALL[name]
    there = with_network(name, deepcopy(full.runtime.network), device="cuda")
    # In torch's default, TF32, convolutions on a GPU are about 58 dB from float32.
    with torch.backends.cudnn.flags(allow_tf32=False):
        a, b = (m.fill(image, mask).image[mask] for m in (full, there))
    np.testing.assert_allclose(a, b, atol=2e-3)
