"""The command line's verbs and options for weights and attention."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from gatefill.checkpoints import Provenance, read_header, save_weights
from gatefill.cli import run
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.methods.networks.partial_conv import PartialConvConfig, PartialConvNetwork

from .checkpoints.test_convert import port_state, random_layers

CONFIG = DeepFillV2Config(width=4, channel_order="rgb")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with photo.png, mask.png and w.safetensors, a narrow DeepFill v2."""
    photo = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    mask = np.zeros((72, 96), np.uint8)
    mask[20:46, 30:60] = 255
    PIL.Image.fromarray(photo).save(tmp_path / "photo.png")
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    state = DeepFillV2Network(CONFIG).state_dict()
    facts = Provenance(source="a test", step=9, license="CC0-1.0")
    save_weights(tmp_path / "w.safetensors", "deepfill_v2", CONFIG, state, facts)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEFILL_DEBUG", raising=False)
    return tmp_path


def failing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Status 2, one line on stderr, nothing on stdout."""
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_inpaint_with_weights_and_attention(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = ["--attention", "map.png", "--attention-lines", "lines.png"]
    inputs = ["inpaint", "photo.png", "mask.png", "--weights", "w.safetensors"]
    assert run([*inputs, "-o", "out.png", *pictures]) == 0
    said = capsys.readouterr()
    assert "deepfill_v2" in said.out
    assert said.err == ""
    photo, mask, out, drawn, lines = (
        np.asarray(PIL.Image.open(folder / f"{name}.png"))
        for name in ("photo", "mask", "out", "map", "lines")
    )
    np.testing.assert_array_equal(out[mask == 0], photo[mask == 0])
    assert drawn.shape == lines.shape == photo.shape
    assert (drawn[20:46, 30:60] != 255).any()
    assert (lines != photo).any()


def test_random_weights_are_admitted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inpaint", "photo.png", "mask.png", "-m", "deepfill_v1"]) == 0
    assert "random weights" in capsys.readouterr().err
    assert (folder / "photo_filled.png").exists()


@pytest.mark.usefixtures("folder")
def test_wrong_uses_of_weights_end_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    inputs = ["inpaint", "photo.png", "mask.png", "-o", "out.png"]
    weights = ["--weights", "w.safetensors"]
    assert "no random seed" in failing([*inputs, *weights, "--seed", "3"], capsys)
    assert "no weights for patchmatch" in failing([*inputs, *weights, "-m", "patchmatch"], capsys)
    assert "weights of deepfill_v1" in failing([*inputs, *weights, "-m", "deepfill_v1"], capsys)
    assert "'tpu9'" in failing([*inputs, *weights, "--device", "tpu9"], capsys)
    assert "photo.png: cut short" in failing([*inputs, "--weights", "photo.png"], capsys)
    assert "none.safetensors" in failing([*inputs, "--weights", "none.safetensors"], capsys)
    overwriting = [*inputs, *weights, "--attention", "photo.png"]
    assert "photo.png is one of the input files" in failing(overwriting, capsys)
    assert "map.xyz" in failing([*inputs, *weights, "--attention", "map.xyz"], capsys)
    assert not Path("out.png").exists()


@pytest.mark.usefixtures("folder")
def test_a_method_without_attention_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    config = PartialConvConfig(width=4, levels=3)
    state = PartialConvNetwork(config).state_dict()
    save_weights("p.safetensors", "partial_conv", config, state, Provenance(source="a test"))
    inputs = ["inpaint", "photo.png", "mask.png", "-o", "out.png", "--weights", "p.safetensors"]
    assert run(inputs) == 0
    capsys.readouterr()
    said = failing([*inputs, "--attention", "map.png"], capsys)
    assert "partial_conv has no attention to draw; out.png is written" in said
    assert not Path("map.png").exists()


@pytest.mark.usefixtures("folder")
def test_info_in_words_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "w.safetensors"]) == 0
    said = capsys.readouterr().out
    for words in ("deepfill_v2", "width=4", "CC0-1.0", "a test", "115,258"):
        assert words in said
    assert run(["info", "w.safetensors", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["config"] == dataclasses.asdict(CONFIG)
    assert facts["provenance"]["step"] == 9
    assert facts["parameters"] == 115_258
    assert "photo.png is damaged or holds" in failing(["info", "photo.png"], capsys)
    assert "no weights at none" in failing(["info", "none"], capsys)


@pytest.mark.usefixtures("folder")
def test_convert_then_info(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"G": port_state(random_layers(4), "retrained"), "n_iter": 5}, "states.pth")
    assert run(["info", "states.pth"]) == 0
    assert "weights trained with deepfillv2-pytorch" in capsys.readouterr().out
    arguments = ["convert", "states.pth", "-o", "c.safetensors", "--license", "MIT"]
    assert run([*arguments, "--data", "my photos", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["padding"] == "symmetric"
    facts = read_header("c.safetensors").provenance
    assert (facts.step, facts.data, facts.license) == (5, "my photos", "MIT")
    assert run(arguments) == 0
    assert capsys.readouterr().out == "c.safetensors  (deepfill_v2, 115,258 numbers)\n"
    assert "ending in .safetensors" in failing(["convert", "states.pth", "-o", "x.pt"], capsys)


@pytest.mark.parametrize(
    ("missing", "extra", "arguments"),
    [
        ("tensorflow", "tensorflow", ["info", "snap-0"]),
        ("torch", "torch", ["info", "states.pth"]),
        (
            "safetensors",
            "torch",
            ["inpaint", "photo.png", "mask.png", "--weights", "w.safetensors"],
        ),
    ],
)
def test_a_missing_extra_gives_the_line_that_installs_it(
    folder: Path, missing: str, extra: str, arguments: list[str]
) -> None:
    for name in ("snap-0.index", "snap-0.data-00000-of-00001", "states.pth"):
        (folder / name).write_bytes(b"x")
    program = (
        f"import sys; sys.modules[{missing!r}] = None; "  # as if it were not installed
        f"from gatefill.cli import run; sys.exit(run({arguments!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"needs {missing}" in done.stderr
    assert f'pip install "gatefill[{extra}]"' in done.stderr
