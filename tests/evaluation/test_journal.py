"""The journal: what was measured survives whatever ends the process."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.evaluation.journal import Journal

CONFIG = {"size": 256, "methods": ["telea", "patchmatch"], "photos": [["a.png", "0" * 64]] * 9}
ROWS = [{"case": f"c{number}", "value": number / 3, "name": "ä\n"} for number in range(5)]


def written(path: Path) -> Path:
    path.unlink(missing_ok=True)
    journal = Journal(path, CONFIG)
    for row in ROWS:
        journal.append(row)
    return path


def test_rows_come_back(tmp_path: Path) -> None:
    assert Journal(written(tmp_path / "new" / "j.jsonl"), CONFIG).rows == ROWS


@given(st.data())
def test_a_cut_or_damaged_file_loses_no_whole_line(tmp_path: Path, data: st.DataObject) -> None:
    path = written(tmp_path / "j.jsonl")
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    at = data.draw(st.integers(first, len(content) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(content[:at])
        # The newline is no part of what is checked: cut just before it, the line is whole.
        expected = ROWS[: (content[: at + 1]).count(b"\n") - 1]
    else:
        damaged = bytearray(content)
        damaged[at] ^= 1
        path.write_bytes(bytes(damaged))
        line = content[:at].count(b"\n") - 1
        expected = [row for number, row in enumerate(ROWS) if number != line]
        if content[at : at + 1] == b"\n":  # two lines became one
            expected = [row for row in expected if row not in ROWS[line : line + 2]]
    journal = Journal(path, CONFIG)
    assert journal.rows == expected
    journal.append({"case": "after"})
    assert Journal(path, CONFIG).rows == [*expected, {"case": "after"}]


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path / "j.jsonl")
    changed = CONFIG | {"size": 128, "methods": ["telea"], "photos": []}
    with pytest.raises(ValueError, match="other settings") as caught:
        Journal(path, changed)
    message = str(caught.value)
    assert "size: 256, now 128" in message
    assert "methods: telea patchmatch, now telea" in message
    assert "other photos" in message
    assert "start anew" in message


def test_a_lost_config_is_said(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text("nonsense\n")
    with pytest.raises(ValueError, match="is damaged: start anew, or choose"):
        Journal(path, CONFIG)
