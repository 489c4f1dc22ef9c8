"""Files of other networks, with weights that are not finite, and wrapped ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import gatefill
from gatefill.checkpoints import convert
from gatefill.checkpoints.networks import load_network
from gatefill.methods.network import NetworkOptions

from .literal_deepfill import deepfill, random_deepfill
from .literal_others import (
    State,
    global_local,
    partial_conv,
    random_global_local,
    random_partial_conv,
)
from .test_convert import converted, port_state, random_layers, refused

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)  # ImageNet's
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def frame(height: int = 64, width: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth random photo in [-1, 1], and a hole that is no box."""
    torch.manual_seed(1)
    small = torch.rand(1, 3, height // 8, width // 8) * 2 - 1
    image = torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(-1, 1)
    mask = torch.zeros(1, 1, height, width)
    mask[..., 10:40, 20:60] = 1
    mask[..., 30:50, 50:70] = 1
    return image, mask


def run_converted(state: State, folder: Path, image: torch.Tensor, mask: torch.Tensor):
    """The network's frame, in the program's own channel order, and what was read."""
    torch.save({"state_dict": state, "meta": {"iter": 5}}, folder / "theirs.pth")
    info = convert(folder / "theirs.pth", folder / "w.safetensors")
    loaded, network = load_network(folder / "w.safetensors")
    assert loaded.config == info.config
    with torch.inference_mode():
        return network(image, mask), info


@pytest.mark.parametrize("levels", [4, 7])
def test_mmagics_partial_convolution_gives_its_outputs(tmp_path: Path, levels: int) -> None:
    state = random_partial_conv(4, levels, "mmagic")
    image, mask = frame(128, 128)
    found, info = run_converted(state, tmp_path, image, mask)
    wanted = partial_conv(state, image, mask, "mmagic")
    assert wanted.std() > 0.1
    torch.testing.assert_close(found, wanted, atol=5e-5, rtol=0)
    assert (info.method, info.config["levels"], info.config["width"]) == ("partial_conv", levels, 4)
    assert info.config["channel_order"] == "bgr"
    assert "mmagic Partial Convolution" in info.provenance.source


def test_the_partial_convolution_port_gives_its_outputs(tmp_path: Path) -> None:
    """It sees and gives images less ImageNet's mean, over the deviation."""
    state = random_partial_conv(4, 5, "port")
    image, mask = frame()
    found, info = run_converted(state, tmp_path, image, mask)
    seen = ((image + 1) / 2 - MEAN) / DEVIATION
    wanted = (partial_conv(state, seen, mask, "port") * DEVIATION + MEAN) * 2 - 1
    assert wanted.std() > 0.05
    torch.testing.assert_close(found, wanted, atol=5e-5, rtol=0)
    assert (info.config["normalization"], info.config["channel_order"]) == ("imagenet", "rgb")


def test_glcic_gives_its_outputs(tmp_path: Path) -> None:
    state = random_global_local(8, "glcic")
    image, mask = frame()
    found, info = run_converted(state, tmp_path, image, mask)
    wanted = global_local(state, (image + 1) / 2, mask, "glcic") * 2 - 1
    assert wanted.std() > 0.05
    torch.testing.assert_close(found, wanted, atol=5e-5, rtol=0)
    assert info.finish, "the program blends its fill in"
    assert info.config["norm_after_relu"]


def test_mmagics_global_local_gives_its_outputs(tmp_path: Path) -> None:
    state = random_global_local(8, "mmagic")
    discriminator = {"disc.global_disc.conv1.conv.weight": torch.zeros(2)}
    image, mask = frame()
    found, info = run_converted(state | discriminator, tmp_path, image, mask)
    wanted = global_local(state, image, mask, "mmagic")
    assert 0.02 < (wanted.abs() < 1).float().mean() < 1
    assert wanted.std() > 0.05
    torch.testing.assert_close(found, wanted, atol=5e-5, rtol=0)
    assert (info.config["output"], info.finish) == ("clip", False)


@pytest.mark.parametrize("version", [1, 2])
def test_mmagics_deepfill_gives_its_outputs(tmp_path: Path, version: int) -> None:
    state = random_deepfill(version, 6)
    image, mask = frame(96, 128)
    found, info = run_converted(state, tmp_path, image, mask)
    coarse, refined = deepfill(state, image, mask)
    assert 0.1 < refined.std() < 0.9
    torch.testing.assert_close(found.coarse, coarse, atol=5e-5, rtol=0)
    torch.testing.assert_close(found.refined, refined, atol=5e-4, rtol=0)
    assert info.method == f"deepfill_v{version}"
    assert info.config["width"] == 6
    if version == 2:
        assert info.config["decoder_width"] == 8


@pytest.mark.parametrize(
    "state",
    [
        random_partial_conv(4, 4, "mmagic"),
        random_partial_conv(4, 4, "port"),
        random_global_local(4, "glcic"),
        random_global_local(4, "mmagic"),
        random_deepfill(1, 4),
        random_deepfill(2, 6),
    ],
    ids=["mmagic-pconv", "pconv-port", "glcic", "mmagic-gl", "mmagic-v1", "mmagic-v2"],
)
def test_photos_are_filled_with_them(tmp_path: Path, state: State) -> None:
    """Through the call, which orders channels and keeps known pixels."""
    torch.save(state, tmp_path / "theirs.pth")
    convert(tmp_path / "theirs.pth", tmp_path / "w.safetensors")
    photo = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    mask = np.zeros((96, 128), bool)
    mask[20:40, 90:] = True  # up to the frame's border
    inpaint = gatefill.load(
        weights=tmp_path / "w.safetensors", options=NetworkOptions(finish=False)
    )
    filled = inpaint(photo, mask).photo.pixels
    np.testing.assert_array_equal(filled[~mask], photo[~mask])
    _, network = load_network(tmp_path / "w.safetensors")
    step = 1 if network.config.channel_order == "rgb" else -1
    image = torch.from_numpy(photo[..., ::step] / np.float32(127.5) - 1).permute(2, 0, 1)[None]
    with torch.inference_mode():
        frame = network(image, torch.from_numpy(mask).float()[None, None])
    frame = getattr(frame, "refined", frame)
    wanted = (frame[0].permute(1, 2, 0).numpy()[..., ::step] + 1) * 127.5
    wanted = np.clip(wanted, 0, 255)
    assert wanted[mask].std() > 5
    np.testing.assert_allclose(filled[mask], wanted[mask], atol=0.6)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("generator.encoder.enc2.conv.weight", r"1 missing \(enc2\.weight\)"),
        ("generator.decoder.dec1.conv.bias", r"1 missing \(dec1\.bias\)"),
    ],
)
def test_incomplete_files_are_refused(tmp_path: Path, key: str, message: str) -> None:
    state = random_partial_conv(4, 4, "mmagic")
    del state[key]
    torch.save(state, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", message)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_do_not_convert(tmp_path: Path, value: float) -> None:
    state = port_state(random_layers(4), "ported")
    next(iter(state.values()))[0, 0, 0, 0] = value
    torch.save({"G": state}, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", r"expected finite weights, got NaN or infinity: 1 .*conv1\.weight")


def test_the_prefix_of_data_parallel_is_taken_off(tmp_path: Path) -> None:
    state = port_state(random_layers(4), "retrained")
    _, wanted = converted({"G": state}, tmp_path)
    _, found = converted({"G": {f"module.{k}": v for k, v in state.items()}}, tmp_path)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
