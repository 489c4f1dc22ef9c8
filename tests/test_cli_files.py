"""Which file `gatefill inpaint` writes, and what it says about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import gatefill
from tests.images.cases import case
from tests.test_cli import run

pytestmark = pytest.mark.usefixtures("folder")


def inpaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The answer to `gatefill inpaint` with PatchMatch."""
    capsys.readouterr()
    assert run(["inpaint", *arguments, "-m", "patchmatch", "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize(
    ("name", "format", "output"),
    [
        ("really.jpg", "PNG", "really_filled.png"),
        ("really.png", "JPEG", "really_filled.jpg"),
        ("photo.jfif", "JPEG", "photo_filled.jfif"),
        ("photo.jpe", "JPEG", "photo_filled.jpe"),
        ("photo.gif", "GIF", "photo_filled.png"),
        ("photo", "WEBP", "photo_filled.webp"),
    ],
)
def test_the_output_has_the_format_of_the_content(
    capsys: pytest.CaptureFixture[str], name: str, format: str, output: str
) -> None:
    PIL.Image.open("photo.png").save(name, format=format)
    assert inpaint(capsys, name, "mask.png")["output"] == output
    expected = "PNG" if format == "GIF" else format
    assert PIL.Image.open(output).format == expected


@pytest.mark.parametrize("name", ["really_png.jpg", "really_png_alpha.jpg"])
def test_a_png_with_the_name_of_a_jpeg_keeps_its_pixels(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    source, mask = (case("name-and-content-differ", each) for each in (name, "mask.png"))
    Path(name).write_bytes(source.read_bytes())
    answer = inpaint(capsys, name, str(mask))
    known = np.asarray(PIL.Image.open(mask)) == 0
    before, after = PIL.Image.open(source), PIL.Image.open(answer["output"])
    assert after.mode == before.mode
    assert (np.asarray(after)[known] == np.asarray(before)[known]).all()
    # As a JPEG it loses some, and says so.
    answer = inpaint(capsys, name, str(mask), "-o", "out.jpg")
    codes = ["file.alpha", "file.lossy"] if before.mode == "RGBA" else ["file.lossy"]
    assert [warning["code"] for warning in answer["warnings"]] == codes


def test_quality_and_lossless_reach_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    PIL.Image.open("photo.png").save("photo.webp", quality=80)
    sizes = {}
    for options in ((), ("--lossless",), ("--lossy",), ("--quality", "20")):
        inpaint(capsys, "photo.webp", "mask.png", "-o", "out.webp", *options)
        sizes[options] = Path("out.webp").stat().st_size
        lossless = Path("out.webp").read_bytes()[12:16] == b"VP8L"
        assert lossless == (options == ("--lossless",))
    assert sizes[("--quality", "20")] < sizes[()] == sizes[("--lossy",)] < sizes[("--lossless",)]
    known = np.asarray(PIL.Image.open("mask.png")) == 0
    before = np.asarray(PIL.Image.open("photo.webp"))[known]
    inpaint(capsys, "photo.webp", "mask.png", "-o", "out.webp", "--lossless")
    assert (np.asarray(PIL.Image.open("out.webp"))[known] == before).all()


def test_options_that_cannot_be_had_are_refused_before_the_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for options, text in (
        (["-o", "out.jpg", "--lossless"], "such as PNG or WebP, got JPEG"),
        (["-o", "out.jpg", "--quality", "0"], "from 1 to 100, got 0"),
        (["-o", "out.webp", "--quality", "50", "--lossless"], "got both"),
    ):
        assert run(["inpaint", "photo.png", "mask.png", *options]) == 2
        assert text in capsys.readouterr().err
    assert not list(Path().glob("out.*"))


def test_what_the_file_leaves_out_stands_in_the_answer_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = inpaint(capsys, "photo.png", "mask.png", "-o", "out.jpg")
    assert [warning["code"] for warning in answer["warnings"]] == ["file.lossy"]


def test_what_the_file_leaves_out_is_added_to_the_results_warnings() -> None:
    result = gatefill.load("patchmatch")("photo.png", "mask.png")
    assert result.warnings == ()
    for _ in range(2):
        result.save("out.jpg", overwrite=True)
        assert [warning.code for warning in result.warnings] == ["file.lossy"]
