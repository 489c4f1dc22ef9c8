"""A folder of photos

`gatefill.batch` fills a folder with all cores. Masks are found by name. Run it again to
fill new and changed photos only.
"""

import shutil
from tempfile import TemporaryDirectory

import numpy as np
from panels import OUT, PHOTOS, save_panels
from PIL import Image

import gatefill
from gatefill.masks import MASKS


def main() -> None:
    with TemporaryDirectory() as place:
        names = ["canyon5.jpg", "fields7.jpg", "hills2.jpg"]
        for number, name in enumerate(names):
            shutil.copy(PHOTOS / name, place)
            mask = MASKS["lama_medium"](360, 720, number)
            Image.fromarray(mask.astype(np.uint8) * 255).save(f"{place}/{name}.mask.png")

        output = OUT / "folder"
        shutil.rmtree(output, ignore_errors=True)
        summary = gatefill.batch(place, output, processes=1)
        assert (summary.filled, summary.failed) == (3, 0)
        again = gatefill.batch(place, output, processes=1)
        assert (again.filled, again.skipped) == (0, 3)

        masks = {f"mask_of_{name}": f"{place}/{name}.mask.png" for name in names}
        save_panels("folder", **masks, **{name: output / name for name in names})


if __name__ == "__main__":  # processes are started: they import this file
    main()
