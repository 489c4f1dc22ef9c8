"""The editor as a widget: its kernel's side by messages, and all of it in a real JupyterLab."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest

import gatefill

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("anywidget")

from gatefill.notebook.kernel import InpaintWidget

TOKEN = "for-this-test"


def _stripes(dtype: type = np.uint8) -> Any:
    colors = np.array([[200, 120, 40], [190, 110, 30], [20, 30, 60]], np.uint8).repeat(4, axis=0)
    photo = np.ascontiguousarray(np.broadcast_to(np.resize(colors, (160, 3)), (120, 160, 3)))
    return photo if dtype is np.uint8 else photo.astype(np.uint16) * 257


def _png(painted: Any) -> bytes:
    file = io.BytesIO()
    alpha = painted.astype(np.uint8) * 255
    PIL.Image.fromarray(np.dstack([alpha] * 4)).save(file, "PNG")
    return file.getvalue()


class Sent:
    """What the kernel sends to the browser."""

    def __init__(self, widget: InpaintWidget) -> None:
        self.messages: list[dict[str, Any]] = []
        self.buffers: list[Any] = []
        send = widget.send

        def record(content: Any, buffers: Any = None) -> None:
            self.messages.append(content)
            self.buffers.append(buffers)
            send(content, buffers)

        widget.send = record  # type: ignore[method-assign]

    @property
    def last(self) -> dict[str, Any]:
        return self.messages[-1]


def _paint(widget: InpaintWidget, top: int, left: int, height: int = 20, width: int = 30) -> None:
    """What the browser sends for a painted box."""
    message = {"kind": "fill", "top": top, "left": left}
    widget._handle_custom_msg(message, [_png(np.ones((height, width), bool))])


def test_a_painted_hole_is_filled_and_nothing_else() -> None:
    photo = _stripes()
    damaged = photo.copy()
    damaged[40:60, 50:80] = 255
    widget = gatefill.widget(damaged, "patchmatch")
    sent = Sent(widget)
    _paint(widget, 40, 50)
    assert sent.last["kind"] == "filled"
    assert sent.last["model"] == "patchmatch"
    hole = np.zeros((120, 160), bool)
    hole[40:60, 50:80] = True
    np.testing.assert_array_equal(widget.mask, hole)
    np.testing.assert_array_equal(widget.array[~hole], damaged[~hole])
    assert np.abs(widget.array[hole].astype(int) - photo[hole]).mean() < 30
    # What the browser shows is what Python has.
    with PIL.Image.open(io.BytesIO(sent.buffers[-1][0])) as shown:
        np.testing.assert_array_equal(np.asarray(shown), widget.array[40:60, 50:80])
    np.testing.assert_array_equal(widget.original.pixels, damaged)


def test_what_is_undone_in_the_browser_is_undone_here() -> None:
    widget = gatefill.widget(_stripes(), "patchmatch")
    _paint(widget, 10, 10)
    first = widget.array
    _paint(widget, 60, 60)
    assert widget.fills == 2
    both = widget.mask.sum()
    widget.fills = 1  # as the browser sets it
    np.testing.assert_array_equal(widget.array, first)
    assert widget.mask.sum() == both / 2
    _paint(widget, 80, 100)  # the second fill is gone for good
    assert widget.fills == 2
    assert widget.mask[85, 105]
    assert not widget.mask[65, 65]
    widget.fills = 0
    np.testing.assert_array_equal(widget.array, _stripes())


def test_a_view_that_is_opened_later_gets_the_fills_in_effect() -> None:
    widget = gatefill.widget(_stripes(), "patchmatch")
    for top in (10, 40, 70):
        _paint(widget, top, 10)
    widget.fills = 2
    sent = Sent(widget)
    widget._handle_custom_msg({"kind": "open", "view": "second"}, [])
    assert sent.last == {
        "kind": "opened",
        "view": "second",
        "places": [{"left": 10, "top": 10}, {"left": 10, "top": 40}],
    }
    assert len(sent.buffers[-1]) == 2
    with PIL.Image.open(io.BytesIO(sent.buffers[-1][1])) as shown:
        np.testing.assert_array_equal(np.asarray(shown), widget.array[40:60, 10:40])
    assert widget.fills == 2


def test_sixteen_bits_gray_and_alpha() -> None:
    widget = gatefill.widget(_stripes(np.uint16), "patchmatch")
    _paint(widget, 10, 10)
    assert widget.array.dtype == np.uint16
    assert (widget.array[50:] == _stripes(np.uint16)[50:]).all()
    gray = gatefill.widget(_stripes()[..., 0], "patchmatch")
    assert gray.array.shape == (120, 160)
    clear = np.dstack([_stripes(), np.full((120, 160), 128, np.uint8)])
    with PIL.Image.open(io.BytesIO(gatefill.widget(clear, "patchmatch")._image)) as shown:
        assert shown.mode == "RGBA"


def test_the_photo_is_saved_with_its_metadata(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "stripes"
    PIL.Image.fromarray(_stripes()).save(tmp_path / "photo.jpg", exif=exif)
    widget = gatefill.widget(tmp_path / "photo.jpg", "patchmatch")
    _paint(widget, 10, 10)
    widget.photo.save(tmp_path / "clean.jpg")
    with PIL.Image.open(tmp_path / "clean.jpg") as saved:
        assert saved.getexif()[0x010E] == "stripes"


def test_what_cannot_be_filled_is_told_to_the_browser() -> None:
    widget = gatefill.widget(_stripes(), "patchmatch")
    sent = Sent(widget)
    _paint(widget, 0, 0, 120, 160)  # nothing is left to copy from
    assert sent.last["kind"] == "failed"
    assert "whole photo" in sent.last["text"]
    assert widget.fills == 0


def test_the_script_has_what_its_modules_import_and_nothing_of_the_page() -> None:
    script = InpaintWidget._esm
    found = re.match(r"const SOURCES = (\{.*?\});\n", str(script))
    assert found is not None
    sources = json.loads(found[1])
    for name, source in sources.items():
        code = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
        folder = "texts/" if name.startswith("texts/") else ""
        for path in re.findall(r'from "\./([\w./]+)"', code):
            assert folder + path in sources, f"{name} imports {path}"
    # These look for the page's elements, or ask its server.
    assert not {"notices.js", "api.js", "files.js", "editor.js", "texts.js"} & set(sources)


# In a real JupyterLab

CELLS = (
    "import numpy as np, gatefill\n"
    "photo = np.load('photo.npy')\n"
    "widget = gatefill.widget(photo, 'patchmatch')\n"
    "widget",
    "widget",
    "np.save('result.npy', widget.array)\n"
    "np.save('mask.npy', widget.mask)\n"
    "print('kept', widget.fills)",
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab in a folder with a photo and a notebook."""
    pytest.importorskip("jupyterlab")
    pytest.importorskip("ipykernel")
    np.save(tmp_path / "photo.npy", _stripes())
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "id": f"c{number}"}
        | {"execution_count": None}
        for number, source in enumerate(CELLS)
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "paint.ipynb").write_text(json.dumps(notebook), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    home |= {
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "run"),
    }
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
            *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}"),
            *("--LabApp.news_url=", "--ServerApp.port_retries=0"),
        ],
        env=os.environ | home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{url}/api?token={TOKEN}", timeout=5):
                    break
            except OSError:
                time.sleep(0.3)
        yield f"{url}/lab/tree/paint.ipynb?token={TOKEN}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.slow
