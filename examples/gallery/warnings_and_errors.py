"""Warnings and errors

A mask that looks wrong gives a warning in the result; input that cannot be used raises a
`GatefillError` with a stable code. Here the mask has a black hole, which `invert_mask` inverts.
"""

import numpy as np
from panels import EXAMPLES, save_panels
from PIL import Image

import gatefill

photo = EXAMPLES / "marsh.jpg"
inverted = 255 - np.asarray(Image.open(EXAMPLES / "marsh_mask.png").convert("L"))

inpaint = gatefill.load()
wrong = inpaint(photo, inverted)
print("warning:", wrong.warnings[0].code, "-", wrong.warnings[0].text)
right = inpaint(photo, inverted, invert_mask=True)
assert not right.warnings

try:
    inpaint(photo, inverted[:100])
except gatefill.MaskError as error:
    print("error:", error.code, "-", error.text)

save_panels("warnings_and_errors", mask=inverted, as_it_is=wrong.image, inverted=right.image)
