"""Everybody's weights: recognized, converted, and giving the outputs they gave."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gatefill.checkpoints.convert import convert, kind_of, read_foreign
from gatefill.checkpoints.native import load_weights
from gatefill.checkpoints.pytorch_port import (
    FUSE_BUFFER,
    ported_names,
    renamed,
    retrained_names,
)
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network

from .port_reference import forward
from .port_tables import ROWS

State = dict[str, torch.Tensor]


def random_layers(width: int = 24, inputs: int = 5) -> dict[str, tuple[torch.Tensor, ...]]:
    """Weight and bias of every official layer at the released shapes, or narrower ones."""
    generator = torch.Generator().manual_seed(3)
    layers = {}
    for name, _, _, out, into, kernel in ROWS:
        out, into = (size if size in (3, 5) else size * width // 24 for size in (out, into))
        into = inputs if name == "conv1" else into
        scale = 1.5 / (into * kernel**2) ** 0.5
        weight = torch.randn(out, into, kernel, kernel, generator=generator) * scale
        layers[name] = weight, torch.randn(out, generator=generator) * 0.1
    return layers


def official_layers(shared: Path) -> dict[str, tuple[torch.Tensor, ...]]:
    arrays = np.load(shared / "official" / "weights_generator.npz")
    layers = {}
    for name, *_ in ROWS:
        scope = f"inpaint_net/{name}"
        if f"{scope}/kernel" not in arrays:
            scope += f"/{name}_conv"
        kernel = arrays[f"{scope}/kernel"].transpose(3, 2, 0, 1).copy()
        layers[name] = torch.from_numpy(kernel), torch.from_numpy(arrays[f"{scope}/bias"])
    return layers


def port_state(layers: dict[str, tuple[torch.Tensor, ...]], kind: str) -> State:
    """The state dict as the port of that kind writes it."""
    state: State = {}
    for name, ported, retrained, *_ in ROWS:
        key = ported if kind == "ported" else retrained
        state[f"{key}.weight"], state[f"{key}.bias"] = layers[name]
    if kind == "retrained":
        state[FUSE_BUFFER] = torch.eye(3).view(1, 1, 3, 3)
    return state


def converted(state: Any, folder: Path) -> tuple[DeepFillV2Config, State]:
    torch.save(state, folder / "states.pth")
    convert(folder / "states.pth", folder / "w.safetensors")
    foreign = read_foreign(folder / "states.pth")
    info, weights = load_weights(folder / "w.safetensors")
    assert info.config == dataclasses.asdict(foreign.config)
    return foreign.config, weights


def network(config: DeepFillV2Config, weights: State) -> DeepFillV2Network:
    net = DeepFillV2Network(config)
    net.load_state_dict(weights)
    return net.eval()


def frame(image_u8: NDArray[np.uint8], mask_u8: NDArray[np.uint8]) -> tuple[torch.Tensor, ...]:
    image = torch.from_numpy(image_u8.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    mask = torch.from_numpy((mask_u8 > 127.5).astype(np.float32))[None, None]
    return image, mask


def close(got: torch.Tensor, wanted: NDArray[np.float32], atol: float) -> None:
    np.testing.assert_allclose(got[0].permute(1, 2, 0).numpy(), wanted, atol=atol, rtol=0)


# deepfillv2-pytorch


@pytest.mark.parametrize(("table", "column"), [(ported_names(), 1), (retrained_names(), 2)])
def test_the_name_tables_are_the_ports_modules(table: dict[str, str], column: int) -> None:
    wanted = {
        f"{row[column]}.{part}": f"{row[0]}.{part}" for row in ROWS for part in ("weight", "bias")
    }
    assert table == wanted
    assert len(table) == 84


@pytest.mark.parametrize("table", [ported_names(), retrained_names()])
def test_the_name_tables_lead_there_and_back(table: dict[str, str]) -> None:
    state = {key: number for number, key in enumerate(table)}
    back = {ours: theirs for theirs, ours in table.items()}
    assert renamed(renamed(state, table), back) == state


@pytest.mark.parametrize("kind", ["ported", "retrained"])
def test_port_outputs_are_those_of_its_own_graph(kind: str, tmp_path: Path) -> None:
    layers = random_layers()
    config, weights = converted({"G": port_state(layers, kind), "n_iter": 1}, tmp_path)
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(1, 3, 72, 88, generator=generator) * 2 - 1
    mask = torch.zeros(1, 1, 72, 88)
    mask[..., 20:45, 30:70] = 1
    with torch.inference_mode():
        got = network(config, weights)(image, mask)
        coarse, refined = forward(layers, image, mask, ported=kind == "ported")
    assert refined.std() > 0.05
    torch.testing.assert_close(got.coarse, coarse, atol=2e-5, rtol=0)
    torch.testing.assert_close(got.refined, refined, atol=2e-4, rtol=0)


def test_official_weights_under_the_ports_names_give_the_official_arrays(
    shared: Path, tmp_path: Path
) -> None:
    """The port's graph has no fuse and halves the mask at once; with both put back as in the
    original, its weights give the official second stage too."""
    state = port_state(official_layers(shared), "ported")
    config, weights = converted({"G": state}, tmp_path)
    assert config == DeepFillV2Config(fuse=False, mask_steps=1, channel_order="rgb")
    arrays = np.load(shared / "official" / "gen_256_freeform.npz")
    # The channels go in and out as they stand in the arrays: what is compared is the network.
    image, mask = frame(arrays["image_bgr_u8"], arrays["mask_u8"])
    official = dataclasses.replace(config, fuse=True, mask_steps=2)
    with torch.inference_mode():
        got = network(official, weights)(image, mask)
        plain = network(config, weights)(image, mask)
        _, wanted = forward(official_layers(shared), image, mask, ported=True)
    close(plain.coarse, arrays["stage1"], 5e-5)
    close(got.refined, arrays["stage2"], 5e-4)
    torch.testing.assert_close(plain.refined, wanted, atol=5e-4, rtol=0)


@pytest.mark.parametrize("kind", ["ported", "retrained"])
def test_sizes_are_read_off_the_shapes(kind: str, tmp_path: Path) -> None:
    state = port_state(random_layers(width=4, inputs=6), kind)
    config, _ = converted(state, tmp_path)  # a bare state dict is taken too
    assert (config.width, config.guided) == (4, True)


def test_a_training_snapshot_gives_its_step(tmp_path: Path) -> None:
    state = {
        "G": port_state(random_layers(4), "retrained"),
        "D": {"conv1.weight": torch.zeros(3)},
        "G_optim": {"state": {0: {"step": torch.tensor(2.0)}}, "param_groups": [{"lr": 1e-4}]},
        "n_iter": 1234,
    }
    torch.save(state, tmp_path / "states.pth")
    info = convert(
        tmp_path / "states.pth", tmp_path / "w.safetensors", data="Places2", license="unknown"
    )
    assert info.provenance.step == 1234
    assert info.provenance.data == "Places2"
    assert info.provenance.license == "unknown"
    assert "states.pth" in info.provenance.source
    assert info.parameters == sum(
        weight.numel() + bias.numel() for weight, bias in random_layers(4).values()
    )


# What does not fit


def refused(path: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        convert(path, path.with_name("w.safetensors"))
    assert "\n" not in str(caught.value)
    assert not path.with_name("w.safetensors").exists()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("conv5.conv.bias", None, r"1 missing \(conv5.conv.bias\)"),
        ("conv18.conv.bias", torch.zeros(3), r"1 unknown \(conv18.conv.bias\)"),
        ("conv5.conv.bias", torch.zeros(7), r"conv5.bias expected \[32\], got \[7\]"),
        ("conv1.conv.weight", torch.zeros(8, 4, 5, 5), r"5 channels \(guided: 6\)"),
        ("conv1.conv.weight", torch.zeros(8), "5 channels"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, key: str, value: torch.Tensor | None, words: str
) -> None:
    state = port_state(random_layers(4), "ported")
    state.pop(key, None)
    if value is not None:
        state[key] = value
    torch.save({"G": state}, tmp_path / "states.pth")
    refused(tmp_path / "states.pth", words)


def test_another_fuse_kernel_is_refused(tmp_path: Path) -> None:
    state = port_state(random_layers(4), "retrained")
    state[FUSE_BUFFER] = torch.ones(1, 1, 3, 3)
    torch.save({"G": state}, tmp_path / "states.pth")
    refused(tmp_path / "states.pth", "3x3 identity")


class Evil:
    """Unpickled carelessly, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_no_code_of_a_file_is_run(tmp_path: Path, protocol: str) -> None:
    state = {"G": port_state(random_layers(4), "ported"), "x": Evil(tmp_path / "owned")}
    path = tmp_path / "evil.pth"
    if protocol == "torch":
        torch.save(state, path)
    else:
        path.write_bytes(pickle.dumps(state))
    refused(path, "damaged or holds something else")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "content", [{"a": 3}, [torch.zeros(2)], torch.zeros(2), {1: torch.zeros(2)}, {"G": {"a": "b"}}]
)
def test_other_contents_are_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "expected")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04garbage", b"\x89PNG\r\n\x1a\n123"])
def test_foreign_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(data)
    refused(tmp_path / "x.pth", "expected")


