"""The table at the top of both READMEs quotes the tables below it and in the documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NUMBER = r"\d+(?:\.\d+)?"


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def _measured_by(text: str) -> Mapping[str, list[list[str]]]:
    """The rows of the first table, by the script in their last cell."""
    table = text.partition("|---|---|---|---|\n")[2].partition("\n\n")[0]
    rows: dict[str, list[list[str]]] = {}
    for *row, script in map(_cells, table.splitlines()):
        (named,) = re.findall(r"\]\((.+?)\)", script)
        assert (ROOT / named).is_file()
        rows.setdefault(named, []).append(row)
    return rows


def _row(text: str, start: str) -> list[str]:
    """The cells of the one row of a table that begins so."""
    (found,) = (line for line in text.splitlines() if line.startswith(start))
    return _cells(found)


def _numbers(*cells: str) -> list[float]:
    return [float(number) for cell in cells for number in re.findall(NUMBER, cell)]


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_first_table_quotes_the_figures_of_the_benchmark(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    error, speed, large = _measured_by(text)["benchmarks/patchmatch.py"]
    ours, outside = error[1], error[2]
    below = [
        float(_row(text, f"| box | {method} |")[2])
        for method in ("hybrid", "PyPatchMatch", "Telea")
    ]
    assert _numbers(ours, outside) == [round(value, 1) for value in below]
    figures = text.partition("<!-- FIGURES")[2].partition("<!-- END OF FIGURES -->")[0]
    said = re.findall(rf"({NUMBER}) ?(?:times|배)", figures)
    assert _numbers(speed[1]) == [float(each) for each in said[:2]]
    seconds, gigabytes = re.findall(rf"({NUMBER}) ?(?:s|초), ({NUMBER}) GB", figures)[0]
    assert _numbers(large[1]) == [float(seconds), float(gigabytes)]


@pytest.mark.parametrize("language", ["", ".ko"])
def test_the_first_table_quotes_the_documents(language: str) -> None:
    rows = _measured_by((ROOT / f"README{language}.md").read_text("utf-8"))
    performance = (ROOT / "docs" / f"performance{language}.md").read_text("utf-8")
    ((_, ours, literal),) = rows["benchmarks/inference.py"]
    table = performance.partition("\n|---|")[2].partition("\n\n")[0].splitlines()
    first, second = _cells(table[1]), _cells(table[2])
    assert (first[0], second[2]) == ("512 x 512", "float32")
    assert _numbers(ours) == _numbers(second[3], second[5])
    assert _numbers(literal) == [round(float(first[3]), 1), *_numbers(first[5])]

    scale = (ROOT / "docs" / f"scale{language}.md").read_text("utf-8")
    ((_, batch, single),) = rows["benchmarks/batch.py"]
    rate = float(_row(scale, "| `gatefill.batch` |")[1])
    (alone,) = (line for line in scale.splitlines() if "(`gatefill inpaint`) |" in line)
    assert _numbers(batch) == [round(rate, 1)]
    assert _numbers(single) == _numbers(_cells(alone)[1])