def test_in_jupyterlab_one_paints_fills_undoes_and_takes_the_array(
    lab: str, tmp_path: Path, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 1100})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(lab, timeout=120_000)
    page.locator(".jp-Notebook .jp-Cell").first.click(timeout=120_000)
    page.keyboard.press("Shift+Enter")
    stage = page.locator(".gatefill-stage")
    stage.wait_for(timeout=120_000)
    widget = page.locator(".gatefill-widget")
    fill = widget.get_by_role("button", name="Fill", exact=True)
    undo = widget.get_by_role("button", name="Undo")
    assert fill.is_disabled()

    def stroke(across: float) -> None:
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        assert box is not None
        x, y = box["x"] + across * box["width"], box["y"] + box["height"] / 2
        page.mouse.move(x - 25, y)
        page.mouse.down()
        page.mouse.move(x + 25, y, steps=4)
        page.mouse.up()

    stroke(0.45)
    fill.click()
    widget.get_by_text("Filled in").wait_for(timeout=120_000)
    stroke(0.6)
    fill.click()
    page.wait_for_function(
        "!document.querySelector('.gatefill-status').textContent.startsWith('Filling')",
        timeout=120_000,
    )
    undo.click()  # the second fill, not the first
    page.screenshot(path=str(tmp_path / "lab.png"))

    # Shown once more, in another cell: the fill that is left is there, and stays.
    page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    second = page.locator(".gatefill-widget").nth(1)
    second.get_by_role("button", name="Undo").wait_for(timeout=60_000)
    page.wait_for_function(
        "[...document.querySelectorAll('.gatefill-widget')[1].querySelectorAll('button')]"
        ".some((each) => each.textContent === 'Undo' && !each.disabled)",
        timeout=60_000,
    )
    page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("kept 1").wait_for(timeout=60_000)
    page.close()
    result, mask = np.load(tmp_path / "result.npy"), np.load(tmp_path / "mask.npy")
    assert 50 < mask.sum() < mask.size / 4
    np.testing.assert_array_equal(result[~mask], _stripes()[~mask])
    columns = np.flatnonzero(mask.any(axis=0))
    assert columns.max() < 100, "the stroke that was undone lay right of this"
    assert not faults
