"""Available memory, and estimates of what a photo needs."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gatefill.errors import ConfigError
from gatefill.images import ImageError, read_photo, size_of
from gatefill.regions import regions

# Measured with the default method (docs/scale.md), in bytes.
PROCESS = 350 << 20  # memory of a process after its first photos
FIRST = 140 << 20  # part of it that the first photos add: kernels, pools, buffers
PER_PIXEL = 26  # per pixel of the photo: decoded, copied, encoded
PER_WORKED = 125  # per pixel of the region around a hole that a method processes
LEAST = 64 << 20  # smallest estimate for a photo
ROOM = 400 << 20  # reserved per process for a photo: 12 megapixels with a small hole
SHARE = 0.8  # share of the free memory to use without a limit

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def read_bytes(text: str) -> int:
    """Parse ``"4GB"``, ``"512M"`` or ``"1.5 GiB"`` to bytes, or raise ConfigError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if not match:
        raise ConfigError(
            f"expected an amount of memory such as 4GB, got {text!r}",
            code="config.memory",
            value=text[:80],
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


def available_bytes() -> int | None:
    """Return the memory available now, by system and container limits; None if unknown."""
    found = []
    if (match := _field("/proc/meminfo", "MemAvailable")) is not None:
        found.append(match)
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    if limit is not None and used is not None:
        found.append(max(limit - used, 0))
    return min(found, default=None)


def resident_bytes() -> int:
    """Return the memory of this process; 0 if the system cannot tell."""
    return _field("/proc/self/status", "VmRSS") or 0


def bytes_needed(photo: bytes, mask: bytes | None, *, invert: bool = False) -> int:
    """Estimate the memory for filling a photo, from the photo's header and the mask."""
    try:
        width, height = size_of(photo)
    except ImageError:  # decoding reports the error
        return LEAST
    worked = width * height * _worked(mask, invert)
    return max(width * height * PER_PIXEL + round(worked) * PER_WORKED, LEAST)


def _worked(mask: bytes | None, invert: bool) -> float:
    """Return the share of the photo in the largest region around a hole."""
    if mask is None:
        return 1.0
    try:
        drawn = read_photo(mask)
    except ImageError:  # decoding reports the error
        return 1.0
    hole = (drawn.pixels.max(axis=2) > drawn.max_value // 2) != invert
    areas = [region.height * region.width for region in regions(hole)]
    return float(max(areas, default=0) / hole.size)


def available_cores() -> int:
    """Return the number of CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _field(file: str, name: str) -> int | None:
    try:
        text = Path(file).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    match = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) << 10 if match else None


def _number(file: str) -> int | None:
    try:
        text = Path(file).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
