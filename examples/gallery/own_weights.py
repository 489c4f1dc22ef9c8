"""Your own weights

Any weights file can fill alone or guide PatchMatch (`hybrid`). This file is a copy of the weights
that come with gatefill; files of other programs are converted by `gatefill convert`.
"""

import shutil

import numpy as np
from panels import OUT, PHOTOS, save_panels
from PIL import Image

import gatefill
from gatefill.checkpoints import find_weights, read_header

OUT.mkdir(parents=True, exist_ok=True)
weights = OUT / "mine.safetensors"
shutil.copy(find_weights("compact"), weights)
print(read_header(weights).method, read_header(weights).config)

photo = Image.open(PHOTOS / "canyon5.jpg")
mask = np.zeros((photo.height, photo.width), bool)
mask[40:140, 480:600] = True

alone = gatefill.load(weights=weights, device="cpu")
steering = gatefill.load("hybrid", weights=weights)

hole = np.where(mask[..., None], np.uint8(255), np.asarray(photo))
results = {"network_alone": alone(photo, mask).image, "hybrid": steering(photo, mask).image}
save_panels("own_weights", hole=hole, **results)
