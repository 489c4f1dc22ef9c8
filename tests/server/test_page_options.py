"""What people are used to: other results, regions to take from, options, downloads, keys."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.server.pages import HEIGHT, WIDTH, Page, page_of
from tests.server.serving import Server, array_of, file_of, photo, serving
from tests.server.test_page_looks import PHONE

pytestmark = pytest.mark.slow  # seconds of a browser each


@pytest.fixture(scope="module")
def copying() -> Iterator[Server]:
    """A server whose default is PatchMatch, which has seeds and takes search regions."""
    with serving("--patchmatch") as found:
        yield found


@pytest.fixture
def copier(browser: Any, copying: Server) -> Iterator[Page]:
    with page_of(browser, copying) as found:
        yield found.visit()


def wait_for_results(page: Page, count: int) -> None:
    page.page.locator("#results li").nth(count - 1).wait_for(state="attached")
    page.page.locator("#fill").wait_for(state="visible")


def test_another_result_has_another_seed_or_method_on_the_same_mask(
    copier: Page, noise: Path
) -> None:
    copier.open(noise)
    copier.tool("box")
    copier.drag((100, 60), (160, 120))
    hole = array_of(copier.mask())[..., 0] > 0
    copier.fill()
    first = array_of(copier.download("png")[1])
    copier.page.click("[data-command=another]")
    wait_for_results(copier, 2)
    assert copier.steps == 2  # still one fill
    assert "seed 1" in copier.page.locator("#results [aria-current]").text_content()
    second = array_of(copier.download("png")[1])
    assert (second[hole] != first[hole]).any()
    assert (second[~hole] == first[~hole]).all()
    copier.choose("telea")
    copier.page.keyboard.press("v")
    wait_for_results(copier, 3)
    assert copier.page.locator("#results [aria-current]").text_content() == "Telea"
    copier.page.locator("#results button").first.click()
    copier.page.locator("#results li:first-child [aria-current]").wait_for()
    assert (array_of(copier.download("png")[1]) == first).all()
    # They outlive a reload, and the fill is still one step.
    copier.page.wait_for_selector("body[data-kept=yes]")
    copier.visit()
    wait_for_results(copier, 3)
    copier.page.locator("#results button").nth(1).click()
    copier.page.locator("#results li:nth-child(2) [aria-current]").wait_for()
    assert (array_of(copier.download("png")[1]) == second).all()
    copier.page.keyboard.press("Control+z")
    assert (array_of(copier.mask())[..., 0][hole] > 0).all()
    assert copier.page.is_hidden("#results-section")


def test_more_shows_variants_side_by_side(copier: Page, noise: Path) -> None:
    copier.open(noise)
    copier.tool("box")
    copier.drag((100, 60), (160, 120))
    copier.fill()
    copier.page.click("[data-command=more]")
    grid = copier.page.locator("#results-grid button")
    grid.nth(3).wait_for()
    assert len(set(grid.all_text_contents())) == 4  # no seed twice
    boxes = [each.bounding_box() for each in grid.all()]
    assert boxes[0]["y"] == boxes[1]["y"]  # side by side
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    copier.page.locator("#results-busy", has_text=re.compile("^$")).wait_for(state="attached")
    grid.nth(2).click()
    copier.page.wait_for_selector("#results-dialog", state="hidden")
    copier.page.locator("#results li:nth-child(3) [aria-current]").wait_for()


@pytest.mark.parametrize("tool", ["take", "avoid"])
def test_material_comes_from_where_it_may(copier: Page, tmp_path: Path, tool: str) -> None:
    """The left half is red, the right half blue, with a hole between them."""
    image = photo(HEIGHT, WIDTH) // 4
    image[:, :150, 0] = 230
    image[:, 150:, 2] = 230
    path = tmp_path / "halves.png"
    path.write_bytes(file_of(image))
    copier.open(path)
    copier.tool("box")
    copier.drag((130, 80), (170, 120))
    hole = array_of(copier.mask())[..., 0] > 0
    copier.tool(tool)
    copier.page.fill("#size", "1000")  # the widest brush
    copier.page.fill("#size", "690")
    x = 40 if tool == "take" else 260
    for y in range(20, 200, 30):
        copier.drag((x, y), (x + 1, y))
    if tool == "avoid":
        for x in (180, 215, 235):
            copier.drag((x, 0), (x, 199))
    copier.page.screenshot()
    copier.fill()
    after = array_of(copier.download("png")[1])
    red = after[hole][:, 0] > after[hole][:, 2]
    assert red.mean() > 0.9, red.mean()


def test_a_method_that_takes_no_region_says_so(page: Page, gray: Path) -> None:
    page.open(gray)
    page.tool("take")
    assert "Telea takes its material from everywhere" in page.hint
    page.drag((20, 20), (60, 20))
    page.tool("brush")
    page.drag((100, 80), (140, 80))
    page.fill()


def test_filling_as_the_brush_is_lifted_is_an_option(page: Page, gray: Path) -> None:
    page.open(gray)
    page.page.check("#at-once")
    page.drag((100, 80), (140, 80))
    page.page.locator("#steps li").nth(1).wait_for(state="attached")
    page.page.wait_for_selector("body[data-kept=yes]")
    page.visit()
    page.page.wait_for_timeout(150)
    assert page.page.is_checked("#at-once")
    page.page.uncheck("#at-once")
    page.drag((100, 120), (140, 120))
    page.page.wait_for_timeout(500)
    assert page.steps == 2


def test_painting_goes_on_while_a_fill_runs(page: Page, gray: Path) -> None:
    page.open(gray)
    page.choose("slow")
    page.drag((40, 60), (80, 60))
    first = array_of(page.mask())[..., 0] > 0
    page.page.click("#fill")
    page.page.locator("#hint", has_text="Filling").wait_for()
    page.drag((180, 120), (220, 120))
    page.page.keyboard.press("Control+z")
    page.page.keyboard.press("Control+y")
    page.page.mouse.move(*page.at(180, 160))
    page.page.mouse.down()  # the fill arrives with the button down
    page.page.mouse.move(*page.at(220, 160), steps=3)
    page.page.wait_for_timeout(3500)
    page.page.mouse.up()
    page.page.locator("#steps li").nth(1).wait_for(state="attached")
    left = array_of(page.mask())[..., 0] > 0
    assert not left[first].any()
    assert left[120, 180:220].all()
    assert left[160, 180:220].all()
    page.page.keyboard.press("Control+z")
    assert (array_of(page.mask())[..., 0][first] > 0).all()


def test_holding_shows_the_opened_photo(page: Page, tmp_path: Path) -> None:
    image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    image[80:120, 80:120] = (200, 0, 0)
    path = tmp_path / "red.png"
    path.write_bytes(file_of(image))
    page.open(path)
    page.tool("box")
    page.drag((70, 70), (130, 130))
    page.fill()
    page.page.mouse.move(5, 5)
    filled = page.shown(100, 100)
    page.page.keyboard.down("o")
    page.page.wait_for_timeout(100)
    assert page.shown(100, 100) == (200, 0, 0)
    page.page.keyboard.up("o")
    page.page.wait_for_timeout(100)
    assert page.shown(100, 100) == filled
    page.page.locator("#hold").hover()
    page.page.mouse.down()
    page.page.wait_for_timeout(100)
    assert page.shown(100, 100) == (200, 0, 0)
    page.page.mouse.up()
    page.page.wait_for_timeout(100)
    assert page.shown(100, 100) == filled


def test_shift_and_a_click_draw_a_straight_line(page: Page, gray: Path) -> None:
    page.open(gray)
    page.page.mouse.click(*page.at(40, 40))
    page.page.keyboard.down("Shift")
    page.page.mouse.click(*page.at(240, 140))
    page.page.keyboard.up("Shift")
    mask = array_of(page.mask())[..., 0] > 0
    assert all(mask[40 + step // 2, 40 + step] for step in range(0, 200, 10))
    page.page.keyboard.press("Control+z")
    assert array_of(page.mask())[..., 0][40, 40]


def test_straight_lines_begin_at_a_stroke_that_is_there(
    page: Page, gray: Path, noise: Path
) -> None:
    def shift_click(x: int, y: int) -> None:
        page.page.keyboard.down("Shift")
        page.page.mouse.click(*page.at(x, y))
        page.page.keyboard.up("Shift")

    page.open(gray)
    page.page.mouse.click(*page.at(40, 40))
    page.page.mouse.click(*page.at(40, 160))
    page.page.keyboard.press("Control+z")
    shift_click(240, 40)  # from the stroke that was not undone
    mask = array_of(page.mask())[..., 0] > 0
    assert mask[40, 40:240].all()
    assert not mask[100:].any()
    page.open(noise)  # nobody drew on this one
    shift_click(100, 150)
    mask = array_of(page.mask())[..., 0] > 0
    assert mask[150, 100]
    assert mask.any(axis=0).sum() < 40


def test_a_soft_edge_blends_around_the_hole(page: Page, tmp_path: Path) -> None:
    image = photo(HEIGHT, WIDTH)
    path = tmp_path / "photo.png"
    path.write_bytes(file_of(image))
    page.open(path)
    page.page.fill("#soft-edge", "12")
    page.tool("box")
    page.drag((100, 60), (160, 120))
    page.fill()
    after = array_of(page.download("png")[1]).astype(int)
    changed = np.abs(after - image).max(axis=2)
    near, far = changed[88:92, 162:165], changed[88:92, 169:172]
    assert near.mean() > 2 * far.mean() > 0
    assert (changed[:, 174:] == 0).all()  # known pixels beyond the edge are the same
    assert (changed[:46] == 0).all()


def test_downloads_have_format_quality_and_name(page: Page, noise: Path) -> None:
    page.open(noise)
    page.drag((100, 80), (140, 100))
    page.fill()

    def saved(format: str, quality: str, name: str, button: str = "file") -> tuple[str, bytes]:
        page.page.click("#download")
        page.page.click("[data-command=downloadAs]")
        page.page.select_option("#download-format", format)
        if format == "jpg":
            page.page.fill("#download-quality", quality)
        page.page.fill("#download-name", name)
        with page.page.expect_download() as found:
            page.page.click(f"#download-form [value={button}]")
        return found.value.suggested_filename, Path(found.value.path()).read_bytes()

    name, fine = saved("jpg", "95", "my photo")
    assert name == "my photo.jpg"
    assert PIL.Image.open(io.BytesIO(fine)).format == "JPEG"
    _, coarse = saved("jpg", "20", "my photo")
    assert len(coarse) < len(fine) / 2
    name, data = saved("webp", "", "other")
    assert (name, PIL.Image.open(io.BytesIO(data)).format) == ("other.webp", "WEBP")
    name, data = saved("png", "", "both", "both")
    both = array_of(data)[..., :3]
    assert name == "both_before_after.png"
    assert both.shape[0] == HEIGHT
    assert both.shape[1] > 2 * WIDTH
    assert (both[:, :WIDTH] == array_of(noise.read_bytes())).all()
    assert (both[:, -WIDTH:] != both[:, :WIDTH]).any()


def test_the_photo_is_copied_to_the_clipboard(browser: Any, server: Server, noise: Path) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with page_of(browser, server, permissions=permissions) as page:
        page.visit().open(noise)
        page.page.click("#download")
        page.page.click("[data-command=copy]")
        page.page.locator(".notice", has_text="in the clipboard").wait_for()
        size = page.page.evaluate("""async () => {
            const [item] = await navigator.clipboard.read();
            const bitmap = await createImageBitmap(await item.getType("image/png"));
            return [bitmap.width, bitmap.height];
        }""")
        assert size == [WIDTH, HEIGHT]


def test_words_are_plain(page: Page, gray: Path) -> None:
    page.open(gray)
    words = page.page.text_content("#panel")
    assert "copies texture" in words
    assert "knows structure" in words
    for term in ("semantic", "non-local", "docs/", ".md"):
        assert term not in words


def test_keys_are_those_of_a_mac_on_a_mac(browser: Any, server: Server, gray: Path) -> None:
    with page_of(browser, server) as page:
        page.page.add_init_script(
            "Object.defineProperty(navigator, 'platform', { get: () => 'MacIntel' })"
        )
        page.visit().open(gray)
        assert page.page.get_attribute("#redo", "title") == "Redo (⌘⇧Z)"
        page.drag((100, 80), (140, 80))
        page.page.keyboard.press("Meta+z")
        assert page.page.is_disabled("#undo")
        page.page.keyboard.press("?")
        assert "Ctrl" not in page.page.text_content("#help-dialog")


@pytest.mark.parametrize(("width", "height"), [(870, 700), (900, 560), (924, 700), (1100, 440)])
def test_nothing_is_cut_at_middle_widths(
    browser: Any, server: Server, noise: Path, width: int, height: int
) -> None:
    with page_of(browser, server, viewport={"width": width, "height": height}) as page:
        page.visit().open(noise)
        page.drag((100, 80), (140, 100))
        assert page.page.evaluate("document.documentElement.scrollWidth") == width
        assert page.page.evaluate("document.documentElement.scrollHeight") == height
        dock = page.page.locator(".dock").bounding_box()
        boxes = [
            page.page.locator(each).bounding_box()
            for each in ("#hint", "#size-label", "#mask-menu-toggle", "#fill")
        ]
        for box in boxes:
            assert box["x"] >= dock["x"]
            assert box["x"] + box["width"] <= dock["x"] + dock["width"]
        hint = page.page.locator("#hint").evaluate("(e) => [e.scrollWidth, e.clientWidth]")
        assert hint[0] <= hint[1]
        assert page.page.locator("#hint").bounding_box()["height"] < 45


def test_a_phone_reaches_everything_without_scrolling(
    browser: Any, server: Server, noise: Path, gray: Path
) -> None:
    with page_of(browser, server, **PHONE) as page:
        page.visit().open(noise)
        page.open(gray)
        page.drag((100, 80), (140, 100))
        for name in ("documentElement", "body"):
            found = page.page.evaluate(
                f"[document.{name}.scrollWidth, document.{name}.scrollHeight]"
            )
            assert found == [360, 740]
        tools = page.page.locator("#tools")
        assert tools.evaluate("(e) => e.scrollWidth <= e.clientWidth")
        for button in page.page.locator("button:visible").all():
            box = button.bounding_box()
            assert box["width"] >= 44, button
            assert box["height"] >= 44, button
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
        page.page.click("#panel-toggle")
        page.page.click("#panel [data-command=language]")
        assert page.page.get_attribute("html", "lang") == "ko"
        page.page.click("#panel [data-command=theme]")
        assert page.page.get_attribute("html", "data-theme") == "dark"
