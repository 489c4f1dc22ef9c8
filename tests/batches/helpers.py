"""Small photos and masks for batches, and what came of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image

from gatefill.batches import Summary, batch

HOLE = (slice(20, 28), slice(30, 40))


def photo(seed: int = 0, size: tuple[int, int] = (48, 64)) -> PIL.Image.Image:
    """Coarse noise."""
    grains = np.random.default_rng(seed).integers(
        60, 200, (size[0] // 4, size[1] // 4, 3), dtype=np.uint8
    )
    return PIL.Image.fromarray(grains.repeat(4, axis=0).repeat(4, axis=1))


def mask(size: tuple[int, int] = (48, 64)) -> PIL.Image.Image:
    """A small hole."""
    plane = np.zeros(size, np.uint8)
    plane[HOLE] = 255
    return PIL.Image.fromarray(plane)


def file_of(image: PIL.Image.Image, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


def put(path: Path, image: PIL.Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def run(*photos: str | Path, output: str | Path = "out", **options: object) -> Summary:
    """A batch by one process with PatchMatch, which starts quickest."""
    if "ray" not in options:
        options = {"processes": 1, **options}
    options = {"method": "patchmatch", **options}
    return batch([str(each) for each in photos], output, **options)  # type: ignore[arg-type]


def outputs(folder: str | Path = "out") -> dict[str, bytes]:
    """The files of an output folder but those of the batch itself."""
    root = Path(folder)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".gatefill" not in path.parts
    }


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(PIL.Image.open(path))


def is_filled(output: str | Path, given: PIL.Image.Image) -> bool:
    """Whether a lossless output differs from its photo in the hole, and only there."""
    hole = np.asarray(mask(given.size[::-1])) > 0
    after, before = pixels(output), np.asarray(given)
    return bool((after[~hole] == before[~hole]).all() and (after[hole] != before[hole]).any())


def without_progress(said: str) -> str:
    """Standard error without the line that a batch writes every half a minute."""
    lines = said.splitlines(keepends=True)
    return "".join(line for line in lines if "megapixels per second" not in line)
