"""One array in, one array out

`gatefill.inpaint` is called like `cv2.inpaint`. Here the hole is a circle around the moon.
"""

import numpy as np
from panels import PHOTOS, save_panels
from PIL import Image

import gatefill

image = np.asarray(Image.open(PHOTOS / "city2.jpg"))
rows, columns = np.indices(image.shape[:2])
mask = np.hypot(rows - 222, columns - 82) < 30

filled = gatefill.inpaint(image, mask)

assert filled.shape == image.shape
assert (filled[~mask] == image[~mask]).all()
save_panels("one_array", image=image, mask=mask, filled=filled)
