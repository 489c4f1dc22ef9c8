"""Tables, curves and picture rows of scripts/paper_experiment.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from case_sheet import case_sheet

TITLES = {
    "patchmatch": "PatchMatch",
    "global_local": "Global & Local",
    "deepfill_v1": "DeepFill v1",
    "partial_conv": "Partial Convolution",
    "deepfill_v2": "DeepFill v2",
    "v2_single_gate": "one gate for all channels",
    "v2_partial": "partial convolutions",
    "v2_vanilla": "vanilla convolutions",
    "v2_no_gan": "without SN-PatchGAN",
    "v2_guided": "DeepFill v2, guided",
}
# L1 and L2 in percent on boxes, then on free-form holes: table 2 of arXiv 1806.03589.
PUBLISHED = {
    "patchmatch": (16.1, 3.9, 11.3, 2.4),
    "global_local": (9.3, 2.2, 21.6, 7.1),
    "deepfill_v1": (8.6, 2.1, 17.2, 4.7),
    "partial_conv": (9.8, 2.3, 10.4, 1.9),
    "deepfill_v2": (8.6, 2.0, 9.1, 1.6),
}
# semantic, non-local, free-form, user-guided: its table 1.
ASSERTED = {
    "patchmatch": "no, yes, yes, yes",
    "global_local": "yes, no, no, no",
    "deepfill_v1": "yes, yes, no, no",
    "partial_conv": "yes, no, yes, no",
    "deepfill_v2": "yes, yes, yes, yes",
}
MASKS = ("box", "brush")
ROWS = 3  # of pictures, for each kind of hole


def write_results(out: Path, settings: dict[str, Any], document: Path | None) -> None:
    """Write paper.md, curves.png and rows.jpg into `out`, and fill in the document."""
    results = json.loads((out / "report/results.json").read_text("utf-8"))
    properties = json.loads((out / "properties.json").read_text("utf-8"))
    labels = [label for label in results["config"]["methods"] if label in TITLES]
    parts = {
        "settings": _settings(results, settings),
        "table-1": table_1(properties, results),
        "table-2": table_2(results, labels),
        "ablation": ablation(results, labels),
        "differences": differences(results, labels),
    }
    text = "\n\n".join(f"<!-- {name} -->\n{part}" for name, part in parts.items())
    (out / "paper.md").write_text(text + "\n", "utf-8")
    curves(out, labels, out / "curves.png")
    rows = [case for mask in MASKS for case in _spread(results, mask)]
    shown = [label for label in labels if label != "v2_guided"]
    case_sheet(rows, shown, out / "report").convert("RGB").save(out / "rows.jpg", quality=85)
    if document is not None:
        whole = document.read_text("utf-8")
        for name, part in parts.items():
            before, begin, rest = whole.partition(f"<!-- begin {name} -->\n")
            _, end, after = rest.partition("<!-- end -->")
            if not end:
                raise SystemExit(f"{document} has no place for {name}")
            whole = f"{before}{begin}{part}\n{end}{after}"
        document.write_text(whole, "utf-8")


def _settings(results: dict[str, Any], settings: dict[str, Any]) -> str:
    photos = len({case["photo"] for case in results["cases"]})
    return (
        f"{settings['images']:,} images for each network at {settings['size']} pixels a side, "
        f"batch {settings['batch']}, {settings['width']} width, holes: {settings['masks']}; "
        f"{photos} test photos, one box and one brush hole in each."
    )


def table_1(properties: dict[str, Any], results: dict[str, Any]) -> str:
    lines = [
        "| | the paper: semantic, non-local, free-form, user-guided "
        "| learns: validation L1, first and best "
        "| copies from afar: L1 beside another photo, and beside its twin "
        "| L1 of strokes over that of boxes "
        "| an instruction changes the fill by |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for label, said in ASSERTED.items():
        found = properties.get(label)
        if found is None:
            continue
        learned = found.get("learning")
        guided = found["guidance"]
        if label == "deepfill_v2" and "v2_guided" in properties:
            guided = properties["v2_guided"]["guidance"]
        other, twin = found["twins"]
        box, brush = (_mean(results, mask, label, "hole_l1") for mask in MASKS)
        cells = [
            TITLES[label],
            said,
            "nothing to learn" if learned is None else f"{learned[0]:.2f} to {learned[1]:.2f} %",
            f"{other:.2f} and {twin:.2f} %",
            "-" if not box or not brush else f"{brush['mean'] / box['mean']:.2f}",
            "takes none" if guided is None else f"{guided:.1f} levels",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def table_2(results: dict[str, Any], labels: list[str]) -> str:
    lines = [
        "| | boxes, L1 % | L2 % | free-form, L1 % | L2 % | the paper: boxes | free-form |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for label, (l1, l2, free_l1, free_l2) in PUBLISHED.items():
        if label in labels:
            cells = [
                _cell(results, mask, label, metric)
                for mask in MASKS
                for metric in ("hole_l1", "hole_l2")
            ]
            cells += [f"{l1}, {l2}", f"{free_l1}, {free_l2}"]
            lines.append(f"| {TITLES[label]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ablation(results: dict[str, Any], labels: list[str]) -> str:
    measured = {metric["name"]: metric["title"] for metric in results["metrics"]}
    names = [name for name in ("hole_l1", "swd", "lpips", "dists") if name in measured]
    columns = [(mask, name) for mask in MASKS for name in names]
    head = " | ".join(f"{mask}: {measured[name]}" for mask, name in columns)
    lines = [f"| DeepFill v2 with | {head} |", f"| --- |{' --- |' * len(columns)}"]
    for label in labels:
        if label == "deepfill_v2" or (label.startswith("v2_") and label != "v2_guided"):
            title = "gated convolutions, SN-PatchGAN" if label == "deepfill_v2" else TITLES[label]
            cells = [_cell(results, mask, label, name) for mask, name in columns]
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def differences(results: dict[str, Any], labels: list[str]) -> str:
    """DeepFill v2 less every other, L1 in the hole."""
    lines = ["| DeepFill v2 less | boxes | free-form |", "| --- | --- | --- |"]
    for label in labels:
        if label in ("deepfill_v2", "v2_guided"):
            continue
        cells = [_difference(results, mask, label) for mask in MASKS]
        lines.append(f"| {TITLES[label]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(results: dict[str, Any], mask: str, label: str) -> str:
    for pair in results["pairs"]:
        if (pair["mask"], pair["metric"]) != (mask, "hole_l1"):
            continue
        if {pair["a"], pair["b"]} == {"deepfill_v2", label}:
            sign = 1 if pair["a"] == "deepfill_v2" else -1
            text = f"{sign * pair['mean']:+.2f}"
            if pair["low"] is not None:
                edges = sorted((sign * pair["low"], sign * pair["high"]))
                text += f" ({edges[0]:+.2f} to {edges[1]:+.2f})"
            verdict = {"deepfill_v2": ", better", label: ", worse", None: ""}[pair["better"]]
            return text + verdict
    return "-"


def _mean(results: dict[str, Any], mask: str, label: str, metric: str) -> dict[str, Any] | None:
    for item in results["summary"]:
        if (item["mask"], item["bin"], item["method"], item["metric"]) == (
            mask, "all", label, metric,
        ):  # fmt: skip
            found: dict[str, Any] = item
            return found
    return None


def _cell(results: dict[str, Any], mask: str, label: str, metric: str) -> str:
    item = _mean(results, mask, label, metric)
    if item is None:
        return "-"
    digits = 4 if metric in ("lpips", "dists") else 2
    text = f"{item['mean']:.{digits}f}"
    if item["low"] is not None:
        text += f" ({item['low']:.{digits}f}–{item['high']:.{digits}f})"
    return text


def curves(out: Path, labels: list[str], path: Path) -> None:
    """L1 in the holes of the validation photos over the images trained on."""
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    for label in labels:
        log = out / "runs" / label / "log.jsonl"
        if not log.exists():
            continue
        rows = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        points = [(row["images"], row["hole_l1"]) for row in rows if row["kind"] == "validation"]
        if points:
            axis.plot(*zip(*points, strict=True), label=TITLES[label])
    axis.set_xlabel("images")
    axis.set_ylabel("validation, L1 in the hole, %")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _spread(results: dict[str, Any], mask: str) -> list[dict[str, Any]]:
    """Cases at equal steps through those of a mask, by PatchMatch's error."""
    cases = [
        case
        for case in results["cases"]
        if case["mask"] == mask and "values" in case["results"].get("patchmatch", {})
    ]
    cases.sort(key=lambda case: float(case["results"]["patchmatch"]["values"]["hole_l1"]))
    count = min(ROWS, len(cases))
    return [cases[(2 * number + 1) * len(cases) // (2 * count)] for number in range(count)]
