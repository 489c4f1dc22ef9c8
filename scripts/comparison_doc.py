"""Put a report's tables and pictures into docs/comparison.md, docs/hybrid.md and MODEL_CARD.md.

    python scripts/comparison_doc.py REPORT --pictured NAMES

REPORT is a folder that `gatefill compare` wrote; its first method is the hybrid. Tables stand
between comments in the documents. NAMES is a text file with the names of the photos that may be
shown, one a line; which of them are shown, rules decide:
- comparison.jpg: for each kind of mask the case of middle error of the first method;
- hybrid-grid.jpg: sixteen cases at equal steps through the list sorted by the photos' checksums;
- hybrid-failures.jpg: three photos where the first method's error exceeds PatchMatch's the most;
- compact-failures.jpg: three photos where the error of `compact` exceeds Telea's the most.

Besides the methods by their names, REPORT has compact=deepfill_v2:compact.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import korean_tables
from case_sheet import case_sheet

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("docs/comparison.md", "docs/hybrid.md", "MODEL_CARD.md")
PICTURES = ROOT / "docs" / "pictures"
COLUMNS = ("hole_l1", "hole_l2", "rim_l1", "psnr", "ssim", "swd", "lpips", "dists")
Case = dict[str, Any]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("report", type=Path)
    arguments.add_argument("--pictured", type=Path, required=True)
    given = arguments.parse_args()
    results = json.loads(given.report.joinpath("results.json").read_text("utf-8"))
    names = set(given.pictured.read_text("utf-8").split())
    shown = [case for case in results["cases"] if case["photo"] in names]
    labels = results["config"]["methods"]
    chosen = _middle(shown, results)
    failures = _worst(shown, labels[0], "patchmatch")
    network_failures = _worst(shown, "compact", "telea")
    grid = sorted(shown, key=lambda case: str(case["key"]))
    grid = grid[:: len(grid) // 16][:16]
    tables = {
        "errors": _errors(results, "all", "all"),
        "kinds": _grid(results, "mask", results["config"]["masks"], "hole_l1"),
        **{
            f"kinds-{name}": _grid(results, "mask", results["config"]["masks"], name)
            for name in ("swd", "lpips", "dists")
        },
        "shares": _grid(results, "bin", _bins(results), "hole_l1"),
        "differences": _differences(results),
        "differences-l1": _by_kind(results, "hole_l1"),
        "differences-psnr": _by_kind(results, "psnr"),
        "differences-swd": _by_kind(results, "swd"),
        "differences-lpips": _by_kind(results, "lpips"),
        "network": _differences(results, "compact"),
        "standard": _differences(results, "deepfill_v2"),
        **{
            f"standard-{name}": _by_kind(results, name, "deepfill_v2")
            for name in ("hole_l1", "lpips", "dists")
        },
        "cost": _cost(results),
        "pictured": _listed(chosen),
        "grid": _listed(grid),
        "failures": _listed(failures, labels[0], "patchmatch"),
        "network-failures": _listed(network_failures, "compact", "telea"),
    }
    missing = set(tables)
    for document in DOCUMENTS:
        path = ROOT / document
        text = path.read_text("utf-8")
        for name, table in tables.items():
            pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end -->)"
            text, count = re.subn(
                pattern,
                lambda m, t=table: f"{m[1]}{t}\n{m[2]}",  # type: ignore[misc]
                text,
                flags=re.S,
            )
            missing -= {name} if count else set()
        path.write_text(text, "utf-8")
        korean_tables.write(path)
    assert not missing, f"no document has a place for {', '.join(sorted(missing))}"
    few = [label for label in (labels[0], "patchmatch", "pypatchmatch") if label in labels]
    for name, cases, columns in (
        ("comparison", chosen, labels),
        ("hybrid-grid", grid, few),
        ("hybrid-failures", failures, few),
        ("compact-failures", network_failures, ["compact", "telea", labels[0]]),
    ):
        case_sheet(cases, columns, given.report).save(PICTURES / f"{name}.jpg", quality=85)


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


def _differences(results: dict[str, Any], first: str = "") -> str:
    """A method, by default the first, less each other one."""
    first = first or results["config"]["methods"][0]
    others = [label for label in results["config"]["methods"] if label != first]
    rows = [
        [_metric(results, name)["title"], *_cells(results, name, "all", first, others)]
        for name in ("hole_l1", "rim_l1", "psnr", "ssim", "swd", "lpips", "dists")
    ]
    return _markdown([f"{first} less", *others], rows)


def _by_kind(results: dict[str, Any], name: str, first: str = "") -> str:
    """A method, by default the first, less each other one in one metric, for each kind of mask."""
    first = first or results["config"]["methods"][0]
    others = [label for label in results["config"]["methods"] if label != first]
    rows = [
        [kind, *_cells(results, name, kind, first, others)] for kind in results["config"]["masks"]
    ]
    return _markdown([f"{first} less", *others], rows)


def _cells(
    results: dict[str, Any], name: str, mask: str, first: str, others: list[str]
) -> list[str]:
    """The differences of one row, with their intervals and what is shown by them."""
    digits = 2 if _metric(results, name)["unit"] else 4
    cells = []
    for other in others:
        pair = next(
            pair
            for pair in results["pairs"]
            if (pair["mask"], pair["metric"]) == (mask, name)
            and {pair["a"], pair["b"]} == {first, other}
        )
        mean, low, high = pair["mean"], pair["low"], pair["high"]
        if pair["a"] != first:
            mean, low, high = -mean, -high, -low
        verdict = {None: "", first: ", better"}.get(pair["better"], ", worse")
        cells.append(f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f}){verdict}")
    return cells


def _metric(results: dict[str, Any], name: str) -> dict[str, Any]:
    metric: dict[str, Any] = next(each for each in results["metrics"] if each["name"] == name)
    return metric


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
    return _markdown(["", "median, s", "90th percentile, s", "peak memory, MiB"], rows)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _middle(shown: list[Case], results: dict[str, Any]) -> list[Case]:
    """For each kind of mask, the case in the middle by the first method's L1 in the hole."""
    first = results["config"]["methods"][0]
    chosen = []
    for kind in results["config"]["masks"]:
        cases = [case for case in shown if case["mask"] == kind]
        cases.sort(key=lambda case: (_error(case, first), case["key"]))
        chosen.append(cases[len(cases) // 2])
    return chosen


def _worst(shown: list[Case], method: str, other: str) -> list[Case]:
    """Three cases, each of another photo, where a method's error exceeds another's the most."""
    found: dict[str, Case] = {}
    for case in sorted(shown, key=lambda case: _error(case, other) - _error(case, method)):
        found.setdefault(case["photo"], case)
    return list(found.values())[:3]


def _error(case: Case, method: str) -> float:
    return float(case["results"][method]["values"]["hole_l1"])


def _listed(cases: list[Case], *methods: str) -> str:
    """The cases as a list, with the errors of some methods."""
    lines = []
    for number, case in enumerate(cases, 1):
        errors = ", ".join(f"{method} {_error(case, method):.1f} %" for method in methods)
        line = f"{number}. `{case['photo']}`, {case['mask']}, hole {case['share']:.0%}"
        lines.append(f"{line}: {errors}" if errors else line)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
