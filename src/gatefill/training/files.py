"""Files of a run that appear whole or not at all, whenever the process may be killed."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatefill.errors import OutputError

# The disk, a quota, a limit on file sizes.
FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when the block ends without an error."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def disk_full_said(folder: Path) -> Iterator[None]:
    """Turn a write that failed for want of room into one line.

    Raises:
        OutputError: There was no room.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        raise OutputError(
            f"no room left to write below {folder} ({problem.strerror}): the checkpoint before is "
            "kept; make room and run the same command again to go on from it",
            code="output.disk_full",
            folder=str(folder),
        ) from problem


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file for people to read."""
    with whole(path) as beside:
        beside.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")
