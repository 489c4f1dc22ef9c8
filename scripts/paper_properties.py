"""The four properties of the paper's first table, measured instead of asserted.

- semantic: does it learn from other photos? The error on validation photos at the beginning of the
  training and at its end.
- non-local: does it copy from far away? A photo stands twice side by side, with a hole in the left
  one; beside it another photo. The gain is the difference of the errors in the hole.
- free-form: how much harder are strokes than boxes for it, compared with Telea's method?
- user-guided: does a drawn edge (or, where it takes one, a search region) change the fill?
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import gatefill
from gatefill.errors import GatefillError
from gatefill.evaluation.files import file_sum
from gatefill.evaluation.photos import list_photos, read_truth
from gatefill.methods.network import NetworkOptions

FINISHED = "global_local"  # the network whose paper has something after it: blending
PHOTOS = 8  # of the test photos, for the twins and the sketches


def measure_properties(
    weights: dict[str, Path], test: list[Path], size: int, device: str, known: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """By method: what `learning`, `twins` and `guidance` found.

    What is `known` from an earlier call with the same weights, photos and size is taken from there.
    """
    pictures, photos = [], []
    for entry in list_photos(test, seed=0):
        try:
            pictures.append(read_truth(entry.path, size))
        except (GatefillError, OSError):
            continue
        photos.append(file_sum(entry.path)[:12])
        if len(pictures) == PHOTOS:
            break
    found: dict[str, dict[str, Any]] = {}
    for name in ("patchmatch", *weights):
        network = file_sum(weights[name])[:12] if name in weights else None
        finish = name == FINISHED
        measured_on = {"weights": network, "finish": finish, "size": size, "photos": photos}
        if known.get(name, {}).get("measured_on") == measured_on:
            found[name] = known[name]
            continue
        if name == "patchmatch":
            inpaint = gatefill.load("patchmatch", large="whole")
        else:
            options = NetworkOptions(finish=finish)
            inpaint = gatefill.load(
                weights=weights[name], options=options, device=device, large="whole"
            )
        found[name] = {"measured_on": measured_on, "twins": twins(inpaint, pictures)}
        found[name]["guidance"] = guidance(inpaint, pictures)
        if name in weights:
            found[name]["learning"] = learning(weights[name].parent / "log.jsonl")
    return found


def learning(log: Path) -> tuple[float, float] | None:
    """L1 in the holes of validation photos, percent: first and best."""
    rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    values = [row["hole_l1"] for row in rows if row["kind"] == "validation"]
    return (values[0], min(values)) if values else None


def twins(inpaint: gatefill.Inpainter, pictures: list[Any]) -> tuple[float, float]:
    """L1 in the hole, percent: beside another photo, and beside its own twin."""
    errors: list[list[float]] = [[], []]
    for number, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        hole = np.zeros((height, 2 * width), bool)
        hole[3 * height // 8 : 5 * height // 8, 3 * width // 8 : 5 * width // 8] = True
        for place, beside in enumerate((pictures[number - 1], picture)):
            pair = np.hstack([picture, beside])
            blank = np.where(hole[..., None], np.uint8(127), pair)
            filled = inpaint(blank, hole).photo.pixels
            wrong = np.abs(filled[hole].astype(float) - pair[hole])
            errors[place].append(100 * float(wrong.mean()) / 255)
    other, twin = (float(np.mean(values)) for values in errors)
    return other, twin


def guidance(inpaint: gatefill.Inpainter, pictures: list[Any]) -> float | None:
    """Mean change of the fill by another instruction, in levels of 255; None if it takes none."""
    info = inpaint.method.info
    if not (info.takes_sketch or info.takes_search):
        return None
    changes = []
    for picture in pictures:
        height, width = picture.shape[:2]
        hole = np.zeros((height, width), bool)
        hole[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
        blank = np.where(hole[..., None], np.uint8(127), picture)
        given: list[dict[str, Any]]
        if info.takes_sketch:
            lines = np.zeros((2, height, width), bool)
            lines[0, height // 2 - 1 : height // 2 + 1] = True
            lines[1, :, width // 2 - 1 : width // 2 + 1] = True
            given = [{"sketch": line} for line in lines]
        else:
            given = [{"search": part} for part in _halves(height, width)]
        one, other = (inpaint(blank, hole, **each).photo.pixels[hole] for each in given)
        changes.append(float(np.abs(one.astype(float) - other).mean()))
    return float(np.mean(changes))


def _halves(height: int, width: int) -> Any:
    """The left and the right half of a frame."""
    left = np.zeros((height, width), bool)
    left[:, : width // 2] = True
    return left, ~left
