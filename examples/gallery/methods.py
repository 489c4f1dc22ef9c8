"""Compare the methods

`METHODS` lists all methods. These three need no extra packages and no further weights. PSNR
measures how close a fill is to the original.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image

import gatefill

photo = np.asarray(Image.open(PHOTOS / "desert3.jpg"))
mask = np.zeros(photo.shape[:2], bool)
mask[140:240, 300:440] = True

fills = {}
for name, info in gatefill.METHODS.items():
    if info.needs or (info.takes_weights and not info.shipped):
        continue
    filled = np.asarray(gatefill.load(name)(photo, mask))
    error = np.square(filled[mask].astype(float) - photo[mask]).mean()
    fills[f"{name},_{10 * np.log10(255**2 / error):.1f}_dB"] = filled

save_panels("methods", hole=np.where(mask[..., None], np.uint8(255), photo), **fills)
