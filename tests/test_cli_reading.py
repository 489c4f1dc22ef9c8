"""What the command line does with photos and masks that are not as they should be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gatefill.cli import run
from tests.images.cases import case


def filled(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Fill with PatchMatch into ``out.png``; the number of hole pixels, and the warnings."""
    assert run([*line.split(), "-m", "patchmatch", "-o", "out.png", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    return answer["hole_pixels"], [str(each) for each in answer["warnings"]]


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run([*line.split(), "-m", "patchmatch", "-o", "out.png"]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    return said.err


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def take(folder: str, *names: str) -> None:
    for name in names:
        shutil.copy(case(folder, name), name)


@pytest.mark.usefixtures("here")
def test_masks_as_stored(capsys: pytest.CaptureFixture[str]) -> None:
    take("mask-in-stored-orientation", "turned3.jpg", "turned6.jpg", "mask.png")
    for option in ("", " --resize-mask"):
        said = refused(f"inpaint turned6.jpg mask.png{option}", capsys)
        assert "as its file stores it" in said
        assert said.endswith(" (--mask-as-stored)\n")
        assert "mask_as_stored" not in said
        assert "resize" not in said
    count, said_ = filled("inpaint turned6.jpg mask.png --mask-as-stored", capsys)
    assert count == np.count_nonzero(np.asarray(PIL.Image.open("mask.png")) > 127)
    assert not any("EXIF turns" in each for each in said_)
    _, said_ = filled("inpaint turned3.jpg mask.png", capsys)
    assert any("orientation 3" in each for each in said_)


def test_pillows_warnings_are_no_output_of_the_command_line(here: Path) -> None:
    grains = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    broken = b"Exif\0\0II*\0\xff\xff\xff\xff"
    PIL.Image.fromarray(grains).save("photo.jpg", exif=broken)
    PIL.Image.new("L", (32, 32)).save("mask.png")
    command = [sys.executable, "-m", "gatefill", "inpaint", "photo.jpg", "mask.png"]
    command += ["-m", "patchmatch", "-o", "out.png"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    assert [line for line in done.stderr.splitlines() if not line.startswith("gatefill: ")] == []


@pytest.mark.usefixtures("here")
def test_photos_that_are_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("no_eoi.jpg", "cut_30_bytes.jpg", "progressive_70_percent.jpg", "mask.png")
    take("jpeg-without-its-end", *names)
    _, said = filled("inpaint no_eoi.jpg mask.png", capsys)
    assert any("end marker is missing" in each for each in said)
    for name in names[1:3]:
        assert "truncated" in refused(f"inpaint {name} mask.png", capsys)
        _, said = filled(f"inpaint {name} mask.png --allow-truncated", capsys)
        assert any("is truncated" in each for each in said)


@pytest.mark.usefixtures("here")
def test_the_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    take("jpeg-without-its-end", "mask.png")
    mask = (np.asarray(PIL.Image.open("mask.png").convert("L")) > 127) * np.uint8(90)
    PIL.Image.fromarray(mask).save("dim.png")
    PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, mask.shape, np.uint8)).save(
        "a.png"
    )
    count, said = filled("inpaint a.png dim.png", capsys)
    assert count == 0
    assert any("0, 90" in each for each in said)
    assert filled("inpaint a.png dim.png --threshold 80", capsys)[0] == np.count_nonzero(mask)
    assert "0 to 254, got 255" in refused("inpaint a.png dim.png --threshold 255", capsys)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["ztxt", "itxt", "iccp"])
def test_pngs_with_long_text_are_filled(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    take("png-large-text", f"{name}.png", "mask.png")
    filled(f"inpaint {name}.png mask.png", capsys)
    before, after = (np.asarray(_pixels(path)) for path in (f"{name}.png", "out.png"))
    hole = np.asarray(PIL.Image.open("mask.png").convert("L")) > 127
    assert (before[~hole] == after[~hole]).all()


def _pixels(path: str) -> np.ndarray:
    from gatefill.images import read_photo

    return read_photo(path).pixels


@pytest.mark.usefixtures("here")
def test_the_photo_in_a_tiff_and_raw_files(capsys: pytest.CaptureFixture[str]) -> None:
    take("tiff-thumbnail-first", "scan.tif", "shot.dng", "mask.png")
    filled("inpaint scan.tif mask.png", capsys)
    assert PIL.Image.open("out.png").size == (384, 256)
    for option in ("", " --resize-mask"):
        assert "develop it first" in refused(f"inpaint shot.dng mask.png{option}", capsys)
