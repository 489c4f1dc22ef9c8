"""Guide the fill with a sketch

With `deepfill_v2`, edges follow the lines of the sketch; the hybrid accepts sketches as well.
Only lines inside the hole count.
"""

from panels import PHOTOS, save_panels
from PIL import Image, ImageDraw

import gatefill

photo = Image.open(PHOTOS / "hills2.jpg").resize((504, 336))
mask = Image.new("L", photo.size)
ImageDraw.Draw(mask).rectangle((150, 100, 350, 230), fill=255)

inpaint = gatefill.load("deepfill_v2")
lines = {"slope": [(146, 210), (354, 130)], "peak": [(146, 200), (230, 120), (354, 210)]}
panels = {"photo": photo, "no_sketch": inpaint(photo, mask).image}
for name, points in lines.items():
    sketch = Image.new("L", photo.size)
    ImageDraw.Draw(sketch).line(points, fill=255, width=3)
    panels[name] = inpaint(photo, mask, sketch=sketch).image

save_panels("sketch", **panels)
