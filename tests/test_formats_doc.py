"""docs/formats.md says what is measured, and README quotes it."""

from __future__ import annotations

import importlib.util
import re
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

from gatefill.images.jpeg_blocks import available

ROOT = Path(__file__).resolve().parents[1]
DOC, KOREAN = (
    (ROOT / "docs" / name).read_text("utf-8") for name in ("formats.md", "formats.ko.md")
)


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def table_of(text: str, name: str) -> str:
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


def in_doc(name: str) -> list[list[str]]:
    return rows(table_of(DOC, name))


def script() -> Any:
    spec = importlib.util.spec_from_file_location("formats_doc", ROOT / "scripts/formats_doc.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not available(), reason="pyjpegio is not installed")
def test_the_table_of_kinds_is_what_is_measured() -> None:
    def exact(row: list[str]) -> list[str]:
        # What is not all depends on how a processor rounds.
        return ["less" if cell.endswith(" %") and cell != "100 %" else cell for cell in row]

    measured = rows(script().kinds_table())
    assert [exact(row) for row in measured] == [exact(row) for row in in_doc("kinds")]
    for row in measured:
        assert row[5] == "kept"
        assert row[4] == "100 %" or row[0] == "WebP, lossy"
        assert row[3] == "100 %" or row[0].startswith(("JPEG", "WebP, lossy"))


@pytest.mark.parametrize("name", ["kinds", "photos"])
def test_the_korean_tables_are_the_english_ones(name: str) -> None:
    korean = script().in_korean(table_of(DOC, name))
    assert table_of(KOREAN, name) == korean, "run scripts/formats_doc.py"
    assert not re.search("[a-z]{3,}", re.sub(r"\w+\.jpg", "", korean)), "a word is not translated"


def test_readmes_quote_the_table_of_photos() -> None:
    columns = list(zip(*in_doc("photos"), strict=True))
    same, anew = (
        statistics.median(float(cell.removesuffix(" %")) for cell in columns[number])
        for number in (1, 3)
    )
    for name, page in (("README.md", "docs/formats.md"), ("README.ko.md", "docs/formats.ko.md")):
        parts = (ROOT / name).read_text("utf-8").split("\n\n")
        (quote,) = (part for part in parts if page in part and " %" in part)
        assert re.findall(r"(\d+(?:\.\d)?) %", quote) == [f"{same:.1f}", f"{anew:.0f}"]
