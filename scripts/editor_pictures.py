"""Take the pictures of the editor that stand in docs/pictures: python scripts/editor_pictures.py.

Among them the recording of the editor at work, an animated WebP.

Needs the extra `serve`, Playwright and Chromium (scripts/install_chromium.sh).
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import PIL.Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
OUT = ROOT / "docs" / "pictures"
SAMPLES = {"moon": 1, "cypresses": 2, "rocks": 3, "island": 4}
WIDTH, HEIGHT, MARGIN = (
    720,
    360,
    24,
)  # of the samples; CSS pixels that the editor leaves around them
FILM_WIDTH = 760  # pixels of the recording
Point = tuple[float, float]

# Around the rock in the surf, and around the moon, in shares of the photo
ROCK: list[Point] = [
    (0.515, 0.58), (0.545, 0.46), (0.575, 0.35), (0.615, 0.33), (0.635, 0.41),
    (0.68, 0.5), (0.705, 0.6), (0.6, 0.63), (0.52, 0.61),
]  # fmt: skip
MOON: list[Point] = [
    (0.085, 0.615), (0.1, 0.565), (0.118, 0.555), (0.138, 0.575), (0.145, 0.62),
    (0.138, 0.665), (0.118, 0.685), (0.098, 0.67),
]  # fmt: skip


class Editor:
    """A page with one of the samples open."""

    def __init__(self, browser: Any, url: str, sample: str, **context: Any) -> None:
        window = browser.new_context(**({"viewport": {"width": 1180, "height": 700}} | context))
        self.page = window.new_page()
        self.page.goto(url)
        self.page.wait_for_selector("body[data-ready]")
        if sample:
            self.page.click(f"#samples li:nth-child({SAMPLES[sample]}) button")
            self.page.wait_for_selector("body:not(.empty)")
            self.page.wait_for_timeout(300)

    def at(self, point: Point) -> Point:
        """A place in the photo, in shares of it, on the screen."""
        box = self.page.locator("#stage").bounding_box()
        across, down = box["width"] - 2 * MARGIN, box["height"] - 2 * MARGIN
        scale = min(across / WIDTH, down / HEIGHT, 4)
        left = box["x"] + (box["width"] - WIDTH * scale) / 2
        top = box["y"] + (box["height"] - HEIGHT * scale) / 2
        return left + point[0] * WIDTH * scale, top + point[1] * HEIGHT * scale

    def lasso(self, points: list[Point]) -> None:
        self.page.click("[data-tool=lasso]")
        self.page.mouse.move(*self.at(points[0]))
        self.page.mouse.down()
        for point in [*points[1:], points[0]]:
            self.page.mouse.move(*self.at(point), steps=5)
        self.page.mouse.up()

    def fill(self) -> None:
        steps = self.page.locator("#steps li").count()
        self.page.click("#fill")
        self.page.locator("#steps li").nth(steps).wait_for(state="attached", timeout=60_000)
        self.page.wait_for_timeout(300)
        for close in self.page.locator(".notice button").all():
            close.click()

    def look(self, point: Point) -> None:
        self.page.click("[data-tool=look]")
        self.page.mouse.move(*self.at(point))
        self.page.wait_for_timeout(200)

    def picture(self) -> PIL.Image.Image:
        return PIL.Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")


def save(picture: PIL.Image.Image, name: str) -> None:
    picture.save(OUT / name, quality=88, optimize=True)


def tour(browser: Any, url: str) -> None:
    """Painted, filled, where it looked, before and after: four panels, and each by itself."""
    editor = Editor(browser, url, "rocks")
    editor.lasso(ROCK)
    editor.page.click("[data-tool=brush]")
    editor.page.mouse.move(*editor.at((0.7, 0.6)))
    editor.page.wait_for_timeout(200)
    panels = [editor.picture()]
    editor.fill()
    editor.page.mouse.move(5, 300)
    editor.page.wait_for_timeout(200)
    panels.append(editor.picture())
    editor.look((0.6, 0.53))
    panels.append(editor.picture())
    editor.page.click("#compare")
    editor.page.fill("#compare-slider", "59")
    editor.page.wait_for_timeout(300)
    panels.append(editor.picture())
    width, height = panels[0].size
    gap = 12
    sheet = PIL.Image.new("RGB", (2 * width + 3 * gap, 2 * height + 3 * gap), (200, 198, 192))
    for number, panel in enumerate(panels):
        column, row = number % 2, number // 2
        sheet.paste(panel, (gap + column * (width + gap), gap + row * (height + gap)))
    sheet = sheet.resize(
        (1600, round(1600 * sheet.height / sheet.width)), PIL.Image.Resampling.LANCZOS
    )
    save(sheet, "editor.jpg")


def others(browser: Any, url: str) -> None:
    """The first page, Korean in the dark, and a phone."""
    save(Editor(browser, url, "").picture(), "editor-welcome.jpg")
    editor = Editor(browser, url, "moon", locale="ko-KR", color_scheme="dark")
    editor.lasso(MOON)
    editor.page.click("[data-tool=brush]")
    editor.page.mouse.move(*editor.at((0.2, 0.7)))
    editor.page.wait_for_timeout(300)
    save(editor.picture(), "editor-korean-dark.jpg")
    phone = Editor(
        browser, url, "moon", viewport={"width": 360, "height": 680}, device_scale_factor=2,
        has_touch=True, is_mobile=True,
    )  # fmt: skip
    phone.lasso(MOON)
    pictures = [phone.picture()]
    phone.fill()
    phone.page.click("#panel-toggle")
    phone.page.wait_for_timeout(400)
    pictures.append(phone.picture())
    pair = PIL.Image.new("RGB", (720 * 2 + 36, 1360), (200, 198, 192))
    for number, picture in enumerate(pictures):
        pair.paste(picture, (number * (720 + 36), 0))
    save(
        pair.resize((pair.width // 2, pair.height // 2), PIL.Image.Resampling.LANCZOS),
        "editor-phone.jpg",
    )


def film(browser: Any, url: str) -> None:
    """The editor at work, as an animated WebP: lasso, fill, compare."""
    editor = Editor(browser, url, "rocks")
    frames: list[tuple[PIL.Image.Image, int]] = []  # with milliseconds

    def shot(milliseconds: int) -> None:
        picture = editor.picture()
        size = FILM_WIDTH, round(FILM_WIDTH * picture.height / picture.width)
        frames.append((picture.resize(size, PIL.Image.Resampling.LANCZOS), milliseconds))

    shot(900)
    page = editor.page
    page.click("[data-tool=lasso]")
    page.mouse.move(*editor.at(ROCK[0]))
    page.mouse.down()
    for point in [*ROCK[1:], ROCK[0]]:
        page.mouse.move(*editor.at(point), steps=5)
        page.wait_for_timeout(50)
        shot(160)
    page.mouse.up()
    page.wait_for_timeout(100)
    shot(600)
    page.hover("#fill")
    shot(400)
    editor.fill()
    page.mouse.move(5, 300)
    page.wait_for_timeout(200)
    shot(1400)
    page.click("#compare")
    for share in (50, 60, 70, 60, 50, 40, 30, 40, 50):
        page.fill("#compare-slider", str(share))
        page.wait_for_timeout(50)
        shot(220)
    page.click("#compare")
    page.mouse.move(5, 300)
    page.wait_for_timeout(200)
    shot(1800)
    first, *rest = (frame for frame, _ in frames)
    first.save(
        OUT / "editor.webp",
        save_all=True,
        append_images=rest,
        duration=[milliseconds for _, milliseconds in frames],
        loop=0,
        quality=72,
        method=6,
    )


def main() -> None:
    from playwright.sync_api import sync_playwright
    from tests.browser import ARGUMENTS, find_chromium

    command = [sys.executable, "-m", "gatefill", "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found, "the server did not start"
        while httpx.get(found[0] + "readyz").status_code != 200:
            time.sleep(0.2)
        with sync_playwright() as running:
            browser = running.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            tour(browser, found[0])
            others(browser, found[0])
            film(browser, found[0])
            browser.close()
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main()
