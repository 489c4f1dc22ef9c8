"""From a weights file to the pictures of the attention, through the public face."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

import gatefill
from gatefill.attention_view import flow_picture
from gatefill.checkpoints import Provenance, save_weights
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.photo_attention import PhotoAttention

CONFIG = DeepFillV2Config(width=4, channel_order="rgb")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    state = DeepFillV2Network(CONFIG).state_dict()
    save_weights(path, "deepfill_v2", CONFIG, state, Provenance(source="a test"))
    return path


def a_photo(height: int = 91, width: int = 117) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[30:61, 40:75] = 255
    return photo, mask


def test_the_weights_file_names_the_method(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    photo, mask = a_photo()
    with caplog.at_level(logging.WARNING):
        inpaint = gatefill.load(weights=weights)
        result = inpaint(photo, mask)
    assert not caplog.records  # above all not the one about random weights
    assert result.method == "deepfill_v2"
    np.testing.assert_array_equal(np.asarray(result)[mask == 0], photo[mask == 0])
    again = gatefill.load("deepfill_v2", weights=weights)(photo, mask)
    np.testing.assert_array_equal(np.asarray(again), np.asarray(result))


def test_without_weights_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        gatefill.load("deepfill_v2", config=CONFIG)
    assert "no trained weights are loaded" in caplog.text


def test_the_attention_is_drawn_for_the_photo(weights: Path, tmp_path: Path) -> None:
    photo, mask = a_photo()
    attention = gatefill.load(weights=weights, large="whole")(photo, mask).attention
    assert isinstance(attention, PhotoAttention)
    hole = np.argwhere(mask)
    reach = np.abs(attention.target[:, None] - hole).max(axis=2).min(axis=1)
    assert reach.max() <= attention.stride  # each position's cell holds a pixel of the hole
    np.testing.assert_array_equal(attention.target[:, None] + attention.offsets, attention.source)
    assert (np.diff(attention.weight, axis=1) <= 0).all()

    attention.save(tmp_path / "map.png")
    attention.save_lines(tmp_path / "lines.png", spacing=8)
    drawn = np.asarray(PIL.Image.open(tmp_path / "map.png"))
    np.testing.assert_array_equal(drawn, flow_picture(attention, *mask.shape))
    lines = np.asarray(PIL.Image.open(tmp_path / "lines.png"))
    np.testing.assert_array_equal(lines, attention.lines(spacing=8))
    assert (lines != photo).any()


def test_a_crops_attention_lies_in_the_photo(weights: Path) -> None:
    photo, mask = a_photo(400, 500)
    mask[:] = 0
    mask[300:340, 410:450] = 255
    attention = gatefill.load(weights=weights, context=0.5)(photo, mask).attention
    assert attention is not None
    assert attention.target.min(axis=0).tolist() >= [296, 402]
    assert attention.target.max(axis=0).tolist() <= [348, 458]
    painted = (attention.map(legend=False) != 255).any(axis=2)
    rows, columns = np.nonzero(painted)
    assert 290 <= rows.min() <= rows.max() <= 350
    assert 400 <= columns.min() <= columns.max() <= 460


def test_what_contradicts_the_weights_is_refused(weights: Path) -> None:
    with pytest.raises(ValueError, match=r"expected weights of partial_conv, got .*deepfill_v2"):
        gatefill.load("partial_conv", weights=weights)
    with pytest.raises(ValueError, match="no weights for patchmatch"):
        gatefill.load("patchmatch", weights=weights)
    with pytest.raises(ValueError, match="the weights file holds it"):
        gatefill.load(weights=weights, config=CONFIG)
    with pytest.raises(ValueError, match=r"device that torch can use here.*'tpu9'"):
        gatefill.load(weights=weights, device="tpu9")
    with pytest.raises(FileNotFoundError):
        gatefill.load(weights=weights.with_name("none.safetensors"))


def test_a_sketch_needs_guided_weights(weights: Path, tmp_path: Path) -> None:
    photo, mask = a_photo()
    with pytest.raises(ValueError, match="sketch"):
        gatefill.load(weights=weights)(photo, mask, sketch=mask)
    config = dataclasses.replace(CONFIG, guided=True)
    state = DeepFillV2Network(config).state_dict()
    path = tmp_path / "guided.safetensors"
    save_weights(path, "deepfill_v2", config, state, Provenance(source="a test"))
    result = gatefill.load(weights=path)(photo, mask, sketch=mask)
    np.testing.assert_array_equal(np.asarray(result)[mask == 0], photo[mask == 0])
