"""Writes JPEGs so that blocks without changed pixels keep their DCT coefficients bit for bit.

A JPEG consists of 8x8 blocks of quantized DCT coefficients (ITU-T T.81). Decoding and encoding a
whole photo changes nearly all of them. Here, only blocks with a changed pixel are recomputed; their
unchanged samples are those that the source's coefficients decode to. With chroma subsampling a
chroma block covers the pixels of four luma blocks. All other coefficients are copied as integers.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatefill.images.jpeg_segments import JpegLayout

Convert = Callable[[NDArray[np.uint8], int], NDArray[np.float32]]
"""Converts pixels ``...C`` to samples ``...K`` of K components of a color space, in [0, 255]."""

# jpeg_color_space, numbered as in libjpeg.
YCBCR, CMYK, YCCK = 3, 4, 5
_PROCESSES = (0, 1, 2, 9, 10)  # processes with DCT blocks in a single frame
_BATCH = 1 << 14  # blocks to process at a time, where each is one of luma


class UnkeptError(Exception):
    """Raised with the reason why the coefficients of a file cannot be kept."""


def available() -> bool:
    """Return whether the package that reads and writes coefficients is installed."""
    return find_spec("jpegio") is not None


def with_blocks_changed(
    source: bytes,
    pixels: NDArray[np.uint8],
    changed: NDArray[np.bool_],
    layout: JpegLayout,
    convert: Convert,
) -> bytes:
    """Write a JPEG that shows `pixels` in blocks with changed pixels and keeps all other blocks.

    Sampling, quantization tables, restart interval, segments and the (progressive) process are
    those of the source. Data after its end marker is dropped.

    Args:
        source: The content of a JPEG file.
        pixels: ``HWC`` uint8, in the JPEG's stored size and orientation.
        changed: bool ``HW``, True where `pixels` differ from the decoded source.
        layout: Layout of the source.
        convert: Converts pixels to samples of a color space, numbered as in libjpeg.

    Returns:
        The content of the new file.

    Raises:
        UnkeptError: If the coefficients of this kind of file cannot be read or written.
    """
    if layout.process not in _PROCESSES or layout.later_tables:
        raise UnkeptError("it is of a rare kind")
    import jpegio

    slots = layout.slots()
    with _file() as name:
        Path(name).write_bytes(memoryview(source)[: layout.end])
        try:
            jpeg = jpegio.read(name)
            _check(jpeg, pixels, slots)
            for numbers in _by_sampling(jpeg):
                _change(jpeg, numbers, pixels, changed, slots, convert)
            _check_range(jpeg)
            # The Huffman tables of the source may lack codes that the new blocks need. Which table
            # a component uses is not read if each component has a scan of its own.
            jpeg.optimize_coding = 1
            for number, part in enumerate(jpeg.comp_info):
                part.dc_tbl_no = part.ac_tbl_no = min(number, 1)
            jpegio.write(jpeg, name)
        except RuntimeError as error:  # errors of libjpeg
            raise UnkeptError(str(error).removeprefix("[JSTRUCT] ")) from error
        return Path(name).read_bytes()


@contextmanager
def _file() -> Iterator[str]:
    """Yield the name of a file for a while; it is in memory if the system has memory files."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("gatefill")
        try:
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
    else:
        with tempfile.TemporaryDirectory(prefix="gatefill") as folder:
            yield str(Path(folder, "it.jpg"))


def _check(jpeg: Any, pixels: NDArray[np.uint8], slots: list[int]) -> None:
    """Refuse what would be written wrongly; kinds that Pillow cannot decode do not get here."""
    if (jpeg.image_height, jpeg.image_width) != pixels.shape[:2]:
        raise UnkeptError("the photo has another size now")
    tables = {part.quant_tbl_no for part in jpeg.comp_info}
    if len(slots) != len(jpeg.quant_tables) or not tables <= set(slots):
        raise UnkeptError("its quantization tables change from scan to scan")
    if any((table < 1).any() for table in jpeg.quant_tables):
        raise UnkeptError("it is damaged")


