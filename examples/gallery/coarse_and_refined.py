"""Coarse and refined

DeepFill v2 has two stages: a coarse network, then a refinement network with attention. Results
contain both.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image

import gatefill

photo = Image.open(PHOTOS / "forest1.jpg")
mask = np.zeros((photo.height, photo.width), bool)
mask[140:260, 260:400] = True

result = gatefill.load("deepfill_v2")(photo, mask)
assert result.coarse is not None

save_panels(
    "coarse_and_refined",
    hole=np.where(mask[..., None], np.uint8(255), np.asarray(photo)),
    coarse=result.coarse.pixels,
    refined=result.image,
)
