"""Choose where to copy from

`search` restricts the region that texture is copied from. Here the rock may be replaced by surf
only.
"""

import numpy as np
from panels import PHOTOS, save_panels

import gatefill

photo = gatefill.read_photo(PHOTOS / "beach6.jpg")
mask = np.zeros((photo.height, photo.width), bool)
mask[115:215, 370:490] = True
surf = np.zeros_like(mask)
surf[185:260, :] = True

inpaint = gatefill.load("patchmatch")
free = inpaint(photo, mask)
guided = inpaint(photo, mask, search=surf)

save_panels(
    "where_to_copy_from",
    hole=np.where(mask[..., None], 255, photo.pixels).astype(np.uint8),
    search_region=surf,
    copied_from_anywhere=free.image,
    copied_from_the_region=guided.image,
)
