"""Files of every kind, made on the spot by libraries other than the code under test."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def smooth(height: int, width: int, channels: int, dtype: Any = np.uint8) -> Any:
    """A gradient ``HWC`` whose corners all differ, so that turning it shows."""
    top = np.iinfo(dtype).max
    rows = np.linspace(0.1, 0.9, height)[:, None, None]
    columns = np.linspace(0.1, 0.7, width)[None, :, None]
    shares = np.linspace(0.2, 1, channels)
    return np.rint((rows * shares + columns * (1 - shares / 2)) / 1.3 * top).astype(dtype)


def noise(height: int, width: int, channels: int, dtype: Any = np.uint8, seed: int = 0) -> Any:
    """Random ``HWC`` over the whole range of an integer dtype."""
    top = int(np.iinfo(dtype).max)
    values = np.random.default_rng(seed).integers(0, top + 1, (height, width, channels))
    return values.astype(dtype)


def pil_file(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def mode_image(mode: str, height: int = 9, width: int = 13) -> Image.Image:
    """A PIL image of any mode with a picture in it."""
    image = Image.fromarray(smooth(height, width, 4), "RGBA")
    return image.convert("L").convert(mode) if mode in ("LA", "1") else image.convert(mode)


def cv_file(array: Any, suffix: str, *options: int) -> bytes:
    """Encoded by OpenCV from ``HWC`` gray, RGB or RGBA of 8 or 16 bits."""
    if array.shape[2] >= 3:
        code = cv2.COLOR_RGB2BGR if array.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        array = cv2.cvtColor(array, code)
    done, data = cv2.imencode(suffix, array, list(options))
    assert done
    return bytes(data.tobytes())


def tiff_file(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16_file(array: Any, kind: int, *chunks: bytes) -> bytes:
    """A 16-bit PNG of ``HWC`` with PNG's color type `kind` and extra chunks before the pixels."""
    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + body


def exif_block(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0132] = "2024:05:06 07:08:09"
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({0x829A: (1, 125), 0x8827: 400, 0x9003: "2024:05:06 07:08:09"})
    exif.get_ifd(0x8825).update({1: "N", 2: (37.0, 30.0, 1.5)})
    return exif


def cmyk_profile(*, both_ways: bool = False) -> bytes:
    """A little ICC profile for CMYK in which only black ink shows (ICC.1:2001, lut8Type).

    From CMYK only, unless `both_ways`.
    """
    lightness = bytes(value for index in range(16) for value in (0 if index & 1 else 255, 128, 128))
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 if cell % 4 == 0 else 0 for cell in range(9)))
    lut = b"mft1\0\0\0\0\4\3\2\0" + identity + ramp * 4 + lightness + ramp * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    right = b"text\0\0\0\0none\0"
    inks = bytes(value for index in range(8) for value in (0, 0, 0, 0 if index & 4 else 255))
    back = b"mft1\0\0\0\0\3\4\2\0" + identity + ramp * 3 + inks + ramp * 4
    tags = {b"A2B0": lut} | ({b"B2A0": back} if both_ways else {}) | {b"wtpt": white, b"desc": text}
    tags |= {b"cprt": right}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12x4s", start + len(body), b"", 0x02100000, b"prtr", b"CMYK", b"Lab ", b"acsp"
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def small_files() -> Iterator[tuple[str, bytes]]:
    """One small real file of every format and kind of pixel that is read."""
    rgb, exif = mode_image("RGB"), exif_block(6).tobytes()
    yield "rgb.jpg", pil_file(rgb, "JPEG", exif=exif, icc_profile=SRGB[:600])
    yield "gray.jpg", pil_file(mode_image("L"), "JPEG")
    yield "cmyk.jpg", pil_file(mode_image("CMYK"), "JPEG")
    yield "progressive.jpg", pil_file(rgb, "JPEG", progressive=True)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield f"{mode}.png", pil_file(mode_image(mode), "PNG", exif=exif)
    yield "rgb16.png", cv_file(smooth(9, 13, 3, np.uint16), ".png")
    yield "rgba16.png", cv_file(smooth(9, 13, 4, np.uint16), ".png")
    yield "gray16.png", cv_file(smooth(9, 13, 1, np.uint16), ".png")
    yield "la16.png", png16_file(smooth(9, 13, 2, np.uint16), 4)
    yield "rgb.webp", pil_file(rgb, "WEBP", exif=exif)
    yield "rgba.webp", pil_file(mode_image("RGBA"), "WEBP", lossless=True)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "F", "I", "I;16"):
        if mode == "F":
            image = Image.fromarray(smooth(9, 13, 1)[..., 0].astype(np.float32) / 255)
        elif mode == "I":
            image = Image.fromarray(smooth(9, 13, 1)[..., 0]).convert(mode)
        elif mode == "I;16":
            image = Image.fromarray(smooth(9, 13, 1, np.uint16)[..., 0])
        else:
            image = rgb.convert("P") if mode == "P" else _any_mode(mode)
        yield f"{mode}.tif", pil_file(image, "TIFF")
    yield "lzw.tif", pil_file(rgb, "TIFF", compression="tiff_lzw")
    yield "jpeg.tif", pil_file(rgb, "TIFF", compression="jpeg")
    yield "rgb16.tif", tiff_file(smooth(9, 13, 3, np.uint16), compression="zlib", predictor=True)
    yield "rgba16.tif", tiff_file(smooth(9, 13, 4, np.uint16))
    yield "lzw16.tif", cv_file(smooth(9, 13, 3, np.uint16), ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 5)
    yield "tiled16.tif", tiff_file(smooth(33, 20, 3, np.uint16), tile=(16, 16))
    yield "float.tif", tiff_file(smooth(9, 13, 3).astype(np.float32) / 255, photometric="rgb")
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"{mode}.bmp", pil_file(mode_image(mode), "BMP")
    yield "p.gif", pil_file(mode_image("P"), "GIF")
    yield "rgb.ppm", pil_file(rgb, "PPM")
    yield "gray.pgm", b"P5 3 2 255\n" + bytes(range(6))
    yield "plain.pbm", b"P1\n3 2\n1 0 1\n0 1 0\n"


def _any_mode(mode: str) -> Image.Image:
    if mode == "LAB":
        return Image.fromarray(smooth(9, 13, 3), "LAB")
    return mode_image(mode)
