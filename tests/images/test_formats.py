"""Files as they come: cut off, with previews in front, raw, of other names, of phones."""

from __future__ import annotations

import io
import struct
import threading
import time
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from gatefill.images import ImageError, Photo, read_photo, size_of
from gatefill.images.jpeg_segments import JpegSegment
from tests.images.bombs import overlapping
from tests.images.cases import case
from tests.images.helpers import (
    cv_file,
    exif_block,
    mode_image,
    noise,
    pil_file,
    png_chunk,
    small_files,
    smooth,
    tiff_file,
)


def codes(photo: Photo) -> list[str]:
    return [warning.code for warning in photo.meta.warnings]


@pytest.mark.parametrize("name", ["ztxt.png", "itxt.png", "iccp.png"])
def test_long_text_and_profiles_do_not_make_a_png_corrupt(name: str) -> None:
    path = case("png-large-text", name)
    photo = read_photo(path)
    assert codes(photo) == []
    # Pillow's own reader refuses the file: only the chunks that make pixels are given to it.
    data = path.read_bytes()
    plain = data[:8]
    for kind in (b"IHDR", b"IDAT", b"IEND"):
        at = data.index(kind)
        plain += data[at - 4 : at + 8 + struct.unpack(">I", data[at - 4 : at])[0]]
    assert (photo.pixels == np.asarray(Image.open(io.BytesIO(plain)).convert("RGB"))).all()
    if name == "iccp.png":
        assert photo.meta.icc is not None
        assert len(photo.meta.icc) > 1 << 20
        assert read_photo(photo.to_bytes("tiff")).meta.icc == photo.meta.icc


def test_broken_parts_beside_the_pixels_are_left_out_and_said() -> None:
    data = pil_file(mode_image("RGB"), "PNG")
    broken = png_chunk(b"tEXt", b"a\0b")[:-1] + b"?"
    photo = read_photo(data[:33] + broken + png_chunk(b"iCCP", b"x\0\0nonsense") + data[33:])
    assert (photo.pixels == read_photo(data).pixels).all()
    assert codes(photo) == ["file.chunks"]
    assert "tEXt, iCCP" in str(photo.meta.warnings[0])
    broken = data.index(b"IDAT") + 6
    for allowed in (False, True):
        with pytest.raises(ImageError, match="truncated or corrupt PNG"):
            read_photo(data[:broken] + b"?" + data[broken + 1 :], allow_truncated=allowed)


def test_a_jpeg_that_lacks_only_the_marker_of_its_end() -> None:
    path = case("jpeg-without-its-end", "no_eoi.jpg")
    photo = read_photo(path)
    assert codes(photo) == ["file.no_end"]
    whole = np.asarray(Image.open(io.BytesIO(path.read_bytes() + b"\xff\xd9")))
    assert (photo.pixels == whole).all()


def test_the_end_of_a_thumbnail_is_not_that_of_the_photo() -> None:
    data = pil_file(Image.fromarray(noise(24, 32, 3)), "JPEG")
    small = JpegSegment(0xE1, b"Exif\0\0" + data).tobytes()
    for rest in (b"", bytes(64)):  # Pillow misses the end in the first only
        photo = read_photo(data[:2] + small + data[2:-2] + rest)
        assert "file.no_end" in codes(photo)
    assert "file.no_end" not in codes(read_photo(data[:2] + small + data[2:]))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("restart", [0, 1, 5])
def test_every_cut_of_a_jpeg_is_told_apart(restart: int, mode: str, progressive: bool) -> None:
    channels = [Image.fromarray(noise(12, 16, 1, seed=seed)[..., 0]) for seed in range(len(mode))]
    image = Image.merge(mode, [channel.resize((80, 60)) for channel in channels])
    options = {"quality": 90, "progressive": progressive, "restart_marker_blocks": restart}
    data = pil_file(image, "JPEG", **options)
    whole = read_photo(data)
    assert "file.no_end" not in codes(whole)
    for cut in (1, 2):
        photo = read_photo(data[:-cut])
        assert "file.no_end" in codes(photo)
        assert (photo.pixels == whole.pixels).all()
    for cut in (*range(4, 12), 40, 700):
        with pytest.raises(ImageError, match=r"truncated or corrupt JPEG.*allow_truncated") as no:
            read_photo(data[:-cut])
        assert no.value.code == "image.truncated"
        photo = read_photo(data[:-cut], allow_truncated=True)
        assert "file.truncated" in codes(photo)
        assert photo.shape == whole.shape
        if not progressive:
            assert (photo.pixels[:16] == whole.pixels[:16]).all()


