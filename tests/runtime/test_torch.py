"""Networks run around their holes only, against the same networks run on whole frames."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatefill.geometry import Box
from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config, DeepFillV1Network
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.methods.networks.global_local import GlobalLocalConfig, GlobalLocalNetwork
from gatefill.methods.networks.partial_conv import PartialConvConfig, PartialConvNetwork
from gatefill.runtime.base import CELL
from gatefill.runtime.torch import TorchRuntime, _places, fastest_format
from tests.official import arrays, generator, images_of, masks_of, nhwc

COARSE, REFINED = 5e-5, 5e-4  # as two backends of the original differ


def loud(network, seed=0):
    """Random weights with which outputs are of order one and depend on everything."""
    torch.manual_seed(seed)
    gates = getattr(network, "kind", "vanilla") in ("gated", "single_gate")
    gain = 2.2 if gates else 1.4  # a gate halves what passes
    for parameter in network.parameters():
        inputs = parameter[0].numel()
        parameter.data.normal_(0, gain / inputs**0.5 if parameter.ndim > 1 else 0.1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
    return network.eval()


@st.composite
def networks(draw):
    """Every network, of every kind and every convention."""
    paddings = st.sampled_from(["same", "symmetric", "reflect"])
    order = draw(st.sampled_from(["rgb", "bgr"]))
    conventions = {
        "padding": draw(paddings),
        "fuse": draw(st.booleans()),
        "resizing": draw(st.sampled_from(["aligned", "floor"])),
        "mask_steps": draw(st.sampled_from([1, 2])),
        "channel_order": order,
    }
    kind = draw(st.sampled_from(["v2", "v2", "v1", "u-net", "global_local"]))
    network: Any
    if kind == "v2":
        config = DeepFillV2Config(
            width=4,
            kind=draw(st.sampled_from(["gated", "single_gate", "partial", "vanilla"])),
            guided=draw(st.booleans()),
            refinement_mask=draw(st.booleans()),
            output=draw(st.sampled_from(["tanh", "clip"])),
            **conventions,
        )
        network = DeepFillV2Network(config)
    elif kind == "v1":
        network = DeepFillV1Network(DeepFillV1Config(width=4, **conventions))
    elif kind == "u-net":
        levels = draw(st.integers(2, 6))
        network = PartialConvNetwork(
            PartialConvConfig(
                width=4, levels=levels, padding=conventions["padding"], channel_order=order
            )
        )
    else:
        network = GlobalLocalNetwork(GlobalLocalConfig(width=4, channel_order=order))
    return loud(network, draw(st.integers(0, 100)))


@st.composite
def holes(draw, height, width):
    """One hole or several; some at borders and in corners."""
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(1, 3))):
        top, left = draw(st.integers(-8, height - 1)), draw(st.integers(-8, width - 1))
        tall, wide = draw(st.integers(9, 40)), draw(st.integers(9, 40))
        mask[max(top, 0) : top + tall, max(left, 0) : left + wide] = True
    if mask.all():
        mask[0, 0] = False
    return mask


def whole_frames(network, image, mask, sketch):
    """Coarse (or None) and refined frames ``HW3`` RGB in [0, 1] of the network's own forward."""
    dtype = next(network.parameters()).dtype
    flipped = network.config.channel_order == "bgr"

    def tensor(array):
        return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)[None])).to(dtype)

    def frame(result):
        result = result.flip(1) if flipped else result
        return result.clamp(-1, 1)[0].permute(1, 2, 0).numpy() / 2 + 0.5

    pixels = tensor(image[..., ::-1] if flipped else image) * 2 - 1
    planes = [tensor(plane[..., None]) for plane in (mask, sketch) if plane is not None]
    with torch.inference_mode():
        found = network(pixels, *planes)
    if isinstance(found, torch.Tensor):
        return None, frame(found)
    return frame(found.coarse), frame(found.refined)


