"""Make README's picture by the real thing: before, the hole, after, side by side.

.venv/bin/python scripts/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

import gatefill

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "examples" / "marsh.jpg"
MASK = ROOT / "examples" / "marsh_mask.png"
PICTURE = ROOT / "docs" / "pictures" / "demo.jpg"

PART = (0, 0, 460, 290)  # left, top, right, bottom of what is shown, in pixels of the photo
WIDTH = 600  # pixels of a panel
GAP = 10  # pixels between panels
HOLE = np.array([255, 64, 96], np.uint8)  # RGB of the hole in the panel in the middle


def main() -> None:
    """Fill the example, and write the picture."""
    result = gatefill.load()(PHOTO, MASK)
    before = np.asarray(PIL.Image.open(PHOTO).convert("RGB"))
    marked = np.where(result.mask[..., None], HOLE, before)
    panels = [PIL.Image.fromarray(each) for each in (before, marked, np.asarray(result))]

    left, top, right, bottom = PART
    height = round(WIDTH * (bottom - top) / (right - left))
    picture = PIL.Image.new("RGB", (3 * WIDTH + 2 * GAP, height), "white")
    for place, panel in enumerate(panels):
        scaled = panel.resize((WIDTH, height), PIL.Image.Resampling.LANCZOS, box=PART)
        picture.paste(scaled, (place * (WIDTH + GAP), 0))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    picture.save(PICTURE, quality=88, optimize=True)
    print(f"{PICTURE.relative_to(ROOT)}  ({result.method}, {result.seconds:.1f} s)")


if __name__ == "__main__":
    main()
