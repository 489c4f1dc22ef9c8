"""Draw the fills of the shipped networks into docs/pictures.

    python scripts/shipped_pictures.py

All of photos in examples/photos, which no training has seen, at 256x256. shipped-networks.jpg: the
eight with a box and a thick stroke each: hole, compact, standard, the photo; two cases per row.
sketches.jpg: what standard makes of one hole without a sketch and with each of three.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import gatefill
from gatefill.masks import MASKS

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
SKETCHED = ("mountain4", "hills2", "beach6", "desert3")
SIDE = 256
SHOWN = 176  # side of a picture in the sheet
GAP = 6


def main() -> None:
    fillers = [gatefill.load("deepfill_v2", weights=name) for name in ("compact", "standard")]
    rows = []
    for number, path in enumerate(sorted((ROOT / "examples" / "photos").glob("*.jpg"))):
        photo = middle(path)
        row = []
        for kind in ("box", "lama_thick"):
            mask = MASKS[kind](SIDE, SIDE, np.random.default_rng(number))
            hole = np.where(mask[..., None], np.uint8(255), photo)
            row += [hole, *(np.asarray(fill(photo, mask)) for fill in fillers), photo]
        rows.append(row)
    write("shipped-networks", rows)
    write("sketches", [sketched(name) for name in SKETCHED])


def sketched(name: str) -> list[NDArray[np.uint8]]:
    """The hole and its fill, and the same with each sketch."""
    photo = middle(ROOT / "examples" / "photos" / f"{name}.jpg")
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[80:176, 64:192] = True
    row = []
    fill = gatefill.load("deepfill_v2")
    for sketch in (np.zeros_like(mask), *sketches()):
        seen = np.where(mask[..., None], np.uint8(128), photo)
        seen[sketch & mask] = 255
        row += [seen, np.asarray(fill(photo, mask, sketch=sketch))]
    return row


def sketches() -> list[NDArray[np.bool_]]:
    """A diagonal line, a peak and an ellipse."""
    diagonal, peak = [(60, 160), (196, 100)], [(60, 160), (110, 100), (140, 130), (196, 150)]
    found = []
    for line in (diagonal, peak, cv2.ellipse2Poly((128, 128), (36, 30), 0, 0, 360, 5)):
        drawn = np.zeros((SIDE, SIDE), np.uint8)
        cv2.polylines(drawn, [np.array(line, np.int32)], False, 255, 2)
        found.append(drawn > 0)
    return found


def write(name: str, rows: list[list[NDArray[np.uint8]]]) -> None:
    """One JPEG of rows of pictures."""
    sheet = np.vstack([np.hstack([framed(each) for each in row]) for row in rows])
    target = PICTURES / f"{name}.jpg"
    bgr = cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(target), bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(target.relative_to(ROOT))


def middle(path: Path) -> NDArray[np.uint8]:
    """The central square, RGB."""
    stored = cv2.imread(str(path))
    assert stored is not None
    pixels = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    square = pixels[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def framed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Smaller, with a white gap to the right and below."""
    small = cv2.resize(picture, (SHOWN, SHOWN), interpolation=cv2.INTER_AREA)
    return np.pad(small, ((0, GAP), (0, GAP), (0, 0)), constant_values=255).astype(np.uint8)


if __name__ == "__main__":
    main()
