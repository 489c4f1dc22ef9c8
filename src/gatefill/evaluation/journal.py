"""The results of a comparison so far, one per line on disk, so that it can be resumed."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from gatefill.errors import ConfigError, DataError
from gatefill.images import write_atomically

logger = logging.getLogger(__name__)

Row = dict[str, Any]


class Journal:
    """A file of lines ``{"sum": ..., "row": {...}}``; the first row is the config.

    Lines are written atomically; an incomplete line, or one with a wrong checksum, is ignored.
    """

    def __init__(self, path: Path, config: Row) -> None:
        """Open or create it. Raises ConfigError if it was created with another config."""
        self._path, self.folder = path, path.parent
        self._config = config
        self.rows: list[Row] = []
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.append({"config": config}, keep=False)
            return
        rows = _read(path)
        if not rows or "config" not in rows[0]:
            raise DataError(
                f"{path} is damaged: start anew, or choose another folder",
                code="compare.damaged",
                file=str(path),
            )
        if changes := _changes(rows[0]["config"], config):
            raise other_settings(path.parent, changes)
        self.rows = rows[1:]

    def append(self, row: Row, *, keep: bool = True) -> None:
        """Write a row; it is on disk when this returns."""
        line = _line(row)
        with self._path.open("a+b") as file:
            # After an incomplete line, start a new one.
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(line)
        if keep:
            self.rows.append(row)

    def replace(self, rows: list[Row]) -> None:
        """Hold other rows; the file has the old or the new ones at any moment."""
        lines = map(_line, [{"config": self._config}, *rows])
        write_atomically(self._path, b"".join(lines))
        self.rows = rows


def other_settings(folder: Path, changes: list[str]) -> ConfigError:
    """Return the error for a folder with a comparison of other settings."""
    return ConfigError(
        f"{folder} holds a comparison with other settings ({'; '.join(changes)}): "
        "repeat it with the same ones, start anew, or choose another folder",
        code="compare.other_settings",
        folder=str(folder),
        changes=changes,
    )


def _read(path: Path) -> list[Row]:
    rows, damaged = [], 0
    with path.open("rb") as file:
        for line in file:
            try:
                entry = json.loads(line)
                good = entry["sum"] == _sum(_canonical(entry["row"]))
            except (ValueError, KeyError, TypeError):
                good = False
            if good:
                rows.append(entry["row"])
            else:
                damaged += 1
    if damaged:
        logger.warning("%s: %d damaged lines are measured again", path, damaged)
    return rows


def _changes(old: Row, new: Row) -> list[str]:
    """Describe the differences between two configs, in a few words each."""
    changes = []
    for key in sorted(old.keys() | new.keys()):
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        said = [_short(value) for value in (before, now)]
        plain = all(said) and said[0] != said[1]
        changes.append(f"{key}: {said[0]}, now {said[1]}" if plain else f"other {key}")
    return changes


def _short(value: Any) -> str:
    """Format a value for a message; empty if it is too long."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    text = str(value)
    return text if len(text) <= 60 else ""


def _line(row: Row) -> bytes:
    entry = {"sum": _sum(_canonical(row)), "row": row}
    return json.dumps(entry, ensure_ascii=True).encode() + b"\n"


def _canonical(row: Row) -> str:
    return json.dumps(row, sort_keys=True, ensure_ascii=True)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
