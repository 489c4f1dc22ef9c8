"""Many photos in a loop

`map` accepts any iterable and reads the next photo while one is filled. It yields the results one
by one.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image

import gatefill

paths = sorted(PHOTOS.glob("*.jpg"))[:6]
logo = np.zeros((360, 720), bool)
logo[300:340, 560:700] = True  # one mask for all

inpaint = gatefill.load()
filled: dict[str, Image.Image] = {}
for result in inpaint.map(paths, logo):
    print(f"{result.source}: {result.seconds:.1f} s")
    filled[f"{len(filled) + 1}"] = result.image

save_panels("many_photos", **filled)
