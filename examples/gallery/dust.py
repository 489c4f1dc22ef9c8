"""Dust and scratches, in 16 bits

A scanned photo with a thousand specks, as a 16-bit grayscale array. Scattered specks are filled
together, so time follows their area and not their number.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image

import gatefill

photo = np.asarray(Image.open(PHOTOS / "beach6.jpg").convert("L")).astype(np.uint16) * 257
rng = np.random.default_rng(3)
mask = np.zeros(photo.shape, bool)
for row, column in zip(rng.integers(2, 357, 1000), rng.integers(2, 717, 1000), strict=True):
    mask[row - 1 : row + 2, column : column + rng.integers(1, 3)] = True
for column in (150, 420):  # scratches
    mask[:, column : column + 2] = True
scan = np.where(mask, np.uint16(60_000), photo)

result = gatefill.load()(scan, mask)

assert np.asarray(result).dtype == np.uint16
shown = (np.asarray(result) >> 8).astype(np.uint8)
save_panels("dust", scan=(scan >> 8).astype(np.uint8), mask=mask, result=shown)
