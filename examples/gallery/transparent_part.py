"""No mask: the transparent part is the hole

Erase an object in a paint program and save a PNG with transparency. No mask is needed.
"""

from panels import EXAMPLES, save_panels
from PIL import Image, ImageDraw

import gatefill

cutout = Image.open(EXAMPLES / "marsh.jpg").convert("RGBA")
draw = ImageDraw.Draw(cutout)
draw.ellipse((425, 95, 500, 200), fill=(0, 0, 0, 0))

result = gatefill.load()(cutout)

save_panels("transparent_part", erased=cutout, result=result.image)
