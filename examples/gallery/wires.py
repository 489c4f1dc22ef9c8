"""Wires

Thin lines need a mask that is a little wider than the lines, since their edges blur into
adjacent pixels. `grow` dilates it on all sides.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image, ImageDraw, ImageFilter

import gatefill

# A photo with wires: drawn here, so that the example knows what was behind them.
photo = Image.open(PHOTOS / "mountain4.jpg").convert("RGB")
drawn = Image.new("L", photo.size)
for height in (60, 90, 130):
    sag = [(x, height + 60 * (x / 720 - 0.5) ** 2) for x in range(0, 721, 8)]
    ImageDraw.Draw(drawn).line(sag, fill=255, width=3)
wires = drawn.filter(ImageFilter.GaussianBlur(1))
with_wires = Image.composite(Image.new("RGB", photo.size, (25, 25, 30)), photo, wires)

mask = np.asarray(drawn) > 0
result = gatefill.load()(with_wires, mask, grow=3)

hole = result.mask
error = np.abs(np.asarray(result).astype(int) - np.asarray(photo))[hole].mean()
print(f"mean difference from what was behind the wires: {error:.1f} of 255")
save_panels("wires", photo=with_wires, mask=hole, result=result.image)
