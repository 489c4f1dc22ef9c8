"""Make the picture of the widget: a real JupyterLab in a real browser, painted in by a mouse.

    python scripts/notebook_picture.py

Needs the groups `dev` and the extra `notebook`, and Chromium (scripts/install_chromium.sh).
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "notebook.jpg"
TOKEN = "for-the-picture"
# Around the rock: shares of the stage's width and height
LASSO = ((0.48, 0.60), (0.50, 0.45), (0.57, 0.30), (0.63, 0.31), (0.69, 0.50), (0.70, 0.60))


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(ROOT / "examples" / "photos" / "beach6.jpg", Path(place) / "rocks.jpg")
        source = "import gatefill\n\nwidget = gatefill.widget('rocks.jpg')\nwidget"
        cell = {"cell_type": "code", "id": "c", "source": source, "metadata": {}, "outputs": []}
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        content = {"cells": [cell | {"execution_count": None}], "metadata": kernel}
        notebook = json.dumps(content | {"nbformat": 4, "nbformat_minor": 5})
        (Path(place) / "paint.ipynb").write_text(notebook, "utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *(f"--port={port}", f"--IdentityProvider.token={TOKEN}"),
                *(f"--ServerApp.root_dir={place}", "--LabApp.news_url="),
            ],
            env=os.environ
            | {"JUPYTER_CONFIG_DIR": f"{place}/.c", "JUPYTER_DATA_DIR": f"{place}/.d"},
        )
        try:
            wait(f"http://127.0.0.1:{port}/api?token={TOKEN}")
            draw(f"http://127.0.0.1:{port}/lab/tree/paint.ipynb?token={TOKEN}")
        finally:
            server.terminate()
            server.wait()
    print(PICTURE)


def wait(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    sys.exit(f"expected JupyterLab at {url}, got no answer")


def draw(url: str) -> None:
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1240, "height": 900})
        page.goto(url, timeout=120_000)
        page.locator(".jp-Notebook .jp-CodeCell").first.click(timeout=120_000)
        page.keyboard.press("Shift+Enter")
        page.locator(".gatefill-stage").wait_for(timeout=120_000)
        page.wait_for_timeout(1500)
        paint(page)
        left = page.screenshot()
        page.locator(".gatefill-fill").click()
        page.get_by_text("Filled in").wait_for(timeout=120_000)
        page.wait_for_timeout(500)
        save(left, page.screenshot())
        browser.close()


def paint(page: Page) -> None:
    box = page.locator(".gatefill-stage").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in LASSO]
    page.get_by_role("button", name="Lasso").click()
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()


def save(*shots: bytes) -> None:
    """Both states of the page, one above the other."""
    images = [
        Image.open(io.BytesIO(each)).convert("RGB").crop((290, 90, 1200, 700)) for each in shots
    ]
    sheet = Image.new("RGB", (910, 2 * 610 + 10), "white")
    for number, image in enumerate(images):
        sheet.paste(image, (0, number * 620))
    sheet.save(PICTURE, quality=85, optimize=True)


if __name__ == "__main__":
    main()
