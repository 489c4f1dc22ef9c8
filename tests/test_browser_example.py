"""The static page of examples/browser in a real browser, with the real network in WASM."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import PIL.Image
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "browser"
NEEDED = ("network.onnx", "ort.wasm.min.mjs", "ort-wasm-simd-threaded.wasm")
PHOTO = ROOT / "examples" / "marsh.jpg"
PATIENCE = 120_000  # milliseconds; a busy machine is slow

pytestmark = pytest.mark.skipif(
    not all((EXAMPLE / "vendor" / name).is_file() for name in NEEDED),
    reason="needs examples/browser/vendor: python examples/browser/prepare.py",
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Static files and nothing else."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Site:
    """The example behind a web server that can be stopped."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._running = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._running:
            self._server.shutdown()
            self._server.server_close()
        self._running = False


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    shutil.copytree(EXAMPLE, tmp_path / "site")
    made = Site(tmp_path / "site")
    yield made
    made.stop()


def a_photo(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    with PIL.Image.open(PHOTO) as opened:
        part = opened.convert("RGB").crop((0, 0, 360, 360)).resize((width, height))
    part.save(path)
    return np.asarray(part)


def ready(page: Any) -> None:
    page.wait_for_selector("body[data-ready][data-offline]", timeout=PATIENCE)


def opened(page: Any, path: Path) -> None:
    page.set_input_files("#file", str(path))
    page.wait_for_selector("#photo:not([hidden])")


def paint(page: Any, width: int, height: int, *places: tuple[int, int]) -> NDArray[np.bool_]:
    """Drag the brush over pixels of the photo; returns the mask that is painted then."""
    box = page.locator("#marks").bounding_box()
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    for number, (x, y) in enumerate(places):
        page.mouse.move(left + (x + 0.5) * scale, top + (y + 0.5) * scale)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    url = page.evaluate("document.querySelector('#marks').toDataURL()")
    marks = PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    mask: NDArray[np.bool_] = np.asarray(marks)[..., 3] > 127
    return mask


def fill(page: Any) -> None:
    page.click("#fill")
    page.wait_for_selector("#fill:disabled")
    page.wait_for_selector("#download:enabled", timeout=PATIENCE)


def downloaded(page: Any) -> tuple[str, NDArray[np.uint8]]:
    with page.expect_download() as found:
        page.click("#download")
    data = Path(found.value.path()).read_bytes()
    return found.value.suggested_filename, np.asarray(PIL.Image.open(io.BytesIO(data)))[..., :3]


def test_open_paint_fill_undo_and_download(browser: Any, site: Site, tmp_path: Path) -> None:
    photo = a_photo(tmp_path / "reeds.png", 250, 200)
    page = browser.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site.url)
    ready(page)
    assert page.is_disabled("#fill")
    opened(page, tmp_path / "reeds.png")
    mask = paint(page, 250, 200, (80, 90), (110, 95))
    assert mask[90, 80]
    assert mask[95, 110]
    assert not mask[120:].any()
    fill(page)
    name, filled = downloaded(page)
    assert name == "reeds_filled.png"
    np.testing.assert_array_equal(filled[~mask], photo[~mask])

    # The same network by the same kind of arithmetic, on what the page says that it saw.
    (view,) = page.evaluate(
        "async ([mask, w, h]) => (await import('./views.mjs')).views(mask, w, h)",
        [mask.astype(int).flatten().tolist(), 250, 200],
    )
    assert view["scale"] == 1
    rows = slice(view["top"], view["top"] + view["height"])
    columns = slice(view["left"], view["left"] + view["width"])
    assert mask[rows, columns].sum() == mask.sum()
    session = onnxruntime.InferenceSession(EXAMPLE / "vendor" / "network.onnx")
    feeds = {"photo": photo[rows, columns], "mask": mask[rows, columns].astype(np.uint8) * 255}
    (wanted,) = session.run(None, feeds)
    levels = np.abs(filled[rows, columns].astype(int) - wanted)
    assert levels.max() <= 1
    assert np.abs(filled[mask].astype(int) - photo[mask]).mean() > 1

    page.click("#undo")
    np.testing.assert_array_equal(downloaded(page)[1], photo)
    assert errors == []
    foreign = [each for each in asked if not each.startswith((f"GET {site.url}", "GET blob:"))]
    assert foreign == [], "nothing leaves the browser"
    page.close()


@pytest.mark.slow
def test_a_large_hole_is_filled_offline(browser: Any, site: Site, tmp_path: Path) -> None:
    photo = a_photo(tmp_path / "large.png", 512, 512)
    context = browser.new_context(locale="ko-KR")
    page = context.new_page()
    page.goto(site.url)
    ready(page)
    site.stop()
    page.reload()
    ready(page)
    assert page.text_content("#fill") == "채우기"
    assert page.evaluate("crossOriginIsolated"), "threads need an isolated page"
    opened(page, tmp_path / "large.png")
    across = [(x, y) for y in range(180, 320, 20) for x in (180, 320)]
    mask = paint(page, 512, 512, *across)
    assert mask[180:320, 180:320].mean() > 0.9
    fill(page)
    _, filled = downloaded(page)
    np.testing.assert_array_equal(filled[~mask], photo[~mask])
    assert 10 < filled[mask].std() < 90
    assert np.abs(filled[mask].astype(int) - photo[mask]).mean() > 1
    context.close()


def test_a_file_that_is_no_photo_is_refused_by_name(
    browser: Any,
    site: Site,
    tmp_path: Path,
) -> None:
    (tmp_path / "notes.png").write_text("no photo")
    page = browser.new_page()
    page.goto(site.url)
    ready(page)
    page.set_input_files("#file", str(tmp_path / "notes.png"))
    page.locator("#status", has_text="notes.png").wait_for()
    assert page.is_hidden("#photo")
    page.close()
