"""Atomic writing of the files of a run, even if the process is killed."""

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

# Errors of a full disk, a quota, or a limit on file sizes.
FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; renamed to it when the block ends without an error."""
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
    """Report a full disk as a one-line error.

    Raises:
        OutputError: If a write in the block fails because the disk is full.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        raise OutputError(
            f"no space left to write below {folder} ({problem.strerror}): the previous checkpoint "
            "is kept; free some space and run the same command again to go on from it",
            code="output.disk_full",
            folder=str(folder),
        ) from problem


def remove_parts(folder: Path) -> None:
    """Remove the temporary files of a killed process."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an indented JSON file."""
    with whole(path) as beside:
        beside.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")
