"""JPEG files of all kinds, and what their blocks hold, as libjpeg itself reads it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gatefill.images.jpeg_segments import APP14, JpegSegment, layout_of
from tests.images.helpers import cmyk_profile, cv_file, pil_file

# Where it has no wheels, there is nothing to test: JPEGs are encoded anew there.
jpegio: Any = pytest.importorskip("jpegio", reason="pyjpegio is not installed")


@dataclass(frozen=True)
class Stored:
    """What a JPEG file stores."""

    blocks: list[NDArray[np.int32]]  # of each component: block row, block column, 8, 8
    tables: list[list[int]]
    sampling: list[tuple[int, int]]  # vertical, horizontal
    kind: tuple[int, int, int, int]  # progressive, arithmetic, restart interval, color space

    def footprints(self, number: int) -> tuple[int, int]:
        """(height, width) in pixels of a component's blocks."""
        tall, wide = self.sampling[number]
        return (
            8 * max(part[0] for part in self.sampling) // tall,
            8 * max(part[1] for part in self.sampling) // wide,
        )


def stored(data: bytes) -> Stored:
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        Path(file.name).write_bytes(data)
        jpeg = jpegio.read(file.name)
    blocks = []
    for plane in jpeg.coef_arrays:
        shape = plane.shape[0] // 8, 8, plane.shape[1] // 8, 8
        blocks.append(np.array(plane).reshape(shape).swapaxes(1, 2))
    return Stored(
        blocks,
        [table.ravel().tolist() for table in jpeg.quant_tables],
        [(part.v_samp_factor, part.h_samp_factor) for part in jpeg.comp_info],
        (jpeg.progressive_mode, jpeg.arith_code, jpeg.restart_interval, jpeg.jpeg_color_space),
    )


def texture(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint8]:
    """Coarse noise with detail ``HWC`` over nearly the whole range."""
    random = np.random.default_rng(seed)
    coarse = random.integers(20, 236, (height // 6 + 2, width // 6 + 2, channels))
    pixels = coarse.repeat(6, axis=0).repeat(6, axis=1)[:height, :width]
    return np.clip(pixels + random.integers(-20, 20, pixels.shape), 0, 255).astype(np.uint8)


def _by_pillow(channels: int, **options: Any) -> Callable[[int, int, int], bytes]:
    def make(height: int, width: int, seed: int) -> bytes:
        pixels: Any = texture(height, width, channels, seed)
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[channels]
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode)
        return pil_file(image, "JPEG", **options)

    return make


def _by_opencv(sampling: int) -> Callable[[int, int, int], bytes]:
    def make(height: int, width: int, seed: int) -> bytes:
        pixels = texture(height, width, 3, seed)
        return cv_file(pixels, ".jpg", cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)

    return make


def _arithmetic(height: int, width: int, seed: int) -> bytes:
    data = KINDS["4:2:0"](height, width, seed)
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        Path(file.name).write_bytes(data)
        jpeg = jpegio.read(file.name)
        jpeg.arith_code = 1
        jpegio.write(jpeg, file.name)
        return Path(file.name).read_bytes()


def _ycck(height: int, width: int, seed: int) -> bytes:
    """CMYK whose first three components are said to be Y, Cb and Cr: another picture, but one."""
    data = KINDS["cmyk"](height, width, seed)
    at = data.index(b"Adobe\0")
    return data[: at + 11] + b"\2" + data[at + 12 :]


def not_interleaved(height: int, width: int, seed: int, *, tables: bool = False) -> bytes:
    """A baseline RGB JPEG with a scan for each component; `tables`: each with its own table."""
    planes = [KINDS["gray"](height, width, seed + number) for number in range(3)]
    layout = layout_of(planes[0])
    parts = [b"\xff\xd8", JpegSegment(APP14, b"Adobe\0\x64\0\0\0\0\0").tobytes()]
    for segment in layout.head:
        if segment.marker == 0xC0:
            components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
            segment = JpegSegment(0xC0, segment.payload[:5] + b"\3" + components)
        if segment.marker in (0xC0, 0xC4, 0xDB):
            parts.append(segment.tobytes())
    for number, plane in enumerate(planes):
        scans = layout_of(plane)
        if tables and number == 2:
            parts.append(JpegSegment(0xDB, bytes([0, *[9] * 64])).tobytes())
        parts.append(JpegSegment(0xDA, bytes([1, number + 1, 0, 0, 63, 0])).tobytes())
        parts.append(plane[scans.scans + 10 : scans.end - 2])
    return b"".join([*parts, b"\xff\xd9"])


KINDS: dict[str, Callable[[int, int, int], bytes]] = {
    "4:4:4": _by_pillow(3, quality=90, subsampling="4:4:4"),
    "4:2:2": _by_pillow(3, quality=85, subsampling="4:2:2"),
    "4:2:0": _by_pillow(3, quality=75, subsampling="4:2:0"),
    "4:4:0": _by_opencv(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "4:1:1": _by_opencv(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "best": _by_pillow(3, quality=100, subsampling="4:4:4"),
    "progressive": _by_pillow(3, quality=80, progressive=True),
    "restart markers": _by_pillow(3, quality=80, restart_marker_blocks=2),
    "gray": _by_pillow(1, quality=70),
    "rgb": _by_pillow(3, quality=80, keep_rgb=True),
    "cmyk": _by_pillow(4, quality=80),
    "cmyk with profile": _by_pillow(4, quality=80, icc_profile=cmyk_profile(both_ways=True)),
    "ycck": _ycck,
    "arithmetic": _arithmetic,
    "not interleaved": not_interleaved,
}
"""From height, width and random seed to the bytes of a JPEG of that kind."""