def test_a_truncated_pth_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"G": port_state(random_layers(4), "ported")}, path)
    path.write_bytes(path.read_bytes()[:-3000])
    refused(path, "damaged")


def test_other_networks_are_refused(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "x.pth")
    refused(
        tmp_path / "x.pth",
        r"official, deepfillv2-pytorch or mmagic.*GLCIC.*holds fc.weight",
    )


def test_names_and_places_are_checked(tmp_path: Path) -> None:
    torch.save({"G": port_state(random_layers(4), "ported")}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=r"ending in .safetensors, got .*x.bin"):
        convert(tmp_path / "x.pth", tmp_path / "x.bin")
    convert(tmp_path / "x.pth", tmp_path / "x.safetensors")
    refused(tmp_path / "x.safetensors", "gatefill's format already")
    with pytest.raises(FileNotFoundError, match="no weights at"):
        convert(tmp_path / "none.pth", tmp_path / "w.safetensors")
    with pytest.raises(FileNotFoundError, match="no folder"):
        convert(tmp_path / "x.pth", tmp_path / "nowhere" / "w.safetensors")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "one TensorFlow checkpoint in .*found none")


@given(st.sets(st.text(max_size=20)))
def test_no_kind_for_other_names(names: set[str]) -> None:
    assert kind_of(names) is None
