"""Where photos come from: paths, bytes, open files, arrays and PIL images; and their names."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gatefill.images import ImageError, is_source, read_photo
from gatefill.images.meta import clean_dpi, first_line
from gatefill.images.source import label_of
from tests.images.helpers import noise, pil_file

PIXELS = noise(5, 7, 3)
DATA = pil_file(Image.fromarray(PIXELS), "PNG")


def test_every_source_gives_the_same_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        sources: list[tuple[Any, str]] = [
            (str(path), str(path)),
            (path, str(path)),
            (file, str(path)),
            (DATA, "photo"),
            (bytearray(DATA), "photo"),
            (memoryview(DATA), "photo"),
            (io.BytesIO(DATA), "photo"),
            (Image.open(path), str(path)),
            (Image.fromarray(PIXELS), "photo"),
            (PIXELS, "photo"),
        ]
        for source, name in sources:
            assert is_source(source)
            photo = read_photo(source)
            assert (photo.pixels == PIXELS).all()
            assert photo.meta.name == name
    for other in (None, 5, [PIXELS], {"a": 1}, object()):
        assert not is_source(other)
    assert label_of("", "mask") == label_of(io.BytesIO(), "mask") == "mask"
    with (tmp_path / "photo.png").open("rb", buffering=0) as file:
        assert label_of(file, "mask") == str(path)
        with open(file.fileno(), "rb", closefd=False) as numbered:  # its name is a number
            assert label_of(numbered, "mask") == "mask"


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("kind", ["path", "file", "bytes"])
def test_how_many_bytes_a_file_may_have(kind: str, more: int, tmp_path: Path) -> None:
    # 16-bit RGBA, and 64 MB for what is beside the pixels.
    limit = 8 * 5 + 64 * 1024 * 1024
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(limit + more)
    source: Any = path if kind == "path" else io.BytesIO(path.read_bytes())
    if kind == "bytes":
        source = source.getvalue()
        more = 0  # they are in memory already
    with pytest.raises(ImageError) as found:
        read_photo(source, max_pixels=5)
    assert found.value.code == ("image.too_many_bytes" if more else "image.unknown")
    if more:
        assert found.value.values["most"] == limit


def test_the_limits_of_a_resolution() -> None:
    for value, expected in (
        ((1, 100_000), (1.0, 1e5)),
        ((0.999, 72), None),
        ((72, 100_001), None),
        ((72, float("nan")), None),
        ((float("inf"), 72), None),
        ((72,), None),
        ((72, 72, 72), None),
        ((72, "x"), None),
        (72, None),
        (None, None),
        (("72", 72.5), (72.0, 72.5)),
    ):
        assert clean_dpi(value) == expected


def test_the_first_line_of_an_error() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