@settings(max_examples=40)
@given(networks(), st.data())
def test_hole_pixels_are_those_of_the_whole_frame(network, data):
    """In double precision, so that nothing but the plan can make a difference."""
    network.double()
    multiple = network.multiple
    sides = st.integers(8, 30 if multiple == 8 else 40)
    step = {8: 8, 4: 4, 1: 5}[multiple]
    height, width = step * data.draw(sides), step * data.draw(sides)
    mask = data.draw(holes(height, width))
    dice = np.random.default_rng(data.draw(st.integers(0, 100)))
    image = dice.random((height, width, 3), dtype=np.float32)
    sketch = None
    if getattr(network.config, "guided", False):
        sketch = dice.random((height, width)) < 0.2
    memory = data.draw(st.sampled_from([2**18, 2**31]))
    runtime = TorchRuntime(network, dtype=torch.double, memory_limit=memory)

    coarse, refined = whole_frames(network, image, mask, sketch)
    found = runtime.run(image, mask, sketch)
    near = np.zeros_like(mask)
    for box in runtime.plan(mask).boxes:
        near[box.slices] = True
    assert near[mask].all()
    np.testing.assert_allclose(found.image[near], refined[near], atol=1e-6, rtol=0)
    assert np.array_equal(found.image[~near], image[~near])
    if coarse is not None:
        np.testing.assert_allclose(found.coarse[mask], coarse[mask], atol=1e-6, rtol=0)


@pytest.mark.parametrize("network", ["v2", "v2, coarse", "v1", "u-net", "global_local"])
def test_a_small_hole_in_a_large_frame_is_right_in_single_precision(network):
    made = {
        "v2": lambda: DeepFillV2Network(DeepFillV2Config(width=8)),
        "v2, coarse": lambda: DeepFillV2Network(DeepFillV2Config(width=8, refinement=False)),
        "v1": lambda: DeepFillV1Network(DeepFillV1Config(width=8)),
        "u-net": lambda: PartialConvNetwork(PartialConvConfig(width=4, levels=6)),
        "global_local": lambda: GlobalLocalNetwork(GlobalLocalConfig(width=8)),
    }[network]()
    loud(made, seed=3)
    image = np.random.default_rng(5).random((360, 424, 3), dtype=np.float32)
    mask = np.zeros((360, 424), bool)
    mask[0:30, 400:424] = mask[300:330, 30:70] = True
    coarse, refined = whole_frames(made, image, mask, None)
    runtime = TorchRuntime(made)
    found = runtime.run(image, mask)
    assert len(runtime.plan(mask).boxes) == 2
    assert refined[mask].std() > 0.05
    np.testing.assert_allclose(2 * found.image[mask], 2 * refined[mask], atol=REFINED, rtol=0)
    if coarse is not None:
        np.testing.assert_allclose(2 * found.coarse[mask], 2 * coarse[mask], atol=COARSE, rtol=0)


@pytest.mark.parametrize("name", ["gen_256_freeform", "gen_512x680_freeform"])
def test_the_originals_runs(name):
    run = arrays(name)
    network = generator(arrays("weights_generator"), DeepFillV2Config())
    image = (nhwc(images_of(run))[0][..., ::-1] + 1) / 2
    mask = masks_of(run)[0, 0].numpy() > 0
    found = TorchRuntime(network).run(np.ascontiguousarray(image, np.float32), mask)
    wanted = run["stage2"][..., ::-1].clip(-1, 1)
    np.testing.assert_allclose((2 * found.image - 1)[mask], wanted[mask], atol=REFINED, rtol=0)
    cells, best = found.places.cells, found.places.sources[:, 0]
    np.testing.assert_array_equal(best - cells, run["attn_offset"][cells[:, 0], cells[:, 1]])
    strongest = run["attn_maxprob"][cells[:, 0], cells[:, 1]]
    np.testing.assert_allclose(found.places.weights[:, 0], strongest, atol=1e-4)


class Stopped(Exception):  # noqa: N818 - no error
    pass


