"""The results as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json

from gatefill.evaluation.results import Results


def as_json(results: Results) -> bytes:
    """Encode results.json."""
    return json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False).encode()


def as_csv(results: Results) -> bytes:
    """Encode results.csv: a row for each case and method, a column for each metric."""
    names = [metric["name"] for metric in results["metrics"]]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["photo", "mask", "hole_share", "bin", "height", "width", "method", *names, "failed"]
    )
    for case in results["cases"]:
        for label, result in case["results"].items():
            values = result.get("values", {})
            writer.writerow(
                [case["photo"], case["mask"], case["share"], case["bin"], case["height"]]
                + [case["width"], label]
                + ["" if values.get(name) is None else values[name] for name in names]
                + [result.get("failed", "")]
            )
    return file.getvalue().encode()


def photos_csv(results: Results) -> bytes:
    """Encode photos.csv: the photos with checksums, and why some were excluded."""
    reasons = {problem["photo"]: problem["reason"] for problem in results["problems"]}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["photo", "sha256", "problem"])
    for name, sum in results["config"]["photos"]:
        writer.writerow([name, sum, reasons.get(name, "")])
    return file.getvalue().encode()
