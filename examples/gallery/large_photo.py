"""Large photos

Only the surroundings of the holes are processed: a hole takes as long in a photo of 12 megapixels
as in one of 1 megapixel. `Result.large` says which part of the photo the method got.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image

import gatefill

photo = Image.open(PHOTOS / "hills2.jpg").resize((4320, 2160), Image.Resampling.BICUBIC)
mask = np.zeros((photo.height, photo.width), bool)
mask[1240:1480, 2380:2700] = True  # a patch of snow

result = gatefill.load()(photo, mask)

print(f"{photo.width} x {photo.height}: {result.large}, {result.seconds:.1f} s")
assert result.large == "crop"
part = (2000, 1050, 3100, 1650)
save_panels("large_photo", whole=photo, part=photo.crop(part), filled=result.image.crop(part))