def test_a_progressive_jpeg_cut_between_scans_is_cut() -> None:
    data = pil_file(Image.fromarray(smooth(64, 64, 3)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(ImageError, match="truncated"):
        read_photo(data[:last])
    assert codes(read_photo(data[:last], allow_truncated=True)) == ["file.truncated"]


@pytest.mark.parametrize("name", ["cut_30_bytes.jpg", "progressive_70_percent.jpg"])
def test_really_cut_jpegs_are_opened_on_request(name: str) -> None:
    path = case("jpeg-without-its-end", name)
    with pytest.raises(ImageError, match="allow_truncated"):
        read_photo(path)
    assert codes(read_photo(path, allow_truncated=True)) == ["file.truncated"]


def test_other_formats_that_are_cut() -> None:
    array = noise(20, 30, 3)
    files = {
        "png": pil_file(Image.fromarray(array), "PNG"),
        "interlaced": cv_file(array, ".png"),
        "png16": cv_file(noise(20, 30, 3, np.uint16), ".png"),
        "bmp": pil_file(Image.fromarray(array), "BMP"),
        "ppm": pil_file(Image.fromarray(array), "PPM"),
        "tiff16": tiff_file(noise(20, 30, 3, np.uint16), compression="zlib", rowsperstrip=4)[:-700],
        "tiff8": tiff_file(array, compression="zlib", rowsperstrip=4)[:-700],
        "raw.tiff8": tiff_file(array, rowsperstrip=4)[:-700],
    }
    for name, data in files.items():
        part = data if "tiff" in name else data[: len(data) * 2 // 3]
        with pytest.raises(ImageError, match="allow_truncated"):
            read_photo(part)
        photo = read_photo(part, allow_truncated=True)
        assert photo.size == (30, 20), name
        assert "file.truncated" in codes(photo), name
        if "tiff" in name:
            assert (photo.pixels[:8].astype(int) > 0).mean() > 0.98, name
        elif name != "bmp":  # which begins at the bottom
            assert (photo.pixels[:6] == read_photo(data).pixels[:6]).all(), name


def test_a_png_without_its_end_is_whole() -> None:
    data = pil_file(mode_image("RGB"), "PNG")
    for end in (12, 15, 16):  # the end, and the last check sum too
        photo = read_photo(data[:-end])
        assert codes(photo) == ["file.no_end"]
        assert (photo.pixels == read_photo(data).pixels).all()


def test_an_interlaced_png_without_its_end() -> None:
    from gatefill.images.png_read import open_png

    def interlaced(height: int, width: int) -> bytes:
        passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2))
        rows = b""
        picture = smooth(height, width, 3)
        for row, column, down, across in (*passes, (0, 1, 2, 2), (1, 0, 2, 1)):
            for line in picture[row::down, column::across]:
                rows += b"\0" + line.tobytes() if line.size else b""
        head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1))
        return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(rows))

    for height, width in ((9, 13), (1, 1), (3, 2), (17, 4)):
        data = interlaced(height, width)
        photo = read_photo(data)
        assert codes(photo) == ["file.no_end"]
        assert (photo.pixels == smooth(height, width, 3)).all()
        assert open_png(data, "it").completed()[1] is False


RAW = {
    "cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(40),
    "cr3": b"\0\0\0\x18ftypcrx " + bytes(40),
    "crw": b"II\x1a\0\0\0HEAPCCDR" + bytes(40),
    "raf": b"FUJIFILMCCD-RAW 0201" + bytes(40),
    "orf": b"IIRO\x08\0\0\0" + bytes(40),
    "rw2": b"IIU\0\x18\0\0\0" + bytes(40),
    "x3f": b"FOVb" + bytes(40),
    "mrw": b"\0MRM" + bytes(40),
}


@pytest.mark.parametrize("suffix", RAW)
def test_raw_files_are_refused_by_name(suffix: str) -> None:
    with pytest.raises(ImageError, match=rf"raw file \(.*{suffix.upper()}\): develop it") as found:
        read_photo(RAW[suffix])
    assert found.value.code == "image.raw"


