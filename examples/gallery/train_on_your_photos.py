"""Train on your photos

Ten steps of fine-tuning from the weights that come with gatefill, on eight photos, as a
demonstration. A real run takes hours: `gatefill train deepfill-v2-laptop --data photos`.
"""

import shutil

import numpy as np
from panels import OUT, PHOTOS, save_panels
from PIL import Image

import gatefill
from gatefill.checkpoints import find_weights
from gatefill.cli import run

SETTINGS = ("images=20", "batch_size=2", "data.size=64", "data.workers=0", "optimizer.lr=1e-4")


def main() -> None:
    folder = OUT / "run"
    shutil.rmtree(folder, ignore_errors=True)
    line = f"train deepfill-v2-laptop --data {PHOTOS} --start-from compact -o {folder}"
    chosen = [word for setting in SETTINGS for word in ("--set", setting)]
    if run([*line.split(), *chosen]) != 0:
        raise SystemExit("the training failed")

    photo = Image.open(PHOTOS / "fields7.jpg")
    mask = np.zeros((photo.height, photo.width), bool)
    mask[150:240, 420:520] = True
    before = gatefill.load(weights=find_weights("compact"))
    after = gatefill.load(weights=folder / "last.safetensors")
    save_panels(
        "train_on_your_photos",
        hole=np.where(mask[..., None], np.uint8(255), np.asarray(photo)),
        before=before(photo, mask).image,
        after_10_steps=after(photo, mask).image,
    )


if __name__ == "__main__":  # the processes that load photos import this file
    main()
