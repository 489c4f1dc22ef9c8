"""The record of the outputs that a batch has written, so that it can be resumed.

Each process that writes outputs appends to its own file below ``.gatefill/manifest``, one JSON
object per line, after the output is on disk. No file is shared, so nothing can be corrupted by
concurrent
writes: an incomplete line is ignored, and its photo is filled again, with the same bytes. The next
    run
merges the files into one. A database would need locks, which network file systems and object stores
do not have.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from gatefill.batches.items import STATE, Record
from gatefill.batches.places import FolderOutput, Output, write

FOLDER = f"{STATE}/manifest"
MERGED = "merged.jsonl"
FEW = 100  # lines to collect before writing an object to a store that cannot append
SOON = 20.0  # seconds after which collected lines are written


def read_manifest(output: Output, *, merge: bool = True) -> dict[str, Record]:
    """Read the latest record of each output; with `merge`, merge the files into one."""
    records: dict[str, Record] = {}
    names = [*output.names(FOLDER)]
    names.sort(key=lambda name: (not name.endswith(MERGED), name))  # merged files are older
    for name in names:
        for line in output.read(name).split(b"\n"):
            entry = _entry(line)
            if entry is not None:
                output_name, record = entry
                records[output_name] = record
    if merge and len(names) > 1:
        lines = b"".join(_line(name, record) for name, record in records.items())
        write(output, f"{FOLDER}/{MERGED}", lines)
        for name in names:
            if not name.endswith(MERGED):
                output.remove(name)
    return records


def _entry(line: bytes) -> tuple[str, Record] | None:
    try:
        found = json.loads(line)
        error = found.get("error")
        return found["output"], Record(
            str(found["key"]),
            int(found["size"]),
            tuple(found.get("warnings", ())),
            None if error is None else (str(error[0]), str(error[1])),
        )
    except (ValueError, KeyError, TypeError):  # incomplete or empty
        return None


def _line(name: str, record: Record) -> bytes:
    entry: dict[str, Any] = {"output": name, "key": record.key, "size": record.size}
    if record.warnings:
        entry["warnings"] = record.warnings
    if record.error is not None:
        entry["error"] = record.error
    return json.dumps(entry).encode() + b"\n"


class ManifestWriter:
    """Writes the records of one process, from any of its threads."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
        self._file: Any = None
        self._waiting: list[bytes] = []
        self._flushed = time.monotonic()
        self._objects = 0
        self._lock = threading.RLock()

    def add(self, name: str, record: Record) -> None:
        """Record an output that was written. Raises OSError if that fails."""
        with self._lock:
            self._add(_line(name, record))

    def _add(self, line: bytes) -> None:
        if isinstance(self._output, FolderOutput):
            if self._file is None:
                path = Path(self._output.root) / FOLDER / f"{self._name}.jsonl"
                self._output.make_folder(FOLDER)
                self._file = path.open("ab", buffering=0)
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return
        self._waiting.append(line)
        if len(self._waiting) >= FEW or time.monotonic() - self._flushed > SOON:
            self.flush()

    def flush(self) -> None:
        """Write the collected lines."""
        with self._lock:
            if self._waiting:
                name = f"{FOLDER}/{self._name}-{self._objects:06d}.jsonl"
                write(self._output, name, b"".join(self._waiting))
                self._objects += 1
                self._waiting.clear()
            self._flushed = time.monotonic()

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None
