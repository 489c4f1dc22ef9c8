"""AVIF and HEIC: read, and AVIF written."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from gatefill.errors import ConfigError
from gatefill.images import ImageError, Photo, read_photo
from gatefill.images.avif_size import largest_frame
from gatefill.images.heif import decode_deep, is_deep_avif, left_out, open_heif
from tests.images.helpers import SRGB, exif_block, mode_image, pil_file, smooth

HEIGHT, WIDTH = 40, 60
avif = pytest.mark.skipif(not features.check("avif"), reason="needs Pillow with AVIF")


def codes(photo: Photo) -> list[str]:
    return [each.code for each in photo.meta.warnings]


def heic(image: Image.Image, **options: Any) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, **{"quality": 95} | options)
    return file.getvalue()


@avif
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_avif_is_read(mode: str) -> None:
    image = mode_image(mode, HEIGHT, WIDTH)
    photo = read_photo(pil_file(image, "AVIF", quality=100, subsampling="4:4:4"))
    assert (photo.alpha is not None) == (mode == "RGBA")
    expected = np.asarray(image.convert("RGB"))
    assert abs(photo.pixels.astype(int) - expected).max() < 8
    assert photo.meta.lossy
    assert codes(photo) == []


@avif
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_upright_and_keeps_its_data(orientation: int) -> None:
    image = mode_image("RGB", HEIGHT, WIDTH)
    exif = exif_block(orientation)
    data = pil_file(image, "AVIF", quality=95, exif=exif.tobytes(), icc_profile=SRGB)
    photo = read_photo(data)
    assert photo.size == ((WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH))
    assert photo.meta.orientation == orientation
    assert photo.meta.icc == SRGB
    plain = read_photo(pil_file(image, "PNG", exif=exif.tobytes()))
    assert abs(photo.pixels.astype(int) - plain.pixels).max() < 16
    written, said = photo.encoded("avif")
    assert [each.code for each in said] == ["file.reencoded"]
    again = read_photo(written)
    assert abs(again.pixels.astype(int) - photo.pixels).max() < 16
    assert again.meta.orientation == 1
    assert again.meta.icc == SRGB
    assert again.to_pil().getexif()[0x010F] == "Maker"


@avif
def test_avif_is_written_with_a_warning_for_what_was_lossless() -> None:
    photo = read_photo(pil_file(mode_image("RGBA", HEIGHT, WIDTH), "PNG"))
    data, said = photo.encoded("avif")
    assert [each.code for each in said] == ["file.lossy"]
    assert read_photo(data).alpha is not None
    assert len(photo.encoded("avif", quality=30).data) < len(data)
    with pytest.raises(ConfigError, match="can be lossless"):
        photo.encoded("avif", lossless=True)


@avif
def test_an_animation_is_read_to_its_first_frame_and_said() -> None:
    first, second = mode_image("RGB", HEIGHT, WIDTH), Image.new("RGB", (WIDTH, HEIGHT))
    data = pil_file(first, "AVIF", save_all=True, append_images=[second], quality=95)
    photo = read_photo(data)
    assert abs(photo.pixels.astype(int) - np.asarray(first)).max() < 30
    assert codes(photo) == ["file.frames"]


@avif
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4"}, {"speed": 10}])
def test_the_size_of_frames_is_found(options: dict[str, Any], mode: str) -> None:
    for width, height in ((333, 77), (64, 64), (1, 1)):
        image = mode_image(mode, height, width)
        assert largest_frame(pil_file(image, "AVIF", **options)) == width * height
        movie = pil_file(image, "AVIF", save_all=True, append_images=[image], **options)
        assert largest_frame(movie) == width * height


def claiming(data: bytes, width: int, height: int) -> bytes:
    """A file whose container says another size than that of its frames."""
    changed, at = bytearray(data), data.find(b"ispe")
    while at >= 0:
        changed[at + 8 : at + 16] = struct.pack(">II", width, height)
        at = data.find(b"ispe", at + 4)
    return bytes(changed)


@avif
def test_frames_larger_than_an_avif_says_are_refused() -> None:
    data = pil_file(Image.new("RGB", (3000, 3000)), "AVIF", quality=30, speed=10)
    assert read_photo(data).size == (3000, 3000)
    with pytest.raises(ImageError, match="holds frames of 9,000,000 pixels") as found:
        read_photo(claiming(data, 64, 64))
    assert found.value.code == "image.bomb"
    with pytest.raises(ImageError, match="more than the limit"):
        read_photo(data, max_pixels=10_000)


def test_frames_larger_than_a_heic_says_are_refused() -> None:
    data = heic(Image.new("RGB", (3000, 3000)), quality=10)
    with pytest.raises(ImageError, match="Security limit"):
        read_photo(claiming(data, 64, 64))
    with pytest.raises(ImageError, match="more than the limit"):
        read_photo(data, max_pixels=10_000)


def test_heic_is_read() -> None:
    image = mode_image("RGB", HEIGHT, WIDTH)
    photo = read_photo(heic(image, exif=exif_block(1).tobytes()))
    assert photo.meta.format == "HEIF"
    assert abs(photo.pixels.astype(int) - np.asarray(image)).max() < 16
    assert photo.meta.lossy
    assert photo.to_pil().getexif()[0x010F] == "Maker"
    turned = read_photo(heic(image, exif=exif_block(6).tobytes()))
    assert turned.size == (HEIGHT, WIDTH)
    assert turned.to_pil().getexif()[0x0112] == 1


def test_heic_of_more_than_8_bits_stays_deep() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    array = smooth(HEIGHT, WIDTH, 3, np.uint16)
    file = io.BytesIO()
    deep = pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), array.tobytes())
    deep.save(file, quality=95)
    photo = read_photo(file.getvalue())
    assert photo.pixels.dtype == np.uint16
    assert abs(photo.pixels.astype(int) - array).max() < 2500


def test_bits_that_a_heic_only_claims_are_not_read() -> None:
    data = heic(mode_image("RGB", HEIGHT, WIDTH))
    image = open_heif(data, "it")
    assert image.info["bit_depth"] == 8
    for claimed in (7, 8, 9):
        image.info["bit_depth"] = claimed
        assert decode_deep(data, image) is None
    del image.info["bit_depth"]
    assert decode_deep(b"no HEIC", image) is None


@pytest.mark.parametrize("flags", [0x00, 0x20, 0x3F, 0x40, 0x41, 0x7F, 0x80, 0xBF, 0xC0])
def test_the_depth_of_an_avif_is_a_flag_in_its_first_configuration(flags: int) -> None:
    for before in (1, 9):
        data = bytes(before) + b"av1C\x81\x40" + bytes([flags])
        assert is_deep_avif(data) == (flags in (0x40, 0x41, 0x7F, 0xC0))
        assert is_deep_avif(data + b"av1C\x81\x00\x40") == is_deep_avif(data)
        assert not is_deep_avif(data[:-1])
    assert not is_deep_avif(b"av1C\x81\x40" + bytes([flags]))  # where every box has its size
    assert not is_deep_avif(bytes(9) + bytes([flags]) * 9)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_what_is_left_out_of_a_container(frames: int) -> None:
    image: Any = Image.new("RGB", (8, 8))
    assert list(left_out(image, "it")) == []
    image.info = {"aux": {"urn:com:apple:photo:2020:aux:portraiteffectsmatte": [1]}}
    image.n_frames = frames
    expected = [] if frames == 1 else [{"name": "it", "number": frames}]
    assert [each.values for each in left_out(image, "it")] == expected
    image.info["aux"]["urn:com:apple:photo:2020:aux:hdrgainmap"] = [2]
    image.info["depth_images"] = []
    *_, last = left_out(image, "it")
    assert (last.code, last.values) == ("file.gain_map", {"name": "it"})
    image.info["depth_images"] = ["one"]
    *_, last = left_out(image, "it")
    assert (last.code, last.values) == ("file.depth_map", {"name": "it"})


def test_heic_without_the_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"is a HEIC file: .*pip install \"gatefill\[heif\]\""):
        read_photo(b"\0\0\0\x18ftypheic" + bytes(40))


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif", b"avis"])
def test_damaged_files_are_one_line(brand: bytes) -> None:
    for rest in (b"", bytes(40), b"\0\0\0\x08mdat", b"\xff" * 100):
        with pytest.raises(ImageError) as found:
            read_photo(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0" + brand + b"mif1" + rest)
        assert "\n" not in str(found.value)