def test_threads_share_a_runtime_each_with_its_own_progress_and_end():
    runtime = TorchRuntime(loud(DeepFillV2Network(DeepFillV2Config(width=4))))
    dice = np.random.default_rng(1)
    image = dice.random((96, 128, 3), dtype=np.float32)
    masks = [np.zeros((96, 128), bool) for _ in range(4)]
    for i, mask in enumerate(masks):
        mask[8 * i : 30 + 8 * i, 10 * i : 20 + 20 * i] = True
    wanted = [runtime.run(image, mask).image for mask in masks]
    shares: list[list[float]] = [[] for _ in masks]
    found: list[Any] = [None] * len(masks)

    def fill(i):
        def report(share):
            shares[i].append(share)
            if i == 2 and share > 0.5:
                raise Stopped

        try:
            for _ in range(3):
                found[i] = runtime.run(image, masks[i], progress=report).image
        except Stopped:
            found[i] = "stopped"

    threads = [threading.Thread(target=fill, args=(i,)) for i in range(len(masks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in (0, 1, 3):
        np.testing.assert_allclose(found[i], wanted[i], atol=1e-5)
        assert shares[i].count(1.0) >= 3
    assert found[2] == "stopped"
    assert shares[2] == sorted(shares[2])
    assert max(shares[2]) < 1


@pytest.mark.parametrize(
    ("network", "takes"),
    [
        (DeepFillV2Network(DeepFillV2Config(width=4, guided=True)), True),
        (DeepFillV2Network(DeepFillV2Config(width=4)), False),
        (DeepFillV1Network(DeepFillV1Config(width=4)), False),
        (PartialConvNetwork(PartialConvConfig(width=4, levels=3)), False),
        (GlobalLocalNetwork(GlobalLocalConfig(width=4)), False),
    ],
)
def test_every_network_runs_alone_and_in_a_batch_with_the_sketch_if_it_takes_one(network, takes):
    runtime = TorchRuntime(loud(network))
    assert runtime.takes_sketch == takes
    dice = np.random.default_rng(0)
    image, mask = dice.random((32, 48, 3), dtype=np.float32), np.zeros((32, 48), bool)
    mask[8:20, 10:30] = True
    frames = [(image, mask, sketch) for sketch in (None, dice.random(mask.shape) < 0.3)]
    fills = [runtime.run(*frame).image for frame in frames]
    assert (abs(fills[0] - fills[1])[mask].max() > 1e-3) == takes
    for alone, together in zip(fills, runtime.run_batch(frames), strict=True):
        np.testing.assert_allclose(together.image[mask], alone[mask], atol=REFINED)


def test_the_plan_of_a_mask_is_kept():
    runtime = TorchRuntime(DeepFillV2Network(DeepFillV2Config(width=4)))
    mask = np.zeros((64, 64), bool)
    mask[10:20, 10:20] = True
    assert runtime.plan(mask) is runtime.plan(mask.copy())
    assert runtime.plan(mask) is not runtime.plan(mask.T[::-1])


def test_auto_takes_a_format_that_was_measured_and_keeps_the_pixels():
    from gatefill.checkpoints import load_network, shipped_weights
    from gatefill.export.convert import example

    network = load_network(shipped_weights("compact"))[1]
    runtime = TorchRuntime(network)
    image, mask = example(128, 160, 3)
    wanted = runtime.run(image, mask).image[mask]
    runtime.to(dtype="auto")
    assert str(runtime.dtype) == f"torch.{fastest_format(runtime.device)}"
    for dtype in ("bfloat16", "float16", "auto"):
        runtime = TorchRuntime(load_network(shipped_weights("compact"))[1])
        runtime.to(dtype=dtype)
        error = np.square(runtime.run(image, mask).image[mask] - wanted).mean()
        assert 10 * np.log10(1 / max(error, 1e-12)) > 45


def test_every_cell_has_the_attention_of_the_region_that_it_is_in():
    """Regions are boxes of features, of which two make a cell on each side."""
    mask = np.ones((20 * CELL, 10 * CELL), bool)
    regions = []
    for number, box in enumerate((Box(0, 0, 20, 20), Box(20, 0, 40, 12), Box(20, 12, 40, 20))):
        shape = box.height // 2, box.width // 2, 1
        found = SimpleNamespace(sources=torch.full(shape, number), weights=torch.ones(shape))
        regions.append((box, found))
    places = _places(regions, mask)
    assert len(places.cells) == 200
    rows, columns = places.cells.T
    expected = np.where(rows < 10, 0, np.where(columns < 6, 1, 2))
    np.testing.assert_array_equal(places.sources[:, 0], np.stack([0 * expected, expected], axis=1))