def _check_range(jpeg: Any) -> None:
    """Refuse coefficients that no encoder writes, only damage (T.81, F.1.2 and G.1.2)."""
    for plane in jpeg.coef_arrays:
        # For more coefficients the package would leave its files open.
        if plane.min() < -1024 or plane.max() > 1023:
            raise UnkeptError("it is damaged")


def _by_sampling(jpeg: Any) -> list[list[int]]:
    """Group the components by their sampling."""
    found: dict[tuple[int, int], list[int]] = {}
    for number, part in enumerate(jpeg.comp_info):
        found.setdefault((part.v_samp_factor, part.h_samp_factor), []).append(number)
    return list(found.values())


def _change(
    jpeg: Any,
    numbers: list[int],
    pixels: NDArray[np.uint8],
    changed: NDArray[np.bool_],
    slots: list[int],
    convert: Convert,
) -> None:
    """Recompute, in place, the blocks with changed pixels of components of one sampling."""
    part = jpeg.comp_info[numbers[0]]
    # Pixels per sample.
    tall = jpeg.max_v_samp_factor // part.v_samp_factor
    wide = jpeg.max_h_samp_factor // part.h_samp_factor
    rows, columns = _holding(changed, 8 * tall, 8 * wide).T
    batch = _BATCH // (tall * wide)
    for start in range(0, len(rows), batch):
        down, right = rows[start : start + batch], columns[start : start + batch]
        # Beyond the edge the last pixel is repeated, as in encoders.
        ys = np.minimum(down[:, None] * 8 * tall + np.arange(8 * tall), len(pixels) - 1)
        xs = np.minimum(right[:, None] * 8 * wide + np.arange(8 * wide), pixels.shape[1] - 1)
        place = ys[:, :, None], xs[:, None, :]
        samples = convert(pixels[place], jpeg.jpeg_color_space)
        new = reduce(np.logical_or, _apart(changed[place], tall, wide))
        for number in numbers:
            coefficients = jpeg.coef_arrays[number]
            blocks = coefficients.reshape(coefficients.shape[0] // 8, 8, -1, 8)
            blocks = blocks.swapaxes(1, 2)  # a view: block row, block column, 8, 8
            slot = slots.index(jpeg.comp_info[number].quant_tbl_no)
            table = np.asarray(jpeg.quant_tables[slot], np.float32)
            mean = reduce(np.add, _apart(samples[..., number], tall, wide)) / (tall * wide)
            kept = np.clip(_inverse(blocks[down, right] * table) + 128, 0, 255)
            levels = _forward(np.where(new, mean, kept) - 128) / table
            blocks[down, right] = np.rint(levels).astype(np.int32)


def _apart(planes: NDArray[Any], tall: int, wide: int) -> Iterator[NDArray[Any]]:
    """Yield planes ``N..`` of the first pixel of each sample, the second, and so on."""
    for row in range(tall):
        for column in range(wide):
            yield planes[:, row::tall, column::wide]


def _holding(changed: NDArray[np.bool_], tall: int, wide: int) -> NDArray[np.intp]:
    """Return (row, column) of each cell of `tall` x `wide` pixels that contains a changed pixel."""
    rows = np.flatnonzero(changed.any(axis=1))
    if not len(rows):
        return np.zeros((0, 2), np.intp)
    first = rows[0] // tall
    part = changed[first * tall : rows[-1] + 1]  # most of a large photo has no changed pixels
    by_rows = np.logical_or.reduceat(part, np.arange(0, len(part), tall), axis=0)
    held = np.logical_or.reduceat(by_rows, np.arange(0, part.shape[1], wide), axis=1)
    cells: NDArray[np.intp] = np.argwhere(held)
    cells[:, 0] += first
    return cells


def _basis() -> NDArray[np.float32]:
    """Return the orthonormal DCT of 8 samples as a matrix, frequency by sample."""
    frequency, sample = np.arange(8)[:, None], np.arange(8)
    matrix = np.cos((2 * sample + 1) * frequency * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


_DCT = _basis()


def _forward(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform ``N88`` samples to coefficients (T.81, A.3.3)."""
    return np.asarray(_DCT @ samples @ _DCT.T)


def _inverse(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform ``N88`` coefficients to samples."""
    return np.asarray(_DCT.T @ coefficients @ _DCT)
