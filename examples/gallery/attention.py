"""Visualize attention

Networks with contextual attention report which part of the photo each part of the hole attends
to. It is drawn as the paper's color wheel, and as lines.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image

import gatefill

photo = Image.open(PHOTOS / "canyon5.jpg")
mask = np.zeros((photo.height, photo.width), bool)
mask[120:230, 90:210] = True

result = gatefill.load("deepfill_v2")(photo, mask)
attention = result.attention
assert attention is not None  # methods without attention have None

save_panels(
    "attention",
    result=result.image,
    color_wheel=attention.map(),
    lines=attention.lines(spacing=24),
)
