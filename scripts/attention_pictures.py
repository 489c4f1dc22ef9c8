"""The pictures of docs/attention.md, with the weights that ship with gatefill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import gatefill

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"


def main() -> None:
    photo = Image.open(ROOT / "examples" / "photos" / "desert3.jpg").convert("RGB")
    mask = Image.new("L", photo.size)
    draw = ImageDraw.Draw(mask)
    draw.rectangle((120, 40, 200, 110), fill=255)
    draw.rectangle((330, 170, 430, 250), fill=255)
    draw.ellipse((540, 230, 630, 310), fill=255)

    result = gatefill.load("deepfill_v2", large="whole")(photo, mask)
    assert result.attention is not None
    white = Image.new("RGB", photo.size, "white")
    Image.composite(white, photo, mask).save(PICTURES / "attention-photo.jpg", quality=88)
    result.attention.save(PICTURES / "attention-map.png", overwrite=True)
    lines = PICTURES / "attention-lines.png"
    result.attention.save_lines(lines, spacing=24)
    Image.open(lines).convert("RGB").save(PICTURES / "attention-lines.jpg", quality=88)
    lines.unlink()

    strongest = result.attention.weight[:, 0]
    print(f"cells: {len(strongest)}, median of the strongest weight: {np.median(strongest):.2f}")


if __name__ == "__main__":
    main()
