"""Put a report's tables and a picture into docs/comparison.md.

    python scripts/comparison_doc.py REPORT --pictured "endless-sky-data__*"

REPORT is a folder that `gatefill compare` wrote. Tables stand between comments in the document; the
picture shows, for each kind of mask, the case of middle error of the first method among the photos
whose names match.
"""

from __future__ import annotations

import argparse
import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from gatefill.evaluation.files import slug

DOCS = Path(__file__).resolve().parents[1] / "docs"
COLUMNS = ("hole_l1", "hole_l2", "rim_l1", "psnr", "ssim", "swd")
TILE, GAP, HEAD = 224, 6, 26
HOLE = "hole"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("report", type=Path)
    arguments.add_argument("--pictured", default="*")
    given = arguments.parse_args()
    results = json.loads(given.report.joinpath("results.json").read_text("utf-8"))
    chosen = _chosen(results, given.pictured)
    tables = {
        "errors": _errors(results, "all", "all"),
        "kinds": _grid(results, "mask", results["config"]["masks"], "hole_l1"),
        "kinds-swd": _grid(results, "mask", results["config"]["masks"], "swd"),
        "shares": _grid(results, "bin", _bins(results), "hole_l1"),
        "differences": _differences(results),
        "cost": _cost(results),
        "pictured": "\n".join(
            f"{number}. `{case['photo']}`, {case['mask']}, hole {case['share']:.0%}"
            for number, case in enumerate(chosen, 1)
        ),
    }
    path = DOCS / "comparison.md"
    text = path.read_text("utf-8")
    for name, table in tables.items():
        pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(pattern, lambda m, t=table: f"{m[1]}{t}\n{m[2]}", text, flags=re.S)  # type: ignore[misc]
        assert count == 1, f"expected one place for {name}, found {count}"
    path.write_text(text, "utf-8")
    _picture(results, chosen, given.report).save(DOCS / "pictures/comparison.jpg", quality=85)


def _means(results: dict[str, Any]) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    return {
        (item["mask"], item["bin"], item["method"], item["metric"]): item
        for item in results["summary"]
    }


def _number(item: dict[str, Any] | None, metric: dict[str, Any], best: float) -> str:
    if item is None:
        return "–"
    digits = 2 if metric["unit"] else 4
    text = f"{item['mean']:.{digits}f}"
    text = f"**{text}**" if item["mean"] == best else text
    return f"{text} ({item['low']:.{digits}f}–{item['high']:.{digits}f})" if item["low"] else text


def _best(items: list[dict[str, Any] | None], metric: dict[str, Any]) -> float:
    means = [item["mean"] for item in items if item]
    return float(max(means) if metric["better"] == "higher" else min(means))


def _errors(results: dict[str, Any], mask: str, share: str) -> str:
    means = _means(results)
    metrics = [metric for metric in results["metrics"] if metric["name"] in COLUMNS]
    labels = results["config"]["methods"]
    heads = [
        metric["title"] + (f", {metric['unit']}" if metric["unit"] else "") for metric in metrics
    ]
    columns = []
    for metric in metrics:
        items = [means.get((mask, share, label, metric["name"])) for label in labels]
        columns.append([_number(item, metric, _best(items, metric)) for item in items])
    rows = [
        [label, *cells] for label, cells in zip(labels, zip(*columns, strict=True), strict=True)
    ]
    return _markdown(["", *heads], rows)


def _grid(results: dict[str, Any], by: str, groups: list[str], name: str) -> str:
    """A metric for each kind of mask or bin of hole share (rows) and method (columns)."""
    means, labels = _means(results), results["config"]["methods"]
    metric = next(metric for metric in results["metrics"] if metric["name"] == name)
    rows = []
    for group in groups:
        place = (group, "all") if by == "mask" else ("all", group)
        items = [means.get((*place, label, name)) for label in labels]
        cases = max(item["cases"] for item in items if item)
        head = group if by == "mask" else group.replace("-", "–") + " %"
        best = _best(items, metric)
        rows.append([f"{head} ({cases})", *(_number(item, metric, best) for item in items)])
    return _markdown(["masks (cases)" if by == "mask" else "hole share (cases)", *labels], rows)


