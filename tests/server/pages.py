"""The editor's page in a real browser: opening it, painting on it, reading it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import PIL.Image

from tests.server.serving import Server

HEIGHT, WIDTH = 200, 300  # of the photos that tests open
MARGIN = 24  # CSS pixels that the editor leaves around a photo that fits


class Page:
    """A page of the editor and what it did: requests, errors."""

    def __init__(self, page: Any, server: Server) -> None:
        self.page = page
        self.server = server
        self.hosts: set[str] = set()
        self.errors: list[str] = []
        page.on("request", lambda request: self.hosts.add(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)
        page.set_default_timeout(20_000)

    def _heard(self, message: Any) -> None:
        # That a request failed is logged by the browser itself; the page is to tell it in words.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    @property
    def foreign(self) -> list[str]:
        """Requests to anything but the server and the page itself."""
        mine = (self.server.url, "blob:", "data:")
        return [url for url in self.hosts if not url.startswith(mine)]

    def visit(self, path: str = "") -> Page:
        self.page.goto(self.server.url + path)
        self.page.wait_for_selector("body[data-ready]")
        return self

    def open(self, file: Path) -> Page:
        self.page.set_input_files("#file-input", str(file))
        self.page.wait_for_selector("body:not(.empty)")
        self.page.locator("#file", has_text=file.name).wait_for(state="attached")
        self.page.wait_for_timeout(150)  # the photo is fitted in the next frame
        return self

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place on the screen of a pixel of a photo that fits."""
        words = self.page.locator("#file").text_content().rpartition("· ")[2]
        width, height = (int(side) for side in words.split(" × "))
        box = self.page.locator("#stage").bounding_box()
        across, down = box["width"] - 2 * MARGIN, box["height"] - 2 * MARGIN
        scale = min(across / width, down / height, 4)
        left = box["x"] + (box["width"] - width * scale) / 2
        top = box["y"] + (box["height"] - height * scale) / 2
        return left + x * scale, top + y * scale

    def drag(self, *points: tuple[float, float]) -> None:
        """Press at the first pixel of the photo, move along the others, let go."""
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.at(*point), steps=4)
        mouse.up()

    def tool(self, name: str) -> None:
        self.page.click(f"[data-tool={name}]")

    def choose(self, model: str) -> None:
        self.page.locator(f".method:has([value={model}])").click()

    def fill(self) -> None:
        """Fill and wait for the step."""
        before = self.steps
        self.page.click("#fill")
        self.page.locator("#steps li").nth(before).wait_for(state="attached")
        self.page.locator("#fill").wait_for(state="visible")

    @property
    def steps(self) -> int:
        return int(self.page.locator("#steps li").count())

    @property
    def hint(self) -> str:
        return str(self.page.locator("#hint").text_content())

    def mask(self) -> bytes:
        """The mask as a file, through the menu."""
        with self.page.expect_download() as found:
            self.page.click("#mask-menu-toggle")
            self.page.click("[data-command=saveMask]")
        return Path(found.value.path()).read_bytes()

    def download(self, which: str = "same") -> tuple[str, bytes]:
        with self.page.expect_download() as found:
            self.page.click("#download")
            self.page.click(f"#download-{which}")
        return found.value.suggested_filename, Path(found.value.path()).read_bytes()

    def shown(self, x: float, y: float) -> tuple[int, ...]:
        """The color on the screen over a pixel of the photo."""
        left, top = self.at(x, y)
        clip = {"x": round(left), "y": round(top), "width": 1, "height": 1}
        data = self.page.screenshot(clip=clip)
        return tuple(PIL.Image.open(io.BytesIO(data)).convert("RGB").getpixel((0, 0)))


@contextmanager
def page_of(browser: Any, server: Server, **context: Any) -> Iterator[Page]:
    """A fresh page in a window of its own; everything it asked for came from the server."""
    options = {"viewport": {"width": 1100, "height": 760}, "locale": "en-GB"} | context
    window = browser.new_context(**options)
    try:
        page = Page(window.new_page(), server)
        yield page
        assert page.foreign == []
        assert page.errors == []
    finally:
        window.close()
