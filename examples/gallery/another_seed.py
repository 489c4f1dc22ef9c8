"""Change the random seed

`seeded` returns the same inpainter with another random seed, without loading it again.
"""

from panels import PHOTOS, save_panels
from PIL import Image, ImageDraw

import gatefill

photo = Image.open(PHOTOS / "beach6.jpg")
mask = Image.new("L", photo.size)
ImageDraw.Draw(mask).ellipse((365, 110, 500, 220), fill=255)

inpaint = gatefill.load()
fills = {f"seed_{seed}": inpaint.seeded(seed)(photo, mask).image for seed in (1, 2, 3, 4)}

save_panels("another_seed", photo=photo, mask=mask, **fills)
