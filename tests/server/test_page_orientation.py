"""Page and server see photos the same way up, whatever the browser does by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.features
import PIL.Image
import pytest

from gatefill.images import read_photo
from tests.images.cases import case
from tests.server.pages import Page
from tests.server.serving import array_of

COLORS = np.array([[[200, 30, 30], [30, 170, 40]], [[40, 50, 210], [230, 220, 60]]], np.uint8)
HEIGHT, WIDTH = 120, 180


def picture() -> PIL.Image.Image:
    """Four quarters of different colors."""
    quarters = COLORS.repeat(HEIGHT // 2, axis=0).repeat(WIDTH // 2, axis=1)
    return PIL.Image.fromarray(quarters)


def files(folder: Path) -> Iterator[Path]:
    """A file of every format and orientation; formats that lose something at a high quality."""
    formats = {"jpg": {}, "png": {}, "webp": {"lossless": True}, "tif": {}}
    if PIL.features.check("avif"):
        formats["avif"] = {"quality": 90}
    for suffix, options in formats.items():
        for orientation in (1, 2, 3, 6, 8):
            exif = PIL.Image.Exif()
            exif[0x0112] = orientation
            path = folder / f"o{orientation}.{suffix}"
            picture().save(path, exif=exif.tobytes(), **options)
            yield path
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.from_pillow(picture()).save(folder / "plain.heic", quality=90)
    yield folder / "plain.heic"


@pytest.mark.slow
def test_every_format_is_shown_as_it_is_filled(page: Page, tmp_path: Path) -> None:
    for path in files(tmp_path):
        page.open(path)
        photo = read_photo(path)
        assert f"{photo.width} × {photo.height}" in page.page.text_content("#file"), path.name
        for down in (0.25, 0.75):
            for across in (0.25, 0.75):
                x, y = int(across * photo.width), int(down * photo.height)
                shown = np.array(page.shown(x, y))
                assert abs(shown - photo.pixels[y, x]).max() < 20, (path.name, x, y)


@pytest.mark.parametrize("orientation", [3, 6])
def test_what_was_painted_is_what_changes(page: Page, tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "photo.webp"
    if orientation == 3:
        shutil.copy(case("webp-orientation", "webp_o3.webp"), path)
    else:
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        picture().save(path, exif=exif.tobytes(), lossless=True)
    before = read_photo(path)
    page.open(path)
    x, y = before.width // 4, before.height // 4
    assert abs(np.array(page.shown(x, y)) - before.pixels[y, x]).max() < 20
    page.tool("box")
    page.drag((4, 4), (24, 20))
    hole = array_of(page.mask())[..., 0] > 0
    assert hole.shape == before.shape
    assert hole[4:20, 4:24].all()
    page.fill()
    name, data = page.download("png")
    assert name == "photo_filled.png"
    after = read_photo(data)
    assert after.size == before.size
    assert (after.pixels[~hole] == before.pixels[~hole]).all()


def test_a_mask_is_loaded_as_a_fill_would_read_it(page: Page, tmp_path: Path) -> None:
    photo, copy = tmp_path / "photo.png", tmp_path / "copy.png"
    shutil.copy(case("erased-copy-as-mask", "photo.png"), photo)
    shutil.copy(case("erased-copy-as-mask", "erased_copy.png"), copy)
    page.open(photo)
    page.page.set_input_files("#mask-input", str(copy))
    page.page.locator(".notice", has_text="a part erased").wait_for()
    erased = np.asarray(PIL.Image.open(copy))[..., 3] < 255
    assert ((array_of(page.mask())[..., 0] > 0) == erased).all()
