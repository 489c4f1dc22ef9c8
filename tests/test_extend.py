"""Extending photos beyond their edges: in Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

import gatefill
from gatefill.cli import run
from gatefill.errors import ConfigError
from gatefill.extending import with_margins


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(3).integers(60, 120, (50, 70, 3), dtype=np.uint8)


def test_margins_are_filled_and_the_photo_stays(photo: np.ndarray) -> None:
    inpaint = gatefill.load("patchmatch")
    result = inpaint.extend(photo, left=20, top=8, bottom=5)
    pixels = result.photo.pixels
    assert pixels.shape == (63, 90, 3)
    assert (pixels[8:58, 20:] == photo).all()
    assert result.mask.sum() == 63 * 90 - 50 * 70
    filled = pixels[result.mask]
    assert abs(filled.mean() - photo.mean()) < 10
    assert filled.std() > 5  # texture, not the repeated edge
    assert result.photo.alpha is None


def test_transparent_parts_stay_so_and_16_bits(photo: np.ndarray) -> None:
    deep = np.dstack([photo.astype(np.uint16) * 257, np.full((50, 70), 65535, np.uint16)])
    deep[:10, :10, 3] = 0
    result = gatefill.load("patchmatch").extend(deep, right=12)
    assert result.photo.pixels.dtype == np.uint16
    assert (result.photo.pixels[:, :70] == deep[..., :3]).all()
    assert result.photo.alpha is not None
    assert (result.photo.alpha[:, :70] == deep[..., 3]).all()
    assert (result.photo.alpha[:, 70:] == 65535).all()


@pytest.mark.parametrize("margins", [{}, {"left": 0}, {"left": -1, "right": 5}])
def test_margins_that_make_no_sense_are_refused(photo: np.ndarray, margins: dict[str, int]) -> None:
    with pytest.raises(ConfigError) as caught:
        with_margins(gatefill.Photo(photo), **margins)
    assert caught.value.code == "extend.margins"


def test_a_canvas_over_the_limit_is_refused(photo: np.ndarray) -> None:
    with pytest.raises(ConfigError) as caught:
        with_margins(gatefill.Photo(photo), left=30, max_pixels=4999)
    assert caught.value.code == "extend.size"
    larger, hole = with_margins(gatefill.Photo(photo), left=30, max_pixels=5000)
    assert larger.size == (100, 50)
    assert larger.alpha is not None
    assert ((larger.alpha == 0) == hole).all()


def test_the_command_line_extends_a_turned_jpeg(
    photo: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    path = tmp_path / "photo.jpg"
    PIL.Image.fromarray(photo).save(path, exif=exif.tobytes(), quality=95)
    upright = np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(path)))
    arguments = ["--left", "50%", "--top", "6", "-m", "patchmatch", "--json"]
    assert run(["extend", str(path), *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    assert Path(told["output"]).name == "photo_extended.jpg"
    found = PIL.Image.open(told["output"])
    assert found.getexif()[0x010E] == "a description"
    shown = np.asarray(PIL.ImageOps.exif_transpose(found)).astype(int)
    assert shown.shape == (70 + 6, 50 + 25, 3)
    assert np.abs(shown[6:, 25:] - upright).mean() < 4
    assert run(["extend", str(path), *arguments]) == 2  # it is there
    assert run(["extend", str(path), "--left", "many", "-o", str(tmp_path / "o.png")]) == 2
    assert "expected --left as pixels" in capsys.readouterr().err
