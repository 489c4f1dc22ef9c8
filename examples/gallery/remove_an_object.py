"""Remove an object

Load the default method once, fill the white part of the mask, save the result. Everything outside
the mask stays unchanged.
"""

from panels import EXAMPLES, OUT, save_panels

import gatefill

photo, mask = EXAMPLES / "marsh.jpg", EXAMPLES / "marsh_mask.png"

inpaint = gatefill.load()
result = inpaint(photo, mask)

OUT.mkdir(parents=True, exist_ok=True)
result.save(OUT / "marsh.jpg", overwrite=True)
print(f"{result.method}, {result.seconds:.1f} s, warnings: {list(result.warnings)}")

save_panels("remove_an_object", photo=photo, mask=mask, result=result.image)
