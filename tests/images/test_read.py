"""Reading photos: formats, kinds of pixels, orientation, what comes with them."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from gatefill.images import ImageError, Photo, read_photo
from tests.images.helpers import (
    SRGB,
    cmyk_profile,
    cv_file,
    exif_block,
    mode_image,
    noise,
    pil_file,
    png16_file,
    png_chunk,
    small_files,
    smooth,
    tiff_file,
)

FILES = dict(small_files())


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_is_read(name: str) -> None:
    photo = read_photo(FILES[name])
    is_deep = "16" in name or name in ("F.tif", "float.tif")
    assert photo.pixels.dtype == (np.uint16 if is_deep else np.uint8)
    assert sorted(photo.shape) in ([9, 13], [2, 3], [20, 33])
    rgb = photo.rgb()
    assert rgb.dtype == np.float32
    assert rgb.shape == (*photo.shape, 3)
    assert 0 <= rgb.min() < rgb.max() <= 1
    assert (photo.alpha is not None) == any(
        part in name for part in ("A.png", "A.tif", "a.webp", "a16", "P.png")
    )


@pytest.mark.parametrize(
    "name",
    [name for name in FILES if "16" not in name and name[0] not in "FIf" and "LAB" not in name],
)
def test_eight_bits_agree_with_pillow(name: str) -> None:
    photo = read_photo(FILES[name])
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(FILES[name])))
    expected = np.asarray(image.convert("RGBA" if photo.alpha is not None else "RGB"))
    assert (photo.pixels == expected[..., :3]).all()
    if photo.alpha is not None:
        assert (photo.alpha == expected[..., 3]).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay_sixteen(channels: int, suffix: str) -> None:
    array = noise(11, 7, channels, np.uint16)
    photo = read_photo(cv_file(array, suffix))
    assert (photo.pixels == array[..., :3]).all()
    if channels == 4:
        assert photo.alpha is not None
        assert (photo.alpha == array[..., 3]).all()


def test_sixteen_bit_gray_with_alpha_in_png() -> None:
    array = noise(5, 4, 2, np.uint16)
    photo = read_photo(png16_file(array, 4))
    assert photo.alpha is not None
    assert (photo.pixels == array[..., :1]).all()
    assert (photo.alpha == array[..., 1]).all()


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3)])
def test_sixteen_bit_png_with_a_transparent_color(kind: int, channels: int) -> None:
    array = noise(5, 4, channels, np.uint16)
    key = array[2, 3].astype(">u2").tobytes()
    photo = read_photo(png16_file(array, kind, png_chunk(b"tRNS", key)))
    assert (photo.pixels == array).all()
    assert photo.alpha is not None
    assert photo.alpha[2, 3] == 0
    assert (photo.alpha == 65535).sum() == 19


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True},
        {"byteorder": ">"},
        {"planarconfig": "separate"},
        {"tile": (16, 16)},
        {"rowsperstrip": 3},
        {"bigtiff": True},
    ],
)
def test_sixteen_bit_tiffs_of_every_layout(options: dict[str, object]) -> None:
    array = noise(21, 18, 3, np.uint16)
    stored = np.moveaxis(array, -1, 0) if "planarconfig" in options else array
    photo = read_photo(tiff_file(np.ascontiguousarray(stored), photometric="rgb", **options))
    assert (photo.pixels == array).all()


@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_sixteen_bit_tiffs_of_other_compressions(compression: int) -> None:
    array = noise(21, 18, 4, np.uint16)
    data = cv_file(array, ".tif", cv2.IMWRITE_TIFF_COMPRESSION, compression)
    photo = read_photo(data)
    assert photo.alpha is not None
    assert (np.dstack([photo.pixels, photo.alpha]) == array).all()


def test_tiff_where_zero_is_white() -> None:
    array = noise(6, 5, 1, np.uint16)
    photo = read_photo(tiff_file(array[..., 0], photometric="miniswhite"))
    assert (photo.pixels == 65535 - array).all()


def test_tiff_with_premultiplied_alpha_is_divided() -> None:
    array = np.array([[[10000, 20000, 30000, 32768], [1, 2, 3, 65535], [0, 0, 0, 0]]], np.uint16)
    photo = read_photo(tiff_file(array, photometric="rgb", extrasamples=["assocalpha"]))
    assert abs(photo.pixels[0, 0].astype(int) - [20000, 40000, 60000]).max() <= 1
    assert photo.pixels[0, 1].tolist() == [1, 2, 3]


def test_float_tiff_becomes_16_bits_with_a_warning() -> None:
    array = noise(6, 5, 3, np.uint16)
    photo = read_photo(tiff_file((array / np.float64(65535)), photometric="rgb"))
    assert (photo.pixels == array).all()
    (warning,) = photo.meta.warnings
    assert warning.code == "file.float"
    assert "rounded to 16 bits" in str(warning)


@pytest.mark.parametrize("worst", [2.5, -0.1, float("nan"), float("inf")])
def test_float_tiff_beyond_its_range_is_refused(worst: float) -> None:
    array = np.full((4, 4, 3), 0.5, np.float32)
    array[1, 2, 0] = worst
    with pytest.raises(ImageError, match=r"expected float values in \[0, 1\]"):
        read_photo(tiff_file(array, photometric="rgb"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_and_reset(orientation: int, format: str) -> None:
    exif = exif_block(orientation)
    image = mode_image("RGB", 16, 24)
    options = {"lossless": True} if format == "WEBP" else {}
    data = pil_file(image, format, exif=exif, dpi=(300, 150), **options)
    photo = read_photo(data)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (photo.pixels == np.asarray(turned)).all()
    again = read_photo(photo.to_bytes("png"))
    assert (again.pixels == photo.pixels).all()
    assert photo.to_pil().getexif().get(0x0112, 1) == 1
    if format != "WEBP":
        assert photo.meta.dpi is not None
        wide = photo.meta.dpi[0] > photo.meta.dpi[1]
        assert wide == (orientation < 5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bits_and_alpha(orientation: int) -> None:
    array = noise(4, 6, 4, np.uint16)
    small = (array >> 8).astype(np.uint8)
    png = pil_file(Image.fromarray(small), "PNG", exif=exif_block(orientation))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(png))))
    exif = exif_block(orientation).tobytes()[6:]
    files = [
        png16_file(array, 6, png_chunk(b"eXIf", exif)),
        tiff_file(array, photometric="rgb", extratags=[(274, "H", 1, orientation)]),
    ]
    for data in files:
        photo = read_photo(data)
        assert photo.alpha is not None
        assert (np.dstack([photo.pixels, photo.alpha]) >> 8 == expected).all()


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
def test_cmyk_goes_through_its_profile(format: str) -> None:
    image = mode_image("CMYK")
    plain = read_photo(pil_file(image, format))
    assert plain.meta.icc is None
    managed = read_photo(pil_file(image, format, icc_profile=cmyk_profile()))
    assert managed.meta.icc is None  # sRGB now
    # In that profile only black ink darkens: the others are invisible.
    inkless = Image.merge("CMYK", [Image.new("L", image.size)] * 3 + [image.getchannel("K")])
    expected = read_photo(pil_file(inkless, format, icc_profile=cmyk_profile()))
    assert abs(managed.pixels.astype(int) - expected.pixels).max() <= 12
    assert abs(managed.pixels.astype(int) - plain.pixels).max() > 40
    # A profile of another kind cannot be used: the plain conversion is taken, and it is not kept.
    odd = read_photo(pil_file(image, format, icc_profile=SRGB))
    assert (odd.pixels == plain.pixels).all()
    assert odd.meta.icc is None


def test_lab_becomes_srgb() -> None:
    lab = Image.fromarray(np.array([[[255, 128, 128], [0, 128, 128]]], np.uint8), "LAB")
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (200, 40, 60)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    photo = read_photo(pil_file(lab, "TIFF"))
    assert abs(photo.pixels[0, 0].astype(int) - [200, 40, 60]).max() <= 4


def test_first_frame_of_several() -> None:
    first, second = mode_image("RGB"), Image.new("RGB", (13, 9), "white")
    for format, options in (("TIFF", {}), ("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        data = pil_file(first, format, save_all=True, append_images=[second], **options)
        difference = read_photo(data).pixels.astype(int) - np.asarray(first)
        assert abs(difference).mean() < 6  # GIF's palette


def test_color_pnm_of_16_bits_is_refused_and_not_rounded() -> None:
    with pytest.raises(ImageError, match="expected 8 bits"):
        read_photo(b"P6 2 1 65535\n" + bytes(12))
    assert read_photo(b"P5 2 1 65535\n" + bytes(range(4))).pixels.ravel().tolist() == [1, 515]


def test_multi_picture_jpegs_of_phones() -> None:
    first, second = mode_image("RGB", 32, 48), Image.new("RGB", (24, 16), "white")
    data = pil_file(first, "MPO", save_all=True, append_images=[second])
    photo = read_photo(data)
    assert photo.shape == (32, 48)
    assert photo.meta.subsampling == "4:2:0"


def test_color_profiles_are_kept() -> None:
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert read_photo(pil_file(mode_image("RGB"), format, icc_profile=SRGB)).meta.icc == SRGB
    data = tiff_file(noise(4, 4, 3, np.uint16), photometric="rgb", iccprofile=SRGB)
    assert read_photo(data).meta.icc == SRGB


def test_the_thumbnail_goes_and_the_rest_of_exif_stays() -> None:
    # The first directory's pointer to the next leads to the thumbnail in IFD1.
    ifd0 = b"\x01\x00" + b"\x0f\x01\x02\x00\x06\x00\x00\x00\x1a\x00\x00\x00" + b"\x20\x00\x00\x00"
    text = b"Maker\x00"
    ifd1 = b"\x01\x00" + b"\x01\x02\x04\x00\x01\x00\x00\x00\x40\x00\x00\x00" + b"\x00" * 4
    block = b"II*\x00\x08\x00\x00\x00" + ifd0 + text + ifd1 + b"\x00" * 14 + b"THUMBNAIL"
    data = pil_file(mode_image("RGB"), "JPEG", exif=b"Exif\x00\x00" + block)
    assert b"THUMBNAIL" in data
    photo = read_photo(data)
    assert b"THUMBNAIL" not in photo.to_bytes("jpg")
    assert photo.to_pil().getexif()[0x010F] == "Maker"


def test_broken_exif_is_no_reason_to_refuse_a_photo() -> None:
    data = pil_file(mode_image("RGB"), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    photo = read_photo(data)
    assert photo.shape == (9, 13)
    assert read_photo(photo.to_bytes("jpg")).shape == (9, 13)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays(channels: int, dtype: type) -> None:
    array = noise(6, 5, channels, dtype)
    photo = read_photo(array)
    color = 1 if channels < 3 else 3
    assert photo.pixels.dtype == dtype
    assert (photo.pixels == array[..., :color]).all()
    assert (photo.alpha is not None) == (channels in (2, 4))
    assert photo.meta.exif is None


def test_arrays_of_other_kinds() -> None:
    gray = noise(6, 5, 1)[..., 0]
    assert (read_photo(gray).pixels[..., 0] == gray).all()
    assert (read_photo(gray > 100).pixels[..., 0] == np.where(gray > 100, 255, 0)).all()
    rgb = noise(6, 5, 3)
    assert (read_photo(rgb / np.float32(255)).pixels == rgb).all()
    assert (read_photo(rgb[:, ::-2]).pixels == rgb[:, ::-2]).all()
    big = rgb.astype(">u2")
    assert (read_photo(big).pixels == rgb).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 5, 5), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((2, 5, 5, 3), np.uint8),
        np.full((5, 5, 3), -1, np.int32),
        np.full((5, 5, 3), 1 << 16, np.int64),
        np.full((5, 5, 3), 255.0),
        np.full((5, 5, 3), np.nan),
        np.full((5, 5, 3), 1j),
        np.full((5, 5, 3), "a"),
        np.full((5, 5, 3), None),
    ],
)
def test_arrays_that_are_no_photo(array: np.ndarray) -> None:
    with pytest.raises(ImageError, match="expected") as found:
        read_photo(array)
    assert "got" in str(found.value)


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    rgb = noise(6, 5, 3)
    tensor = torch.from_numpy(np.moveaxis(rgb, -1, 0).copy())
    for given in (tensor, tensor[None], tensor / 255, (tensor / 255).requires_grad_()):
        assert (read_photo(given).pixels == rgb).all()
    assert (read_photo(tensor[0]).pixels[..., 0] == rgb[..., 0]).all()
    assert (read_photo(tensor[:1]).pixels[..., 0] == rgb[..., 0]).all()
    assert abs(read_photo((tensor / 255).bfloat16()).pixels.astype(int) - rgb).max() <= 1
    for wrong in (tensor.permute(1, 2, 0), tensor[None, None], tensor.expand(2, 3, 6, 5)):
        with pytest.raises(ImageError, match="expected a tensor"):
            read_photo(wrong)


def test_pil_images(tmp_path: Path) -> None:
    image = mode_image("RGBA")
    photo = read_photo(image)
    assert photo.alpha is not None
    assert (np.dstack([photo.pixels, photo.alpha]) == np.asarray(image)).all()
    path = tmp_path / "turned.jpg"
    mode_image("RGB").save(path, exif=exif_block(6), subsampling="4:2:2")
    with Image.open(path) as opened:
        photo = read_photo(opened)
    assert photo.shape == (13, 9)
    assert photo.meta.subsampling == "4:2:2"
    assert (read_photo(photo.to_pil()).pixels == photo.pixels).all()


def test_paths_and_open_files(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    mode_image("RGB").save(path)
    expected = read_photo(path).pixels
    assert (read_photo(str(path)).pixels == expected).all()
    with path.open("rb") as file:
        photo: Photo = read_photo(file)
    assert (photo.pixels == expected).all()
    assert (read_photo(io.BytesIO(path.read_bytes())).pixels == expected).all()
    assert photo.meta.name == str(path)


def test_real_16_bit_page_by_another_writer(tmp_path: Path) -> None:
    array = smooth(40, 30, 3, np.uint16)
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, array, photometric="rgb", compression="zlib", iccprofile=SRGB)
    photo = read_photo(path)
    assert (photo.pixels == array).all()
    assert photo.meta.icc == SRGB
