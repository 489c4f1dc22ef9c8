"""Files in the editor: transparent ones, and those that can never be filled."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import PIL.features
import PIL.Image
import pytest

from tests.server.pages import HEIGHT, WIDTH, Page, page_of
from tests.server.serving import array_of, file_of, limits, photo, serving


def transparent_file(path: Path) -> np.ndarray:
    """A gray photo, clear on the right third, where its pixels are black."""
    image = np.full((HEIGHT, WIDTH, 4), (90, 120, 150, 255), np.uint8)
    image[:, 200:] = 0
    path.write_bytes(file_of(image))
    return image


def test_what_is_shown_over_transparent_pixels_is_saved(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "cutout.png"
    before = transparent_file(path)
    page.open(path)
    page.tool("box")
    page.drag((180, 50), (240, 100))
    page.fill()
    assert page.page.locator(".notice", has_text="transparent").count() == 0
    shown = page.shown(230, 75)
    _, data = page.download("same")
    after = array_of(data)
    assert after[75, 230, 3] == 255
    assert np.abs(after[75, 230, :3].astype(int) - shown).max() <= 2
    assert after[150, 250, 3] == 0
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[49:101, 179:241] = False
    assert (after[outside] == before[outside]).all()


def test_transparent_parts_are_filled_from_the_page(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "cutout.png"
    before = transparent_file(path)
    page.open(path)
    page.page.click("#mask-menu-toggle")
    page.page.click("[data-command=transparent]")
    page.page.locator("#hint", has_text="All of it covered").wait_for()
    hole = array_of(page.mask())[..., 0] > 0
    assert (hole == (before[..., 3] == 0)).all()
    page.fill()
    _, data = page.download("same")
    after = array_of(data)
    assert after.shape[2] == 3  # nothing is transparent any more
    assert np.abs(after[100, 220].astype(int) - before[100, 100, :3]).max() < 10
    page.page.click("#mask-menu-toggle")
    page.page.click("[data-command=transparent]")
    page.page.locator(".notice.error", has_text="no transparent part").wait_for()


def test_files_over_the_limits_are_shrunk_or_refused(browser: Any, tmp_path: Path) -> None:
    large = photo(300, 400)
    with serving(*limits(max_pixels=60_000)) as found, page_of(browser, found) as page:
        page.visit()
        path = tmp_path / "large.jpg"
        path.write_bytes(file_of(large, "JPEG"))
        page.open(path)
        page.page.locator(
            ".notice", has_text=re.compile("at 282 × 212 instead of 400 × 300")
        ).wait_for()
        page.drag((50, 50), (60, 60))
        page.fill()
        name, data = page.download("same")
        assert name == "large_filled.jpg"
        assert array_of(data).shape == (212, 282, 3)
        # A format that the browser cannot shrink
        path = tmp_path / "scan.tif"
        path.write_bytes(file_of(large, "TIFF"))
        page.page.set_input_files("#file-input", str(path))
        notice = page.page.locator(".notice.error", has_text="scan.tif cannot be opened")
        notice.wait_for()
        assert "400 × 300" in notice.text_content()
        assert page.page.is_hidden("#strip")


@pytest.mark.skipif(not PIL.features.check("avif"), reason="this Pillow has no AVIF")
def test_a_damaged_avif_is_refused_when_it_is_opened(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "damaged.avif"
    PIL.Image.fromarray(photo(HEIGHT, WIDTH)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    page.page.set_input_files("#file-input", str(path))
    page.page.locator(".notice.error", has_text="damaged.avif cannot be opened").wait_for()
    assert page.page.is_visible("#welcome")


def test_what_changes_while_a_file_is_prepared_is_not_taken_for_saved(
    page: Page, noise: Path, gray: Path
) -> None:
    page.open(noise)
    page.open(gray)
    page.drag((100, 80), (140, 100))
    page.fill()
    waiting: list[Any] = []
    page.page.route("**/compose", lambda route: waiting.append(route))
    page.page.click("#download")
    page.page.click("#download-png")
    # As many steps as before
    page.page.keyboard.press("Control+z")
    page.page.keyboard.press("Control+z")
    page.drag((40, 40), (60, 60))
    page.fill()
    with page.page.expect_download():
        waiting[0].continue_()
    page.page.locator("#photos .close").last.click()
    page.page.wait_for_selector("#question[open]")
    page.page.click("#question-yes")


def test_a_mask_that_was_not_filled_is_in_no_download(page: Page, noise: Path, gray: Path) -> None:
    page.open(noise)
    page.open(gray)
    page.drag((100, 80), (140, 100))
    page.fill()
    page.drag((40, 40), (60, 60))
    page.download("png")
    close = page.page.locator("#photos .close").last
    close.click()
    page.page.click("#question[open] [value=no]")
    page.page.keyboard.press("Control+z")
    page.download("png")
    page.page.wait_for_timeout(200)
    close.click()
    page.page.locator("#file", has_text="noise.png").wait_for(state="attached")
