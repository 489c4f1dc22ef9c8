"""What users get wrong is said in one line with exit status 2, and never as a bug."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import gatefill
from gatefill.cli import run
from gatefill.errors import GatefillError
from gatefill.images import Photo, read_mask, read_photo
from gatefill.methods.patchmatch import PatchMatchConfig

CONFIG = PatchMatchConfig()
NUMBER = "99999999999999999999999999"  # fits no machine's integers

INPAINT = "inpaint photo.png mask.png -o out.png --overwrite -m patchmatch"
NETWORK = "inpaint photo.png mask.png -o out.png --overwrite -m deepfill_v2"
LAPTOP = "train deepfill-v2-laptop --data ."

LINES = [
    # names of files and folders
    "inpaint photo.png mask.png -o no/such/out.png -m patchmatch",
    "inpaint photo.png mask.png -o /proc/out.png -m patchmatch",
    f"inpaint photo.png mask.png -o {'x' * 300}.png -m patchmatch",
    "inpaint photo.png mask.png -o out.xyz -m patchmatch",
    "inpaint none.png mask.png -o out.png -m patchmatch",
    "inpaint text.txt mask.png -o out.png -m patchmatch",
    "inpaint photo.png text.txt -o out.png -m patchmatch",
    "inpaint /dev/zero mask.png -o out.png -m patchmatch",
    f"{INPAINT} --search text.txt",
    f"{INPAINT} --attention no/a.png",
    "masks text.txt --kind box",
    "masks /proc/x --kind box --count 1",
    "masks m --kind object --cutout text.txt",
    "info text.txt",
    "info .",
    "info none.safetensors",
    "convert text.txt -o w.safetensors",
    "convert . -o w.safetensors",
    "compare photo.png --methods telea -o text.txt",
    "compare none --methods telea -o c",
    f"{NETWORK} --weights text.txt",
    f"{NETWORK} --weights .",
    f"{NETWORK} --weights /dev/zero",
    f"{LAPTOP} -o text.txt",
    f"{LAPTOP} --start-from text.txt",
    "train deepfill-v2-laptop --data none",
    "serve --token-file photo.png --workers 0",
    # numbers out of range
    f"{INPAINT} --max-pixels 0",
    f"{INPAINT} --grow 1.5",
    f"{INPAINT} --seed 1.5",
    f"{INPAINT} --feather 0.5",
    "masks m --kind box --count 1.5",
    "serve --port 80.5",
    "batch photo.png --mask mask.png -o out --feather 1.5",
    f"{INPAINT} --max-pixels -5",
    *(
        f"batch . -o out --mask mask.png {option}"
        for option in (
            "--processes 0",
            "--threads 0",
            "--cpus-per-actor -1 --ray local",
            "--cpus-per-actor nan",
            "--gpus-per-actor -1",
            "--grow -1",
            "--threshold 255",
            "--quality 0",
            "--per-shard 0",
            "--max-pixels 0",
        )
    ),
    f"{LAPTOP} --dry-run --nodes 0",
    f"{LAPTOP} --dry-run --nodes -1",
    f"{LAPTOP} --dry-run --minutes nan",
    f"{LAPTOP} --dry-run --minutes inf",
    f"{LAPTOP} --dry-run --strategy foo",
    f"{LAPTOP} --dry-run --start-from none",
    f"{LAPTOP} --dry-run --validate none",
    f"{INPAINT} --seed {NUMBER}",
    f"{INPAINT} --seed -1",
    f"{INPAINT} --grow -1",
    f"{INPAINT} --grow {NUMBER}",
    f"{INPAINT} --threshold 999",
    f"{INPAINT} --max-pixels 0",
    f"{INPAINT} --quality {NUMBER}",
    f"{INPAINT} --set patch_size={NUMBER}",
    f"{INPAINT} --set texture=nan",
    f"{INPAINT} --set levels=1e3",
    f"masks m --kind box --size {NUMBER}x9",
    "masks m --kind box --size 0x0",
    "masks m --kind box --count 0",
    "masks m --kind box --seed -1",
    "masks m --kind box --count 1 --bin 1-0",
    "compare photo.png --methods telea --size 8 -o c",
    "compare photo.png --methods telea --size 64x48 -o c",
    "compare photo.png --methods telea --size 0x0 -o c",
    "data check . --size 64x48",
    "data check . --size big",
    "compare photo.png --methods telea --limit 0 -o c",
    f"{LAPTOP} --dry-run --set seed={NUMBER}",
    f"{LAPTOP} --set network.width=1",
    f"serve --port {NUMBER}",
    "serve --port -1",
    "serve --seconds nan",
    # names of things
    f"{NETWORK} --device cuda:99",
    f"{NETWORK} --device meta",
    f"{NETWORK} --device ''",
    "inpaint photo.png mask.png -o out.png -m nope",
    "compare photo.png --methods nope -o c",
    "compare photo.png --methods telea --masks nope -o c",
    f"{LAPTOP} --devices x",
    f"{LAPTOP} --set optimizer.kind=x",
    "train nope --data .",
    "serve --host nope.invalid --token 12345678",
    "masks m --kind nope",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save("photo.png")
    mask = np.zeros((32, 40), np.uint8)
    mask[8:16, 8:16] = 255
    PIL.Image.fromarray(mask).save("mask.png")
    Path("text.txt").write_text("no image, and no list of any")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("line", LINES)
def test_a_mistake_is_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shlex.split(line)) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert not re.search("bug|Unknown option|Unknown command", said[-1])
    assert said[-1].startswith("gatefill: ")


EMPTY = {
    "'' --json": "as the command",
    "inpaint '' mask.png -o out.png": "behind inpaint",
    "inpaint photo.png '' -o out.png": "behind photo.png",
    "inpaint photo.png mask.png -o ''": "for -o",
    "inpaint photo.png mask.png -o out.png -m ''": "for -m",
    "inpaint photo.png mask.png -o out.png --weights=": "for --weights",
    "inpaint photo.png mask.png -o out.png --set ''": "for --set",
    "batch . -o out --masks ''": "for --masks",
    "train deepfill-v2-laptop --data . --start-from '' --dry-run": "for --start-from",
    "serve --token ''": "for --token",
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("line", EMPTY)
def test_an_empty_argument_is_not_taken_for_the_folder_or_the_default(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shlex.split(line)) == 2
    said = capsys.readouterr().err.strip()
    assert said == f"gatefill: expected a value {EMPTY[line]}, got an empty one"


@pytest.mark.parametrize("line", ["--grace -1", "--max-megabytes 0"])
def test_limits_of_the_server_are_called_as_on_the_command_line(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shlex.split(f"serve {line}")) == 2
    option, value = line.split()
    said = capsys.readouterr().err
    assert said.startswith(f"gatefill: expected {option} of ")
    assert value in said


@pytest.mark.usefixtures("folder")
def test_an_empty_path_on_a_host_may_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    for given in ("--root-path ''", "--root-path="):
        assert run(shlex.split(f"serve {given} --port -1")) == 2
        assert "port" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_an_empty_name_of_a_method_is_none() -> None:
    with pytest.raises(GatefillError, match="''"):
        gatefill.load("")
    with pytest.raises(GatefillError, match="''"):
        gatefill.batch("photo.png", "out", method="")


@pytest.mark.usefixtures("folder")
def test_a_null_byte_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((GatefillError, OSError)):
        read_photo("a\0b.png")
    assert run(["inpaint", "a\0b.png", "mask.png"]) == 2
    assert "null bytes" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "call",
    [
        lambda: read_photo("x" * 5000),
        lambda: read_photo(b""),
        lambda: read_photo(3),  # type: ignore[arg-type]
        lambda: read_photo(np.zeros((9, 9, 9))),
        lambda: read_photo(np.zeros((4, 4), "datetime64[s]")),
        lambda: read_photo(np.zeros((4, 4, 3), object)),
        lambda: read_photo(np.full((4, 4, 3), np.nan)),
        lambda: read_photo("photo.png").save("a\0b.png"),
        lambda: read_photo("photo.png").save("out.png", quality=0),
        lambda: read_mask(np.zeros((3, 3)), read_photo("photo.png")),
        lambda: read_mask(["a"], read_photo("photo.png")),  # type: ignore[arg-type]
        lambda: Photo(np.zeros((4, 4), np.uint8)),
        lambda: Photo(np.zeros((4, 4, 3), np.float32)),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch", weights="a\0b"),
        lambda: gatefill.load(weights="a\0b"),
        lambda: gatefill.load("patchmatch", large="half"),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch", context=float("nan")),
        lambda: gatefill.load("patchmatch", config=3),
        lambda: gatefill.load("deepfill_v2", device="tpu9"),
        lambda: gatefill.load("patchmatch")("photo.png", "mask.png", grow=-1),
        lambda: gatefill.load("patchmatch")("photo.png", "mask.png", sketch=np.zeros((2, 2))),
        lambda: gatefill.load("telea"),
        lambda: gatefill.load("patchmatch", context="1"),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch", context=10**400),
        lambda: gatefill.load("patchmatch", max_pixels="3"),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch", batch_size=1.5),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch", batch_size="2"),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch", memory_limit="1"),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch", memory_limit=0),
        lambda: gatefill.load("deepfill_v2", options=PatchMatchConfig()),  # type: ignore[arg-type]
        lambda: gatefill.load("deepfill_v2", options={}),  # type: ignore[arg-type]
        lambda: gatefill.load(weights=3),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch")("photo.png", "mask.png", feather=1.5),  # type: ignore[call-overload]
        lambda: gatefill.load("patchmatch")("photo.png", "mask.png", feather="3"),  # type: ignore[call-overload]
        lambda: gatefill.load("patchmatch")("photo.png", np.full((32, 40), "a")),
        lambda: gatefill.load("patchmatch")("photo.png", "mask.png", sketch=np.full((32, 40), "a")),
        lambda: gatefill.load("patchmatch").extend("photo.png", left=1.5),  # type: ignore[arg-type]
        lambda: gatefill.load("patchmatch").extend("photo.png", left="3"),  # type: ignore[arg-type]
        lambda: replace(CONFIG, texture=10**400),
        lambda: gatefill.batch("photo.png", "out", mask="mask.png", feather=1.5),
    ],
)
def test_a_wrong_call_raises_an_error_with_a_code(call: Callable[[], Any]) -> None:
    with pytest.raises(GatefillError) as caught:
        call()
    assert "." in caught.value.code
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_a_warning_comes_with_the_option_that_helps(capsys: pytest.CaptureFixture[str]) -> None:
    PIL.Image.fromarray(255 - np.asarray(PIL.Image.open("mask.png"))).save("inverted.png")
    assert run(["inpaint", "photo.png", "inverted.png", "-o", "out.png", "-m", "patchmatch"]) == 0
    said = capsys.readouterr().err
    assert "warning: the hole covers 95% of the photo: is the mask inverted?" in said
    assert "(--invert-mask turns it round)" in said


@pytest.mark.usefixtures("folder")
def test_values_are_what_json_can_hold() -> None:
    calls = (
        lambda: read_mask(np.zeros((3, 3)), read_photo("photo.png")),
        lambda: read_mask(np.full((32, 40), 7e9), read_photo("photo.png")),
        lambda: gatefill.load("patchmatch", config=replace(CONFIG, patch_size=np.int64(4))),
        lambda: gatefill.load("patchmatch", config=replace(CONFIG, texture=np.float32(9))),
    )
    for call in calls:
        with pytest.raises(GatefillError) as caught:
            call()
        assert json.loads(json.dumps(caught.value.values)) == caught.value.values


@pytest.mark.usefixtures("folder")
def test_a_folder_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        "inpaint photo.png mask.png -o /proc/self/out.png -m patchmatch",
        "masks /proc/self/m --kind box --count 1",
        "compare photo.png --methods telea -o /proc/self/c",
    ):
        assert run(line.split()) == 2, line
        assert "/proc/self" in capsys.readouterr().err
