"""Files that unpack to much more than their pixels: refused before that, or read without it."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gatefill.images import ImageError, Photo, read_mask, read_photo, read_plane
from tests.images import bombs

ROOT = Path(__file__).parents[2]
GROWTH = 48 << 20  # bytes, of the process; each bomb unpacks to twice that


def outcomes(files: dict[str, bytes], folder: Path) -> dict[str, tuple[str, int]]:
    """By file: what came of reading it, and by how much it made the process grow."""
    paths = []
    for name, data in files.items():
        paths.append(folder / name)
        paths[-1].write_bytes(data)
    command = [sys.executable, "-W", "ignore", "-m", "tests.images.bombs", *map(str, paths)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    rows = [line.rsplit(" ", 2) for line in done.stdout.splitlines()]
    return {
        name: (outcome, int(most) - int(before[2]))
        for before, (name, outcome, most) in pairwise(rows)
    }


def test_bombs_are_refused_before_they_unpack(tmp_path: Path) -> None:
    files = dict(bombs.refused())
    found = outcomes(files, tmp_path)
    assert set(found) == set(files)
    for name, (outcome, growth) in found.items():
        assert outcome == "image.bomb", name
        assert growth < GROWTH, name


def test_what_is_beside_the_pixels_is_not_unpacked(tmp_path: Path) -> None:
    files = dict(bombs.harmless())
    found = outcomes(files, tmp_path)
    assert set(found) == set(files)
    for name, (outcome, growth) in found.items():
        assert outcome in ("64x64", "13x9"), name
        assert growth < GROWTH, name


def test_masks_and_sketches_take_the_same_way() -> None:
    bomb = bombs.tiff(bombs.deflated(), {})
    photo = Photo(np.zeros((64, 64, 3), np.uint8))
    for read in (
        lambda: read_photo(bomb),
        lambda: read_mask(bomb, photo),
        lambda: read_plane(bomb, photo, "sketch"),
        lambda: read_plane(bomb, photo, "search region"),
    ):
        with pytest.raises(ImageError, match="unpacks to more than"):
            read()


def test_a_strip_may_be_padded() -> None:
    # The last strip may have as many rows as the others, and writers add a few bytes.
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    for extra in (b"", bytes(100), bytes(2000)):
        data = bombs.tiff(zlib.compress(values.tobytes() + extra), {})
        assert (read_photo(data).pixels[..., 0] == values).all()
