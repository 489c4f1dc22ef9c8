"""Selects the cases with pictures: samples of all kinds, and each method's best and worst."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from gatefill.evaluation.files import Folder, slug
from gatefill.evaluation.results import Results

SAMPLES = 12
EXTREMES = 2  # number of best and of worst cases per method
MOST_BYTES = 10_000_000  # bytes of pictures, so that a page stays below 15 MB
BY = "hole_l1"


def pictured(results: Results, folder: Folder) -> list[dict[str, Any]]:
    """Return cases with their pictures as data URIs, until the page is full."""
    shown, total = [], 0
    for case, tags in _chosen(results):
        pictures = _pictures(case, folder)
        total += sum(map(len, pictures.values()))
        if total > MOST_BYTES:
            break
        kept = {key: case[key] for key in ("photo", "mask", "share", "height", "width")}
        values = {
            label: result["values"].get(BY)
            for label, result in case["results"].items()
            if "values" in result
        }
        shown.append(kept | {"tags": tags, "values": values, "pictures": pictures})
    return shown


def _chosen(results: Results) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield cases and why they were selected, samples first."""
    cases = results["cases"]
    tags: dict[str, list[str]] = {case["key"]: ["sample"] for case in _samples(cases)}
    for label in results["config"]["methods"]:
        ranked = [
            (case["results"][label]["values"][BY], case["key"])
            for case in cases
            if "values" in case["results"].get(label, {})
        ]
        ranked.sort()
        for word, few in (("best", ranked[:EXTREMES]), ("worst", ranked[::-1][:EXTREMES])):
            for _, key in few:
                tags.setdefault(key, []).append(f"{word} of {label}")
    by_key = {case["key"]: case for case in cases}
    for key, why in tags.items():
        yield by_key[key], why


def _samples(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the same number of cases of each mask kind, of different photos if possible."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for case in sorted(cases, key=lambda case: str(case["key"])):  # the order of checksums
        kinds.setdefault(case["mask"], []).append(case)
    samples: list[dict[str, Any]] = []
    turn = 0
    while len(samples) < min(SAMPLES, len(cases)):
        for members in kinds.values():
            if members:
                samples.append(members.pop(min(turn, len(members) - 1)))
                turn += 1
    return samples[:SAMPLES]


def _pictures(case: dict[str, Any], folder: Folder) -> dict[str, str]:
    names = {"truth": "truth", "given": "given"}
    names |= {label: slug(label) for label in case["results"]}
    found = {}
    for name, file in names.items():
        path = folder.picture(case["key"], file)
        if path.exists():
            data = base64.b64encode(path.read_bytes()).decode()
            found[name] = f"data:image/webp;base64,{data}"
    return found