def _bins(results: dict[str, Any]) -> list[str]:
    return sorted(
        {case["bin"] for case in results["cases"]}, key=lambda bin: int(bin.split("-")[0])
    )


def _differences(results: dict[str, Any]) -> str:
    """The first method less each other one."""
    first = results["config"]["methods"][0]
    rows = []
    for name in ("hole_l1", "rim_l1", "psnr", "ssim", "swd"):
        metric = next(metric for metric in results["metrics"] if metric["name"] == name)
        digits = 2 if metric["unit"] else 4
        cells = []
        for pair in results["pairs"]:
            if (pair["mask"], pair["metric"], pair["a"]) == ("all", name, first):
                verdict = {None: "", first: ", better"}.get(pair["better"], ", worse")
                cells.append(
                    f"{pair['mean']:+.{digits}f} "
                    f"({pair['low']:+.{digits}f} to {pair['high']:+.{digits}f}){verdict}"
                )
        rows.append([metric["title"], *cells])
    return _markdown([f"{first} less", *results["config"]["methods"][1:]], rows)


def _cost(results: dict[str, Any]) -> str:
    rows = [
        [
            item["method"],
            f"{item['median_seconds']:.2f}",
            f"{item['p90_seconds']:.2f}",
            f"{item['peak_bytes'] / 2**20:.0f}",
        ]
        for item in results["run"]["timing"]
    ]
    return _markdown(["", "median, s", "90 % below, s", "peak memory, MiB"], rows)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _chosen(results: dict[str, Any], pattern: str) -> list[dict[str, Any]]:
    """For each kind of mask, the case in the middle by the first method's L1 in the hole."""
    first = results["config"]["methods"][0]
    chosen = []
    for kind in results["config"]["masks"]:
        ranked = sorted(
            (case["results"][first]["values"]["hole_l1"], case["key"], case)
            for case in results["cases"]
            if case["mask"] == kind and fnmatch(case["photo"], pattern)
        )
        chosen.append(ranked[len(ranked) // 2][2])
    return chosen


def _picture(
    results: dict[str, Any], chosen: list[dict[str, Any]], report: Path
) -> PIL.Image.Image:
    """Rows of cases; columns: with the hole, each method, the truth."""
    sides = {"with the hole": HOLE}
    sides |= {label: slug(label) for label in results["config"]["methods"]}
    sides |= {"truth": "truth"}
    step = TILE + GAP
    size = len(sides) * step + GAP, HEAD + len(chosen) * step
    sheet = PIL.Image.new("RGB", size, "white")
    draw = PIL.ImageDraw.Draw(sheet)
    font = PIL.ImageFont.load_default(15)
    for column, (name, file) in enumerate(sides.items()):
        left = GAP + column * step
        draw.text((left + TILE // 2, HEAD // 2), name, "black", font, "mm")
        for row, case in enumerate(chosen):
            picture = _tile(report, case["key"], file)
            sheet.paste(picture, (left, HEAD + row * step))
    return sheet


def _tile(report: Path, key: str, file: str) -> PIL.Image.Image:
    """A small picture. The hole is drawn anew: objects that stood in it have other licences."""
    name = "truth" if file == HOLE else file
    picture = PIL.Image.open(report / "pictures" / key / f"{name}.webp").convert("RGB")
    if file == HOLE:
        mask = PIL.Image.open(report / "masks" / f"{key}.png").resize(picture.size)
        picture.paste((127, 127, 127), mask=mask)
    picture.thumbnail((TILE, TILE), PIL.Image.Resampling.LANCZOS)
    return picture


if __name__ == "__main__":
    main()
