"""Files that want to crash the reader: every failure is one clear line."""

from __future__ import annotations

import io
import os
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from gatefill.errors import MaskError
from gatefill.images import ImageError, Photo, read_mask, read_photo
from tests.images.helpers import mode_image, pil_file, png_chunk, small_files, tiff_file
from tests.images.test_metadata import photographed

FILES = dict(small_files()) | {
    "camera.jpg": photographed(),
    "camera.png": read_photo(photographed()).to_bytes("png"),
}
STARTS = (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"BM")
STARTS += (b"GIF89a", b"RIFF\x40\0\0\0WEBPVP8 ", b"P5 ", b"II+\0\x08\0\0\0")
PHOTO = Photo(np.zeros((9, 13, 3), np.uint8))


def failure_of(read: Callable[[], object]) -> str | None:
    """What the error says, of the only kinds there may be; None where there is none."""
    try:
        read()
    except (ImageError, MaskError) as error:
        return str(error)
    return None


def assert_photo_or_one_line(data: bytes) -> None:
    """Whatever the bytes are: a photo and a mask, or an error of one line."""
    for read in (
        lambda: read_photo(data, max_pixels=10**6),
        lambda: read_mask(data, PHOTO, resize=True, max_pixels=10**6),
    ):
        message = failure_of(read)
        assert message is None or (message and "\n" not in message)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A real file with some bytes changed, cut out, doubled, or its end missing."""
    data = bytearray(FILES[draw(st.sampled_from(sorted(FILES)))])
    for _ in range(draw(st.integers(1, 6))):
        # Headers stand at the beginning (and at the end in some TIFFs): most harm is done there.
        reach = draw(st.sampled_from([64, 512, len(data)]))
        place = draw(st.integers(0, min(reach, len(data)) - 1 if data else 0))
        if draw(st.booleans()):
            place = len(data) - 1 - place
        place = max(place, 0)
        kind = draw(st.sampled_from(["set", "flip", "long", "cut", "repeat", "insert"]))
        if kind == "set":
            data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "long":
            value = draw(st.sampled_from([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 65535, 100000]))
            order = draw(st.sampled_from("<>"))
            data[place : place + 4] = struct.pack(order + "I", value)
        elif kind == "cut":
            del data[place : place + draw(st.integers(1, 200))]
        elif kind == "repeat":
            data[place:place] = data[place : place + 50]
        else:
            data[place:place] = draw(st.binary(min_size=1, max_size=20))
    return bytes(data)


@settings(max_examples=1000)
@given(mutations())
def test_mutated_files(data: bytes) -> None:
    assert_photo_or_one_line(data)


@settings(max_examples=150)
@given(mutations(), st.sampled_from(["jpg", "png", "tif", "webp"]))
def test_mutated_files_are_filled_and_written(data: bytes, format: str) -> None:
    try:
        photo = read_photo(data, max_pixels=10**6)
    except ImageError:
        return
    pixels = photo.pixels.copy()
    pixels[:5, :5] ^= 77
    if max(photo.size) > 10_000 and format in ("jpg", "webp"):
        return
    file = photo.replaced(pixels).encoded(format)
    assert read_photo(file.data).size == photo.size


@given(st.binary(max_size=300))
@example(b"")
@example(b"BM")
@example(b"GIF89a")
@example(b"II*\0")
@example(b"\x89PNG\r\n\x1a\n")
@example(b"\xff\xd8\xff")
@example(b"RIFF\0\0\0\0WEBP")
@example(b"P6 ")
def test_random_bytes(data: bytes) -> None:
    assert_photo_or_one_line(data)


@settings(max_examples=100)
@given(
    st.sampled_from(STARTS),
    st.binary(max_size=200),
)
def test_random_bytes_behind_a_real_beginning(start: bytes, rest: bytes) -> None:
    assert_photo_or_one_line(start + rest)


@pytest.mark.parametrize("name", FILES)
def test_every_truncation(name: str) -> None:
    data = FILES[name]
    for length in range(0, len(data), max(len(data) // 40, 1)):
        assert_photo_or_one_line(data[:length])
    with pytest.raises(ImageError):
        read_photo(data[: len(data) // 2])


def bomb(width: int, height: int, depth: int = 8) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def huge_files() -> dict[str, bytes]:
    bmp = bytearray(FILES["RGB.bmp"])
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    gif = bytearray(FILES["p.gif"])
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    jpeg = bytearray(FILES["gray.jpg"])
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    tiff = bytearray(FILES["rgb16.tif"])
    for tag in (256, 257):
        entry = tiff.index(struct.pack("<HH", tag, 4))
        tiff[entry + 8 : entry + 12] = struct.pack("<I", 100000)
    tiff8 = tiff_file(np.zeros((3, 3), np.uint8)).replace(
        struct.pack("<HHII", 256, 4, 1, 3), struct.pack("<HHII", 256, 4, 1, 1 << 30)
    )
    webp = bytearray(FILES["rgba.webp"])
    assert webp[12:16] == b"VP8L"
    webp[21:25] = struct.pack("<I", 0x3FFF | 0x3FFF << 14)
    return {
        "png": bomb(100000, 100000),
        "png16": bomb(100000, 100000, 16),
        "bmp": bytes(bmp),
        "gif": bytes(gif),
        "jpg": bytes(jpeg),
        "tiff16": bytes(tiff),
        "tiff": tiff8,
        "webp": bytes(webp),
        "ppm": b"P6 100000 100000 255\n",
    }


@pytest.mark.parametrize("name", huge_files())
def test_decompression_bombs_are_refused_from_the_header(name: str) -> None:
    data = huge_files()[name]
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"more than the limit of .*max_pixels"):
        read_photo(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3e7


def test_the_limit_can_be_raised_beyond_pillows_own() -> None:
    # Pillow refuses more than 179 million pixels wherever its own limit is asked.
    data = pil_file(Image.new("1", (20000, 10001)), "PNG")
    with pytest.raises(ImageError, match="20000 x 10001 = 200,020,000 pixels"):
        read_photo(data)
    assert read_photo(data, max_pixels=10**9).size == (20000, 10001)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (1, 16000), (16000, 1)])
@pytest.mark.parametrize("format", ["png", "jpg", "webp", "tiff", "bmp"])
def test_thin_photos(size: tuple[int, int], format: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    photo = read_photo(Photo(array).to_bytes(format))
    assert photo.shape == size
    if format != "jpg":
        assert (photo.pixels == array).all()


def test_zero_sizes() -> None:
    for data in (bomb(0, 5), bomb(5, 0), b"P6 0 4 255\n"):
        with pytest.raises(ImageError):
            read_photo(data)


def test_things_that_are_no_image_files(tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("this is no picture\n")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.png").mkdir()
    cases = {
        "notes.png": r"notes\.png is no image of a known kind \(JPEG, PNG",
        "empty.jpg": r"empty\.jpg is empty",
        "folder.png": "got a directory",
        "null\0byte": "no such file|cannot be read",
        "long" * 100: "cannot be read" if os.name == "posix" else "no such file|cannot be read",
    }
    for name, message in cases.items():
        with pytest.raises((ImageError, FileNotFoundError), match=message) as found:
            read_photo(tmp_path / name)
        assert "\n" not in str(found.value)
    with pytest.raises(FileNotFoundError, match=r"no such file: .*missing\.jpg"):
        read_photo(tmp_path / "missing.jpg")
    with pytest.raises(ImageError, match="got a directory"):
        read_photo("")


@pytest.mark.skipif(os.name != "posix", reason="links, devices and pipes of POSIX")
def test_things_of_the_system_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises((ImageError, FileNotFoundError), match=r"no such file|cannot be read"):
        read_photo(tmp_path / "loop")
    with pytest.raises(ImageError, match="got something else"):
        read_photo("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="got something else"):
        read_photo(tmp_path / "pipe")


def test_things_that_are_no_source_at_all() -> None:
    for source in (None, 5, ["a"], {"b": 1}):
        with pytest.raises(ImageError, match=r"expected a path, bytes, .* got"):
            read_photo(source)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="binary mode"):
        read_photo(io.StringIO("text"))  # type: ignore[arg-type]
    closed = io.BytesIO(b"")
    closed.close()
    with pytest.raises(ImageError, match="cannot be read"):
        read_photo(closed)


def test_a_lazily_opened_image_that_is_truncated() -> None:
    data = pil_file(mode_image("RGB", 64, 64), "PNG")
    with pytest.raises(ImageError, match="cannot be read"):
        read_photo(Image.open(io.BytesIO(data[:150])))


def test_messages_are_one_line_and_name_the_file(tmp_path: Path) -> None:
    for name, data in FILES.items():
        path = tmp_path / re.sub(r"\W", "_", name)
        path.write_bytes(data[: len(data) * 2 // 3])
        message = failure_of(lambda path=path: read_photo(path))
        assert message is None or (message.startswith(str(path)) and "\n" not in message)