@pytest.mark.parametrize(
    ("maker", "name"),
    [("NIKON CORPORATION", "NEF"), ("SONY", "ARW"), ("PENTAX", "PEF"), ("Someone", "sensor")],
)
def test_raw_files_that_are_tiffs_inside(maker: str, name: str) -> None:
    # A small preview comes first; the sensor's data are in a sub-directory.
    entries = [(254, 1), (256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    entries += [(278, 8), (279, 64)]
    text = maker.encode() + b"\0"
    sub = struct.pack("<H", 2) + struct.pack("<HHII", 259, 3, 1, 1)
    sub += struct.pack("<HHII", 262, 3, 1, 32803) + bytes(4)
    count = len(entries) + 2
    start = 72 + 2 + 12 * count + 4
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    table = table[:-36] + struct.pack("<HHII", 271, 2, len(text), start + len(sub)) + table[-36:]
    table += struct.pack("<HHII", 330, 4, 1, start)
    head = b"II*\0" + struct.pack("<I", 72) + bytes(64)
    with pytest.raises(ImageError, match=rf"raw file \(.*{name}\)"):
        read_photo(head + struct.pack("<H", count) + table + bytes(4) + sub + text)


def test_dng_is_refused_by_name() -> None:
    with pytest.raises(ImageError, match=r"shot\.dng is a raw file \(DNG\): develop it first"):
        read_photo(case("tiff-thumbnail-first", "shot.dng"))


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"\xff\x0a\xfa", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x20ftypisom", "video"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
    ],
)
def test_files_of_other_kinds_are_named(start: bytes, name: str) -> None:
    with pytest.raises(ImageError, match=f"it looks like a .*{name}"):
        read_photo(start + bytes(100))


@pytest.mark.parametrize(("name", "format"), [("really_png.jpg", "PNG"), ("photo.jfif", "JPEG")])
def test_the_content_and_not_the_name_says_the_format(name: str, format: str) -> None:
    assert read_photo(case("name-and-content-differ", name)).meta.format == format


def test_sizes_are_known_without_decoding() -> None:
    for name, data in small_files():
        width, height = size_of(data)
        assert sorted((width, height)) == sorted(read_photo(data).size), name
    scan = case("tiff-thumbnail-first", "scan.tif").read_bytes()
    assert size_of(scan) == (384, 256)
    for data in (
        b"",
        b"BM",
        b"\xff\xd8\xff",
        b"II*\0\x08\0\0\0",
        overlapping(2000, 1 << 16, 1 << 16),
    ):
        with pytest.raises(ImageError):
            size_of(data)


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    # A few kilobytes would keep a processor busy for minutes.
    data = pil_file(Image.fromarray(smooth(64, 64, 3)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert read_photo(data).shape == (64, 64)
    with pytest.raises(ImageError, match=r"1,0\d\d scans"):
        read_photo(data[:last] + data[last:-2] * 1000 + data[-2:])


def test_reading_changes_nothing_for_the_whole_process() -> None:
    files = [
        pil_file(mode_image("RGB"), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        cv_file(noise(40, 40, 3, np.uint16), ".png"),
        cv_file(noise(40, 40, 3, np.uint16), ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 5),
        pil_file(exif_image(), "JPEG", exif=exif_block(3)),
    ]
    stop = threading.Event()

    def read_on() -> None:
        while not stop.is_set():
            for data in files:
                read_photo(data)

    reader = threading.Thread(target=read_on)
    filters, show = [*warnings.filters], warnings.showwarning
    level = cv2.utils.logging.getLogLevel()
    reader.start()
    try:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            assert warnings.filters == filters
            assert warnings.showwarning is show
            assert cv2.utils.logging.getLogLevel() == level
    finally:
        stop.set()
        reader.join()


def exif_image() -> Image.Image:
    return mode_image("RGB", 40, 40)


def test_many_threads_read_the_same() -> None:
    files = [
        cv_file(noise(64, 64, 3, np.uint16, seed=1), ".png"),
        tiff_file(noise(64, 64, 3, np.uint16, seed=2), photometric="rgb", compression="zlib"),
        pil_file(Image.fromarray(noise(64, 64, 3, seed=3)), "JPEG")[:-2],
    ]
    wanted = [read_photo(data).pixels for data in files]
    wrong: list[int] = []

    def read_all() -> None:
        for _ in range(20):
            for at, data in enumerate(files):
                if not (read_photo(data).pixels == wanted[at]).all():
                    wrong.append(at)

    threads = [threading.Thread(target=read_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
