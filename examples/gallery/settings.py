"""Change the settings of a method

`PatchMatchConfig` and `HybridConfig` contain the settings; `NetworkOptions` say how a network is
used. On the command line they are `--set patch_size=15`.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image

import gatefill

photo = Image.open(PHOTOS / "fields7.jpg")
mask = np.zeros((photo.height, photo.width), bool)
mask[190:290, 330:460] = True

small = gatefill.load("patchmatch", config=gatefill.PatchMatchConfig(patch_size=5))
large = gatefill.load("patchmatch", config=gatefill.PatchMatchConfig(patch_size=19))
blind = gatefill.load("hybrid", config=gatefill.HybridConfig(weight=0.0))
plain = gatefill.load("deepfill_v2", options=gatefill.NetworkOptions(finish=False))

save_panels(
    "settings",
    photo=photo,
    mask=mask,
    patches_of_5_pixels=small(photo, mask).image,
    patches_of_19_pixels=large(photo, mask).image,
    hybrid_without_its_guide=blind(photo, mask).image,
    network_without_color_correction=plain(photo, mask).image,
)
