"""Networks out of weights files, and descriptions of such files."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from gatefill.checkpoints.describe import describe
from gatefill.checkpoints.native import Provenance, save_weights
from gatefill.checkpoints.networks import load_method, load_network
from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config, DeepFillV1Network
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.methods.networks.global_local import GlobalLocalConfig, GlobalLocalNetwork
from gatefill.methods.networks.partial_conv import PartialConvConfig, PartialConvNetwork

SOURCE = Provenance(source="a test", license="CC0-1.0")
SMALL = DeepFillV2Config(width=4, guided=True, padding="symmetric", channel_order="rgb")


def a_file(folder: Path, method: str, config: Any, network: torch.nn.Module) -> Path:
    path = folder / "w.safetensors"
    save_weights(path, method, config, network.state_dict(), SOURCE)
    return path


@pytest.mark.parametrize(
    ("method", "config", "build"),
    [
        ("deepfill_v2", SMALL, DeepFillV2Network),
        ("deepfill_v1", DeepFillV1Config(width=4), DeepFillV1Network),
        ("partial_conv", PartialConvConfig(width=4, levels=4), PartialConvNetwork),
        ("global_local", GlobalLocalConfig(width=4, mean=(0.1, 0.2, 0.3)), GlobalLocalNetwork),
    ],
)
def test_every_network_comes_back_as_it_was(
    tmp_path: Path, method: str, config: Any, build: Any
) -> None:
    torch.manual_seed(0)
    network = build(config)
    info, loaded = load_network(a_file(tmp_path, method, config, network))
    assert info.method == method
    assert type(loaded) is type(network)
    assert not loaded.training
    for (name, value), (_, wanted) in zip(
        loaded.state_dict().items(), network.state_dict().items(), strict=True
    ):
        assert torch.equal(value, wanted), name
    image, mask = torch.rand(1, 3, 32, 40) * 2 - 1, torch.zeros(1, 1, 32, 40)
    mask[..., 8:20, 8:20] = 1
    with torch.inference_mode():
        got, wanted_fill = loaded(image, mask), network.eval()(image, mask)
    for ours, theirs in zip(_tensors(got), _tensors(wanted_fill), strict=True):
        assert torch.equal(ours, theirs)


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [each for part in value or () for each in _tensors(part)]


def test_half_precision_weights_run_in_float32(tmp_path: Path) -> None:
    network = DeepFillV2Network(SMALL).half()
    info, loaded = load_network(a_file(tmp_path, "deepfill_v2", SMALL, network))
    assert info.dtypes == ("F16",)
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 8}, r"conv1.weight expected \[16, 6, 5, 5\], got \[8, 6, 5, 5\]"),
        ({"guided": False}, r"conv1.weight expected \[8, 5, 5, 5\], got \[8, 6, 5, 5\]"),
        ({"width": 1024}, "of another shape"),
        ({"width": 10**9}, r"w.safetensors: expected width in 2..1024, got 1000000000"),
        ({"width": 0}, r"w.safetensors: expected width in 2..1024, got 0"),
        ({"width": -3}, "w.safetensors"),
        ({"padding": "periodic"}, "'padding'"),
        ({"shape": 3}, "also has 'shape'"),
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    fields = {**dataclasses.asdict(SMALL), **change}
    claimed = dataclasses.make_dataclass("Claimed", list(fields))(**fields)
    path = a_file(tmp_path, "deepfill_v2", claimed, DeepFillV2Network(SMALL))
    with pytest.raises(ValueError, match=words) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_other_weights_and_methods_are_refused(tmp_path: Path) -> None:
    other = DeepFillV1Network(DeepFillV1Config(width=4))
    with pytest.raises(ValueError, match="do not fit the network"):
        load_network(a_file(tmp_path, "deepfill_v2", SMALL, other))
    with pytest.raises(
        ValueError, match=r"w.safetensors: expected a method with a network.*got .lama."
    ):
        load_network(a_file(tmp_path, "lama", SMALL, other))
    state = DeepFillV2Network(SMALL).state_dict()
    state["more"] = state.pop("conv3.bias")
    save_weights(tmp_path / "w.safetensors", "deepfill_v2", SMALL, state, SOURCE)
    with pytest.raises(ValueError, match=r"1 missing \(conv3.bias\) and 1 unknown \(more\)"):
        load_network(tmp_path / "w.safetensors")


def test_our_files_are_described_without_torch(tmp_path: Path) -> None:
    path = a_file(tmp_path, "deepfill_v2", SMALL, DeepFillV2Network(SMALL))
    found = describe(path)
    assert found.format == "gatefill weights"
    assert found.method == "deepfill_v2"
    assert found.config == dataclasses.asdict(SMALL)
    assert found.provenance == SOURCE
    assert found.step == SOURCE.step
    assert [name for name, _ in found.rows()].count("step") == (SOURCE.step is not None)
    assert found.file_bytes == path.stat().st_size
    program = (
        "import sys; from gatefill.checkpoints import describe; "
        f"print(describe({str(path)!r}).parameters); assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(found.parameters), done.stderr


def test_what_is_neither_is_said(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"photo.png is damaged or holds something else"):
        describe(tmp_path / "photo.png")
    with pytest.raises(FileNotFoundError, match="no weights at"):
        describe(tmp_path / "none")


@pytest.mark.parametrize(("said", "wanted"), [(True, True), (False, False), (None, True)])
def test_older_files_say_among_the_networks_fields_what_comes_after_it(
    tmp_path: Path, said: bool | None, wanted: bool
) -> None:
    @dataclasses.dataclass
    class Older:
        width: int = 4
        channel_order: str = "rgb"
        finish: bool | None = said

    config = DeepFillV2Config(width=4, channel_order="rgb")
    state = DeepFillV2Network(config).state_dict()
    path = tmp_path / "w.safetensors"
    save_weights(path, "deepfill_v2", config if said is None else Older(), state, SOURCE)
    info, network = load_network(path)
    assert info.finish is wanted
    assert network.config == config
    method: Any = load_method(path)
    assert (method.finish is not None) is wanted


def test_newer_files_say_it_beside_the_config(tmp_path: Path) -> None:
    config = DeepFillV2Config(width=4)
    state = DeepFillV2Network(config).state_dict()
    for wanted in (False, True):
        path = tmp_path / f"{wanted}.safetensors"
        save_weights(path, "deepfill_v2", config, state, SOURCE, finish=wanted)
        assert load_network(path)[0].finish is wanted
        assert "finish" not in describe(path).config
