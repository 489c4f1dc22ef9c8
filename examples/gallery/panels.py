"""What the examples share: the photos, and a picture with panels side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

EXAMPLES = Path(__file__).resolve().parents[1]
PHOTOS = EXAMPLES / "photos"  # public domain, see examples/README.md
OUT = Path("out/gallery")  # in the folder that the example is started in

PANEL = 360  # width of a panel in pixels
TITLE = 20  # height of its title


def save_panels(name: str, **panels: Any) -> None:
    """Write titled pictures side by side to ``out/gallery/NAME.jpg``.

    Args:
        name: Of the picture.
        **panels: Title to picture: a path, a PIL image, or an array; bool arrays are masks. An
            underscore in a title is shown as a space.
    """
    images = [_image(each) for each in panels.values()]
    heights = [round(PANEL * image.height / image.width) + TITLE for image in images]
    columns = {1: 1, 2: 2, 4: 2, 8: 4}.get(len(images), 3)
    height, rows = max(heights), -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (PANEL + 6) - 6, rows * (height + 4)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (title, image) in enumerate(zip(panels, images, strict=True)):
        left, top = number % columns * (PANEL + 6), number // columns * (height + 4)
        draw.text((left + 2, top + 3), title.replace("_", " "), fill="black", font_size=13)
        size = (PANEL, round(PANEL * image.height / image.width))
        sheet.paste(image.resize(size, Image.Resampling.LANCZOS), (left, top + TITLE))
    OUT.mkdir(parents=True, exist_ok=True)
    sheet.save(OUT / f"{name}.jpg", quality=88, optimize=True)
    print(OUT / f"{name}.jpg")


def _image(given: Any) -> Image.Image:
    if isinstance(given, (str, Path)):
        with Image.open(given) as opened:
            return opened.convert("RGB")
    if isinstance(given, Image.Image):
        picture = given
    else:
        pixels = np.asarray(given)
        if pixels.dtype == bool:
            pixels = pixels.astype(np.uint8) * 255
        picture = Image.fromarray(np.squeeze(pixels))
    if picture.mode == "RGBA":  # what is transparent is shown as a pattern
        squares = np.indices((picture.height, picture.width)).sum(axis=0) // 12 % 2 * 40 + 180
        ground = Image.fromarray(squares.astype(np.uint8)).convert("RGBA")
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")
