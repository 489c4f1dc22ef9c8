"""Draw the fills of the shipped networks into docs/pictures/shipped-networks.jpg.

    python scripts/shipped_pictures.py

The eight photos in examples/photos, which no training has seen, with a box and a thick stroke each,
at 256x256: hole, compact, standard, the photo. Two cases per row.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import gatefill
from gatefill.masks import MASKS

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "pictures" / "shipped-networks.jpg"
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
        rows.append(np.hstack([framed(each) for each in row]))
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(TARGET), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(TARGET.relative_to(ROOT))


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
