"""Computes results from the journal's rows: per case, mask kind, hole share and pair of methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatefill.evaluation.cases import bin_of
from gatefill.evaluation.contestants import Contestant
from gatefill.evaluation.cost import cost
from gatefill.evaluation.files import Folder
from gatefill.evaluation.metrics import Metric
from gatefill.evaluation.photos import PhotoEntry
from gatefill.evaluation.statistics import estimates

Results = dict[str, Any]
"""The content of results.json; see docs/metrics.md."""

ALL = "all"
FORMAT = 1


def build_results(
    header: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    metrics: Sequence[Metric],
    contestants: Sequence[Contestant],
    photos: Sequence[PhotoEntry],
    missing: Sequence[str],
    folder: Folder,
) -> Results:
    """Build the results. Everything but ``run`` is reproducible."""
    names = {photo.sum: photo.name for photo in photos if not photo.problem}
    labels = [contestant.label for contestant in contestants]
    cases = _cases(rows, names)
    return {
        "format": FORMAT,
        "config": header
        | {"methods": labels, "versions": [contestant.version for contestant in contestants]},
        "metrics": [_without_code(metric) for metric in metrics],
        "methods": [_method(contestant, cases) for contestant in contestants],
        "problems": _problems(rows, photos),
        "missing": list(missing),
        "summary": _summary(cases, labels, metrics),
        "pairs": _pairs(cases, labels, metrics),
        "sets": _sets(cases, labels, folder) if "fid" in header["weights"] else [],
        "cases": cases,
        "run": cost(rows, labels),
    }


def _problems(rows: Sequence[dict[str, Any]], photos: Sequence[PhotoEntry]) -> list[dict[str, str]]:
    """List photos that were excluded from all or some kinds of masks, and why."""
    problems = []
    for photo in photos:
        reasons = [photo.problem] if photo.problem else []
        reasons += [
            f"{row['kind']}: {row['problem']}" if "kind" in row else row["problem"]
            for row in rows
            if "problem" in row and not photo.problem and row["photo"] == photo.sum
        ]
        problems += [{"photo": photo.name, "reason": reason} for reason in reasons]
    return problems


def _without_code(metric: Metric) -> dict[str, Any]:
    fields = ("name", "title", "unit", "low", "high", "better", "definition")
    return {field: getattr(metric, field) for field in fields}


def _cases(rows: Sequence[dict[str, Any]], names: dict[str, str]) -> list[dict[str, Any]]:
    """Return the cases, sorted by photo and mask kind, each with the values of every method."""
    cases = {}
    for row in rows:
        if "share" in row:
            cases[row["case"]] = {
                "key": row["case"],
                "photo": names[row["photo"]],
                "mask": row["kind"],
                "share": row["share"],
                "bin": bin_of(row["share"]),
                "height": row["height"],
                "width": row["width"],
                "truth_tv": row["truth_tv"],
                "results": {},
            }
    for row in rows:
        if "method" in row and row["case"] in cases:
            kept = "failed" if "failed" in row else "values"
            cases[row["case"]]["results"][row["method"]] = {kept: row[kept]}
    return sorted(cases.values(), key=lambda case: (case["photo"], case["mask"]))


def _method(contestant: Contestant, cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    results = [case["results"].get(contestant.label, {}) for case in cases]
    info = contestant.info
    return {
        "label": contestant.label,
        "title": info.title,
        "paper": info.paper,
        "version": contestant.version,
        "spec": contestant.spec,
        **{
            name: None if contestant.unknown else getattr(info, name)
            for name in ("semantic", "non_local", "free_form", "user_guided")
        },
        "cases": sum("values" in result for result in results),
        "failures": [
            {"photo": case["photo"], "mask": case["mask"], "reason": result["failed"]}
            for case, result in zip(cases, results, strict=True)
            if "failed" in result
        ],
    }


def _table(
    cases: Sequence[dict[str, Any]], labels: Sequence[str], metrics: Sequence[Metric]
) -> NDArray[np.float64]:
    """Return values as cases x methods x metrics, NaN where nothing was measured."""
    table = np.full((len(cases), len(labels), len(metrics)), np.nan)
    for row, case in enumerate(cases):
        for column, label in enumerate(labels):
            values = case["results"].get(label, {}).get("values", {})
            for plane, metric in enumerate(metrics):
                if values.get(metric.name) is not None:
                    table[row, column, plane] = values[metric.name]
    return table


def _groups(
    cases: Sequence[dict[str, Any]], *, bins: bool
) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Group cases by mask kind and bin, with ``all`` as one of each."""
    kinds = [ALL, *sorted({case["mask"] for case in cases})]
    shares = [ALL, *sorted({case["bin"] for case in cases})] if bins else [ALL]
    groups = []
    for kind in kinds:
        for share in shares:
            inside = [
                case
                for case in cases
                if kind in (ALL, case["mask"]) and share in (ALL, case["bin"])
            ]
            if inside:
                groups.append((kind, share, inside))
    return groups


def _summary(
    cases: Sequence[dict[str, Any]], labels: Sequence[str], metrics: Sequence[Metric]
) -> list[dict[str, Any]]:
    summary = []
    for kind, share, inside in _groups(cases, bins=True):
        table = _table(inside, labels, metrics).reshape(len(inside), -1)
        found = iter(estimates(table, [case["photo"] for case in inside]))
        for label in labels:
            for metric in metrics:
                if (value := next(found)) is not None:
                    place = {"mask": kind, "bin": share, "method": label, "metric": metric.name}
                    summary.append(place | asdict(value))
    return summary


def _pairs(
    cases: Sequence[dict[str, Any]], labels: Sequence[str], metrics: Sequence[Metric]
) -> list[dict[str, Any]]:
    """Return, for each two methods, the mean difference on the cases that both filled."""
    couples = list(combinations(range(len(labels)), 2))
    if not couples:
        return []
    pairs = []
    for kind, _, inside in _groups(cases, bins=False):
        table = _table(inside, labels, metrics)
        gaps = np.stack([table[:, one] - table[:, other] for one, other in couples], axis=1)
        photos = [case["photo"] for case in inside]
        found = iter(estimates(gaps.reshape(len(inside), -1), photos))
        for one, other in couples:
            for metric in metrics:
                if (value := next(found)) is None:
                    continue
                place = {"mask": kind, "metric": metric.name, "a": labels[one], "b": labels[other]}
                better = _better(value.low, value.high, metric, labels[one], labels[other])
                pairs.append(place | asdict(value) | {"better": better})
    return pairs


def _better(
    low: float | None, high: float | None, metric: Metric, one: str, other: str
) -> str | None:
    """Return the method that is better by an interval without 0; None if that is not shown."""
    if low is None or high is None or low <= 0 <= high or metric.better == "neither":
        return None
    return one if (high < 0) == (metric.better == "lower") else other


def _sets(
    cases: Sequence[dict[str, Any]], labels: Sequence[str], folder: Folder
) -> list[dict[str, Any]]:
    """Return FID, which is a value of a set of pictures."""
    from gatefill.evaluation.metrics.frechet import FrechetDistance

    sets = []
    for kind, _, inside in _groups(cases, bins=False):
        for label in labels:
            distance, count = FrechetDistance(), 0
            for case in inside:
                truth = folder.load_features(case["key"], None)
                output = folder.load_features(case["key"], label)
                if truth is not None and output is not None:
                    distance.add(truth, output)
                    count += 1
            value = distance.result()
            if value is not None:
                sets.append(
                    {"mask": kind, "method": label, "metric": "fid", "value": value, "cases": count}
                )
    return sets
