"""The HTML page: one file with its style, script, values and pictures."""

from __future__ import annotations

import json
import shlex
from importlib.resources import files
from typing import Any

import numpy as np

from gatefill.evaluation.files import Folder
from gatefill.evaluation.metrics.frechet import RELIABLE
from gatefill.evaluation.report.pictures import pictured
from gatefill.evaluation.results import ALL, Results
from gatefill.masks import HOLE_BINS

MOST_ROWS = 400  # rows of the table of single cases
KEY_METRICS = (
    "hole_l1",
    "rim_l1",
    "ssim",
    "swd",
    "lpips",
    "dists",
)  # metrics in the summary at the top
FEW_PHOTOS = 10  # with fewer photos, bootstrap intervals are too narrow


def page(results: Results, folder: Folder) -> bytes:
    """Encode index.html as UTF-8."""
    here = files("gatefill.evaluation.report")
    # "<" is escaped, so that no photo's name can end the script element.
    data = json.dumps(_data(results, folder), allow_nan=False).replace("<", "\\u003c")
    html = here.joinpath("page.html").read_text("utf-8")
    for mark, text in (
        ("/*STYLE*/", here.joinpath("page.css").read_text("utf-8")),
        ("/*CARDS*/", here.joinpath("cards.js").read_text("utf-8")),
        ("/*SCRIPT*/", here.joinpath("page.js").read_text("utf-8")),
        ("/*DATA*/", data),
    ):
        before, after = html.split(mark, 1)
        html = before + text + after
    return html.encode("utf-8")


def _data(results: Results, folder: Folder) -> dict[str, Any]:
    """Return the data for the page's script: the results, with a limited number of cases."""
    cases = results["cases"]
    return results | {
        "cases": cases[:MOST_ROWS],
        "cases_in_all": len(cases),
        "bins": [*HOLE_BINS, "60-100"],
        "truth_tv": _truth_variation(cases),
        "short": _short(results),
        "command": command(results),
        "pictures": pictured(results, folder),
    }


def _truth_variation(cases: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean total variation of the true photos by mask kind, for the table's last row."""
    kinds: dict[str, list[float]] = {}
    for case in cases:
        for kind in (ALL, case["mask"]):
            kinds.setdefault(kind, []).append(case["truth_tv"])
    return {kind: float(np.mean(values)) for kind, values in kinds.items()}


def _short(results: Results) -> list[str]:
    """Summarize, per main metric, the best method and which others it is shown to exceed."""
    lines = []
    titles = {metric["name"]: metric for metric in results["metrics"]}
    for name in KEY_METRICS:
        if (metric := titles.get(name)) is None:
            continue
        means = {
            item["method"]: item["mean"]
            for item in results["summary"]
            if (item["mask"], item["bin"], item["metric"]) == (ALL, ALL, name)
        }
        if not means:
            continue
        best = (min if metric["better"] == "lower" else max)(means, key=lambda key: means[key])
        beaten = {
            pair["a"] if pair["b"] == best else pair["b"]
            for pair in results["pairs"]
            if (pair["mask"], pair["metric"], pair["better"]) == (ALL, name, best)
        }
        others = [label for label in means if label != best]
        digits = 2 if metric["unit"] else 4
        line = f"{metric['title']}: {best} is best with {means[best]:.{digits}f} {metric['unit']}"
        lines.append(line.rstrip() + _verdict(others, beaten) + ".")
    photos = {case["photo"] for case in results["cases"]}
    if len(photos) < FEW_PHOTOS:
        lines.append(
            f"Only {len(photos)} photos: intervals from so few are too narrow, read them with care."
        )
    if results["sets"] and len(results["cases"]) < RELIABLE:
        lines.append(
            f"FID of fewer than {RELIABLE:,} pictures is too high by an unknown amount: compare it "
            "within this page only."
        )
    return lines


def _verdict(others: list[str], beaten: set[str]) -> str:
    """Return the end of a sentence: which methods the best one is shown to exceed."""
    if not others:
        return ""
    open_ = [label for label in others if label not in beaten]
    if not open_:
        return ", shown better than every other"
    return f"; not shown better than {', '.join(open_)}"


def command(results: Results) -> str:
    """Return the command that repeats the comparison, with placeholders for folders."""
    config = results["config"]
    words = ["gatefill", "compare", "PHOTOS", "--methods"]
    words += [method["spec"] for method in results["methods"]]
    words += ["--masks", *config["masks"], "--size", _size(config["size"])]
    words += ["--seed", str(config["seed"])]
    if config["limit"] is not None:
        words += ["--limit", str(config["limit"])]
    if config["cutouts"]:
        words += ["--cutouts", "CUTOUTS"]
    for name in config["weights"]:
        words += [f"--{name}-weights", "FILE"]
    if config["large"] != "auto":
        words += ["--large", config["large"]]
    if config["device"] != "cpu":
        words += ["--device", config["device"]]
    return shlex.join([*words, "-o", "report"])


def _size(size: int | str) -> str:
    return size if isinstance(size, str) else f"{size}x{size}"
