"""The editor's mask tools, masks from files, sketches, zoom and keys, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.server.pages import HEIGHT, WIDTH, Page
from tests.server.serving import array_of, file_of


def test_mask_tools_draw_what_they_say(page: Page, gray: Path) -> None:
    page.open(gray)

    def share() -> float:
        return float((array_of(page.mask())[..., 0] > 0).mean())

    page.tool("box")
    page.drag((100, 50), (200, 150))
    box = share()
    assert box == pytest.approx(100 * 100 / (HEIGHT * WIDTH), rel=0.03)
    page.tool("eraser")
    page.drag((100, 100), (200, 100))
    erased = share()
    assert erased < box
    page.tool("lasso")
    page.drag((20, 20), (80, 20), (80, 80), (20, 80))
    lassoed = share()
    assert lassoed == pytest.approx(erased + 60 * 60 / (HEIGHT * WIDTH), rel=0.05)
    keys = page.page.keyboard
    keys.press("g")
    grown = share()
    assert grown > lassoed
    keys.press("Shift+G")
    assert share() == pytest.approx(lassoed, rel=0.02)
    keys.press("i")
    assert share() == pytest.approx(1 - lassoed, rel=0.02)
    keys.press("Delete")
    assert share() == 0
    for _ in range(3):
        keys.press("Control+z")
    assert share() == pytest.approx(grown)


def test_growing_follows_the_shape(page: Page, gray: Path) -> None:
    page.open(gray)
    page.tool("box")
    page.drag((100, 60), (140, 120))
    before = array_of(page.mask())[..., 0]
    page.page.keyboard.press("g")
    after = array_of(page.mask())[..., 0]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    wanted = cv2.dilate(before, disc)
    assert ((after > 0) != (wanted > 0)).mean() < 0.002


def test_the_brush_changes_size_by_keys_wheel_and_slider(page: Page, gray: Path) -> None:
    page.open(gray)

    def size() -> int:
        return int(page.page.text_content("#size-value").split()[0])

    start = size()
    page.page.keyboard.press("]")
    larger = size()
    assert larger > start
    page.page.keyboard.press("[")
    page.page.keyboard.press("[")
    assert size() < start
    page.page.mouse.move(*page.at(100, 100))
    page.page.keyboard.down("Shift")
    page.page.mouse.wheel(0, -100)
    page.page.keyboard.up("Shift")
    assert size() >= start - 1
    page.page.fill("#size", "900")
    assert size() > 200


def test_zoom_and_pan_keep_painting_in_place(page: Page, gray: Path) -> None:
    page.open(gray)
    zoom = page.page.locator("#zoom-level")
    start = zoom.text_content()
    page.page.mouse.move(*page.at(150, 100))
    page.page.mouse.wheel(0, -600)
    assert zoom.text_content() != start
    x, y = page.at(150, 100)  # the place under the pointer stays
    page.page.mouse.down()
    page.page.mouse.up()
    rows, columns = np.nonzero(array_of(page.mask())[..., 0])
    assert (columns.mean(), rows.mean()) == pytest.approx((150, 100), abs=1.5)
    page.page.locator("#marks").focus()
    page.page.keyboard.down("Space")
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x + 60, y + 30, steps=3)
    page.page.mouse.up()
    page.page.keyboard.up("Space")
    after_pan = np.count_nonzero(array_of(page.mask())[..., 0])
    assert after_pan == len(rows)  # nothing was painted
    page.page.keyboard.press("0")
    assert zoom.text_content() == start


def test_a_mask_is_loaded_and_saved(page: Page, gray: Path, tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[40:90, 100:180] = 255
    path = tmp_path / "mask.png"
    path.write_bytes(file_of(mask))
    page.open(gray)
    page.page.set_input_files("#mask-input", str(path))
    page.page.locator(".notice", has_text="loaded").wait_for()
    assert (array_of(page.mask())[..., 0] == mask).all()
    # One that lives in alpha
    layer = np.dstack([np.zeros((HEIGHT, WIDTH, 3), np.uint8), mask])
    path.write_bytes(file_of(layer))
    page.page.keyboard.press("Delete")
    page.page.set_input_files("#mask-input", str(path))
    page.page.locator("#hint", has_text="All of it covered").wait_for()
    assert (array_of(page.mask())[..., 0] == mask).all()
    # One of another photo
    path.write_bytes(file_of(np.zeros((50, 200), np.uint8)))
    page.page.set_input_files("#mask-input", str(path))
    page.page.locator(".notice.error", has_text=re.compile("200 [×x] 50")).wait_for()


def test_a_sketch_guides_or_the_page_says_that_it_does_not(page: Page, gray: Path) -> None:
    page.open(gray)
    page.tool("box")
    page.drag((100, 60), (160, 120))
    page.tool("sketch")
    assert "Telea takes no sketch" in page.hint
    page.choose("guided")
    assert "Draw edges" in page.hint
    page.page.fill("#size", "700")
    page.drag((110, 90), (150, 90))
    page.fill()
    _, data = page.download("png")
    result = array_of(data)
    assert tuple(result[90, 130]) == (0, 0, 255)
    assert tuple(result[65, 105]) == (128, 128, 128)


def test_keys_alone_are_enough(page: Page, gray: Path) -> None:
    page.open(gray)
    page.page.locator("#marks").focus()
    keys = page.page.keyboard
    keys.press("ArrowRight")
    keys.press("x")
    for _ in range(4):
        keys.press("ArrowDown")
    keys.press("x")
    assert array_of(page.mask())[..., 0].any()
    page.page.locator("#marks").focus()
    keys.press("Enter")
    page.page.locator("#steps li").nth(1).wait_for()
    keys.press("?")
    page.page.wait_for_selector("#help-dialog[open]")
    keys.press("Escape")
    page.page.wait_for_selector("#help-dialog", state="hidden")


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ([(60, 40), (200, 160)], "box"),
        ([(60, 60), (200, 90)], "box"),
        ([(60, 40), (220, 40), (220, 160), (60, 160), (60, 46)], "box"),  # a loop
        ([(150, 30), (150, 170)], "sketch"),
        ([(60, 100), (240, 102)], "sketch"),
        ([(150, 30), (156, 70), (140, 120), (150, 170)], "sketch"),
        ([(60, 60), (200, 80), (70, 100), (200, 130)], "sketch"),
    ],
)
def test_a_box_or_a_line_over_the_object_is_sent(
    page: Page, gray: Path, path: list[tuple[int, int]], part: str
) -> None:
    page.open(gray)
    page.tool("object")
    # Playwright does not tell of bodies that hold files.
    page.page.evaluate("""() => {
        const own = window.fetch;
        window.fetch = (path, options) => {
            if (path.includes("select")) window.sent = [...options.body.keys()];
            return own(path, options);
        };
    }""")
    with page.page.expect_response("**/select/object"):
        page.drag(*path)
    sent = page.page.evaluate("window.sent")
    assert [name for name in sent if name in ("box", "sketch")] == [part]


@pytest.mark.parametrize("key", ["ㅑ", "Process", "ш"])  # Hangul, an input method, Cyrillic
def test_keys_are_those_of_the_place_where_letters_are_not_latin(
    page: Page, gray: Path, key: str
) -> None:
    page.open(gray)
    page.page.mouse.move(*page.at(100, 100))
    session = page.page.context.new_cdp_session(page.page)
    session.send("Input.dispatchKeyEvent", {"type": "keyDown", "key": key, "code": "KeyI"})
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": key, "code": "KeyI"})
    assert array_of(page.mask()).min() == 255  # the mask was inverted
