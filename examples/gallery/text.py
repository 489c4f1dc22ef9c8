"""Text and watermarks

If the text is known, draw it as the mask, and grow the mask by the blur of its edges.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image, ImageDraw

import gatefill

photo = Image.open(PHOTOS / "desert3.jpg").convert("RGB")
text = Image.new("L", photo.size)
ImageDraw.Draw(text).text((110, 190), "SAMPLE PHOTO", fill=255, font_size=72)
marked = Image.composite(Image.new("RGB", photo.size, "white"), photo, text)

result = gatefill.load()(marked, np.asarray(text) > 0, grow=2)

save_panels("text", photo=marked, mask=result.mask, result=result.image)
