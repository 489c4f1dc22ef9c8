"""Blocks that are written anew are those an encoder would write; what cannot be kept is refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gatefill.images import read_photo
from gatefill.images.jpeg_blocks import UnkeptError, with_blocks_changed
from gatefill.images.jpeg_segments import DQT, JpegLayout, JpegSegment, layout_of
from tests.images.jpegs import KINDS, jpegio, stored, texture


def edited(data: bytes, edit: Callable[[Any], None]) -> bytes:
    """The file after a change of what libjpeg's structures say of it."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        Path(file.name).write_bytes(data)
        jpeg = jpegio.read(file.name)
        edit(jpeg)
        jpegio.write(jpeg, file.name)
        return Path(file.name).read_bytes()


def rewritten(data: bytes, place: Any = (slice(0, 8), slice(0, 8))) -> tuple[bytes, list[str]]:
    """The file with inverted pixels in a place, and the codes of warnings."""
    photo = read_photo(data)
    pixels = photo.pixels.copy()
    pixels[place] = 255 - pixels[place]
    file = photo.replaced(pixels).encoded("jpg")
    return file.data, [warning.code for warning in file.warnings]


@pytest.mark.parametrize(("height", "width"), [(40, 48), (45, 61), (33, 65), (1, 1), (7, 9)])
@pytest.mark.parametrize("kind", ["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "best", "gray"])
def test_new_blocks_are_those_that_an_encoder_writes(kind: str, height: int, width: int) -> None:
    data, other = (KINDS[kind](height, width, seed) for seed in (0, 1))
    photo = read_photo(data)
    drawn = texture(height, width, photo.pixels.shape[2], 1)
    # Where they were equal, what the source's coefficients show would be taken.
    drawn = np.where(drawn == photo.pixels, drawn ^ 1, drawn)
    ours = stored(photo.replaced(drawn).to_bytes("jpg"))
    for number, (one, another) in enumerate(zip(ours.blocks, stored(other).blocks, strict=True)):
        tall, wide = ours.footprints(number)
        differs = abs(one - another)
        assert differs[: height // tall, : width // wide].max(initial=0) <= 3
        assert differs.max() <= 8  # encoders pad what is beyond the edge in their own ways
        assert differs.mean() < 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_the_process_stays(kind: str) -> None:
    data = KINDS[kind](40, 48, 0)
    after, codes = rewritten(data)
    assert codes == []
    assert layout_of(after).process == layout_of(data).process
    if kind in ("4:2:0", "cmyk", "gray", "not interleaved"):
        # Huffman codes: luma has its own.
        codes_of = {part.payload[0] for part in layout_of(after).head if part.marker == 0xC4}
        assert codes_of == ({0, 0x10} if kind == "gray" else {0, 0x10, 1, 0x11})


def test_a_system_without_files_in_memory_writes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = KINDS["4:2:0"](40, 48, 0)
    expected = rewritten(data)
    monkeypatch.delattr("os.memfd_create", raising=False)
    assert rewritten(data) == expected
    assert expected[1] == []


@pytest.mark.parametrize("kind", ["extended", "progressive, arithmetic"])
def test_rare_processes_keep_their_blocks(kind: str) -> None:
    if kind == "extended":
        data = KINDS["4:4:4"](40, 48, 0).replace(b"\xff\xc0", b"\xff\xc1", 1)
    else:
        data = edited(KINDS["progressive"](40, 48, 0), lambda jpeg: setattr(jpeg, "arith_code", 1))
        assert layout_of(data).process == 10
    after, codes = rewritten(data)
    assert codes == []
    for one, other in zip(stored(data).blocks, stored(after).blocks, strict=True):
        changed = (one != other).any((2, 3))
        assert changed[0, 0]
        assert changed.sum() == 1 or changed.shape != stored(data).blocks[0].shape[:2]


def test_the_file_grows_with_its_blocks_only() -> None:
    data = edited(KINDS["4:2:0"](160, 240, 0), lambda jpeg: setattr(jpeg, "optimize_coding", 1))
    after = read_photo(data).to_bytes("jpg")
    assert len(after) == len(data)
    # Its own codes are not enough for other blocks.
    assert rewritten(data)[1] == []


@pytest.mark.parametrize(
    ("level", "kept"), [(1023, True), (1024, False), (-1024, True), (-1025, False)]
)
@pytest.mark.parametrize("kind", ["4:4:4", "gray"])
def test_levels_that_no_encoder_writes_are_damage(kind: str, level: int, kept: bool) -> None:
    def edit(jpeg: Any) -> None:
        jpeg.coef_arrays[-1][8, 8] = level

    after, codes = rewritten(edited(KINDS[kind](24, 24, 0), edit))
    assert codes == ([] if kept else ["file.reencoded"])
    assert (stored(after).blocks[-1][1, 1, 0, 0] == level) == kept


def parts(kind: str = "4:4:4") -> tuple[bytes, NDArray[np.uint8], Any, JpegLayout]:
    """A file of 24 x 32 pixels, its pixels, one that changes, and its layout."""
    data = KINDS[kind](32, 24, 0)
    changed = np.zeros((32, 24), bool)
    changed[9, 9] = True
    return data, np.asarray(read_photo(data).pixels, np.uint8), changed, layout_of(data)


def plain(pixels: NDArray[np.uint8], _: int) -> NDArray[np.float32]:
    return pixels.astype(np.float32)


def table(slot: int) -> JpegSegment:
    return JpegSegment(DQT, bytes([slot, *[9] * 64]))


def test_tables_that_libjpeg_sees_otherwise_are_refused() -> None:
    data, pixels, changed, layout = parts()
    without = [part for part in layout.head if part.marker != DQT]
    assert with_blocks_changed(data, pixels, changed, layout, plain)
    for tables in ([0], [0, 1, 2], [0, 3], [1, 2], []):
        other = replace(layout, head=[*map(table, tables), *without])
        with pytest.raises(UnkeptError, match="tables change"):
            with_blocks_changed(data, pixels, changed, other, plain)


@pytest.mark.parametrize(("down", "right"), [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_pixels_of_another_size_are_refused(down: int, right: int) -> None:
    data, pixels, changed, layout = parts()
    shape = 32 + down, 24 + right
    pixels, changed = np.resize(pixels, (*shape, 3)), np.resize(changed, shape)
    with pytest.raises(UnkeptError, match="another size"):
        with_blocks_changed(data, pixels, changed, layout, plain)


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("kind", ["4:4:4", "gray"])
def test_a_table_with_a_zero_is_damage(kind: str, value: int) -> None:
    data, pixels, changed, _ = parts(kind)
    at = data.rindex(b"\xff\xdb") + 68  # the last value of the last table
    data = data[:at] + bytes([value]) + data[at + 1 :]
    if value:
        assert with_blocks_changed(data, pixels, changed, layout_of(data), plain)
    else:
        with pytest.raises(UnkeptError, match="damaged"):
            with_blocks_changed(data, pixels, changed, layout_of(data), plain)
