"""Reads JPEGs: finds out whether a file is damaged or truncated, and by how much."""

from __future__ import annotations

import io
import random
import re

import numpy as np
import PIL.Image
from PIL import JpegImagePlugin

from gatefill.images.jpeg_segments import EOI, FRAMES, SOS, segments
from gatefill.images.tiff_directory import claims_too_much

END = b"\xff\xd9"
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_DIRECTORIES = ((0xE1, b"Exif\0\0"), (0xE2, b"MPF\0"))  # segments that hold TIFF directories
_SUBSAMPLINGS = {1: "4:2:2", 2: "4:2:0"}  # by Pillow's numbers


def without_bombs(data: bytes) -> tuple[bytes, bool]:
    """Remove segments whose tags claim more bytes than they hold; return whether any do.

    Opening 64 kB of such tags can take hundreds of megabytes of memory.
    """
    bad = []
    for prefix_marker, prefix in _DIRECTORIES:
        found = []
        for segment in segments(data):
            if segment.marker == SOS:
                break
            if segment.marker == prefix_marker and segment.content.startswith(prefix):
                found.append(segment)
        # Data too long for one segment continues in the next, so that they are counted together.
        if found and claims_too_much(b"".join(each.content[len(prefix) :] for each in found)):
            bad += found
    for segment in sorted(bad, key=lambda each: -each.start):
        data = data[: segment.start] + data[segment.start + 4 + len(segment.content) :]
    return data, bool(bad)


def has_all_scans(data: bytes) -> bool:
    """Return whether every coefficient of every component is in a scan, and fully refined."""
    missing: dict[int, set[int]] = {}
    is_progressive = False
    for marker, _, content in segments(data):
        if marker in FRAMES:
            is_progressive = marker in _PROGRESSIVE
            missing = {name: set(range(64)) for name in content[6::3]}
        elif marker == SOS and content:
            names, rest = content[1 : 2 * content[0] : 2], content[1 + 2 * content[0] :]
            if len(rest) < 3:
                return False
            for name in names:
                lacking = missing.get(name, set())
                if not is_progressive:
                    lacking.clear()
                elif rest[2] & 15 == 0:  # down to the lowest bit
                    lacking.difference_update(range(rest[0], rest[1] + 1))
    return bool(missing) and not any(missing.values())


def has_end(data: bytes) -> bool:
    """Return whether there is an end marker after the header of the first scan."""
    scans = (start for marker, start, _ in segments(data) if marker == SOS)
    return data.find(END, next(scans, 0)) >= 0


def without_end(data: bytes) -> bytes:
    """Return a truncated JPEG without the incomplete marker or scan header at its end."""
    for marker, start, _ in segments(data):
        body = start + 2  # behind the marker
        length = int.from_bytes(data[body : body + 2], "big")
        is_cut = len(data) < body + max(length, 2)
        if marker != EOI and (is_cut or (marker == SOS and len(data) == body + length)):
            return data[:start]
    return data.rstrip(b"\xff")


def missing_share(body: bytes) -> float:
    """Return the share of the rows of a truncated JPEG that depend on missing data, in [0, 1].

    The file is decoded with different bytes appended. If the results agree, only the end marker was
    missing.

    Args:
        body: A file from `without_end`.

    Raises:
        Exception: Whatever Pillow raises if nothing can be decoded.
    """
    noise = random.Random("noise").randbytes(16_384).replace(b"\xff", b"")  # which starts markers
    tails = [noise, *(value * len(noise) for value in (b"\0", b"\xaa", b"\xfe"))]
    # If a restart marker is missing, the decoder reads nothing before the next one that is due.
    restarts = _RESTART.findall(body, body.rfind(b"\xff\xda"))
    due = (restarts[-1][1] - 0xD0 + 1) % 8 if restarts else 0
    tails.append(b"\xff" + bytes([0xD0 + due]) + noise)
    known = np.asarray(open_jpeg(body + END))
    rows = np.zeros(known.shape[0], np.bool_)
    for tail in tails:
        other = np.asarray(open_jpeg(body + tail + END))
        rows |= (known != other).reshape(len(rows), -1).any(axis=1)
    # Rows below the first differing one are unknown, too: the appended bytes end somewhere.
    return 1 - int(rows.argmax()) / len(rows) if rows.any() else 0.0


def open_jpeg(data: bytes) -> PIL.Image.Image:
    """Open the file with Pillow without decoding it."""
    return JpegImagePlugin.jpeg_factory(io.BytesIO(data))


def subsampling_of(image: PIL.Image.Image) -> str | None:
    """Return the chroma subsampling of a color JPEG opened by Pillow, such as ``"4:2:0"``."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.layers != 3:
        return None
    # Samplings that Pillow cannot write (4:1:1, 4:4:0) become 4:4:4, which loses nothing.
    return _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(image), "4:4:4")
