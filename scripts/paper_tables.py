"""Tables, curves and picture rows of scripts/paper_experiment.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import korean_tables
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
    "unblended": "Global & Local without blending",
    "corrected": "DeepFill v2 with gatefill's color correction",
}
# Compared beside the networks they are made of; they stand after them.
MORE = {"global_local": "unblended", "deepfill_v2": "corrected"}
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
WIDEST = 1900  # pixels of the sheet of rows


def write_results(
    out: Path, weights: dict[str, Path], document: Path | None, pictured: list[str] | None = None
) -> None:
    """Write paper.md, curves.png and rows.jpg into `out`, and fill in the document, Korean too.

    Args:
        out: What holds runs/, report/ and properties.json.
        weights: By name of a run: the weights that were compared.
        document: A page with a place for each part: `<!-- begin NAME -->`, then `<!-- end -->`.
        pictured: Names of the photos that may be shown; None for all.
    """
    results = json.loads((out / "report/results.json").read_text("utf-8"))
    properties = json.loads((out / "properties.json").read_text("utf-8"))
    labels = ["patchmatch"]
    for name in weights:
        labels += [name, *([MORE[name]] if name in MORE else [])]
    rows = [case for mask in MASKS for case in _spread(results, mask, pictured)]
    parts = {
        "settings": settings(results, weights),
        "table-1": table_1(properties, results),
        "table-2": table_2(results, labels),
        "perceptual": perceptual(results, labels),
        "ablation": ablation(results, labels),
        "differences": differences(results, labels),
        "pictured": "\n".join(
            f"{number}. `{case['photo']}`, {case['mask']}, hole {100 * case['share']:.0f}%"
            for number, case in enumerate(rows, start=1)
        ),
    }
    text = "\n\n".join(f"<!-- {name} -->\n{part}" for name, part in parts.items())
    (out / "paper.md").write_text(text + "\n", "utf-8")
    curves(weights, out / "curves.png")
    shown = [label for label in labels if label not in ("v2_guided", *MORE.values())]
    sheet = case_sheet(rows, shown, out / "report", TITLES).convert("RGB")
    sheet.thumbnail((WIDEST, sheet.height))
    sheet.save(out / "rows.jpg", quality=80)
    if document is not None:
        whole = document.read_text("utf-8")
        for name, part in parts.items():
            before, begin, rest = whole.partition(f"<!-- begin {name} -->\n")
            _, end, after = rest.partition("<!-- end -->")
            if not end:
                raise SystemExit(f"{document} has no place for {name}")
            whole = f"{before}{begin}{part}\n{end}{after}"
        document.write_text(whole, "utf-8")
        korean_tables.write(document)


def settings(results: dict[str, Any], weights: dict[str, Path]) -> str:
    """How the networks were trained, by their run.json, and what they were compared on."""
    runs = {name: _run(path) for name, path in weights.items()}
    counts = {name: _images(run, weights[name].stem) for name, run in runs.items()}
    usual = max(counts.values(), key=lambda count: (list(counts.values()).count(count), count))
    others = ", ".join(
        f"{TITLES[name]} {count:,}" for name, count in counts.items() if count != usual
    )

    def each(*keys: str) -> str:
        """A setting of all runs; where they differ, every value."""
        found: dict[str, None] = {}
        for run in runs.values():
            value: Any = run
            for key in keys:
                value = value[key]
            found[str(value)] = None
        return " or ".join(found)

    photos = len({case["photo"] for case in results["cases"]})
    return (
        f"{usual:,} images for each network{f' ({others})' if others else ''} out of "
        f"{each('data', 'files')} files, {each('config', 'data', 'size')} pixels a side, batch "
        f"{each('config', 'batch_size')}; {photos} test photos at {results['config']['size']} "
        "pixels, one box and one brush hole in each."
    )


def _run(weights: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((weights.parent / "run.json").read_text("utf-8"))
    return found


def _images(run: dict[str, Any], kind: str) -> int:
    """The images behind the last or the best weights of a run."""
    progress, config = run["progress"], run["config"]
    if kind == "last" or not progress["best_step"]:
        return int(progress["images"])
    return int(
        progress["best_step"] * config["batch_size"] * config["accumulate"] * run["processes"]
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
    for label in labels:
        if label not in PUBLISHED and label not in MORE.values():
            continue
        cells = [
            _cell(results, mask, label, metric)
            for mask in MASKS
            for metric in ("hole_l1", "hole_l2")
        ]
        if label in PUBLISHED:
            l1, l2, free_l1, free_l2 = PUBLISHED[label]
            cells += [f"{l1}, {l2}", f"{free_l1}, {free_l2}"]
        else:
            cells += ["", ""]
        lines.append(f"| {TITLES[label]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ablation(results: dict[str, Any], labels: list[str]) -> str:
    """Variants of DeepFill v2."""
    rows = {
        label: "gated convolutions, SN-PatchGAN" if label == "deepfill_v2" else TITLES[label]
        for label in labels
        if label == "deepfill_v2" or (label.startswith("v2_") and label != "v2_guided")
    }
    return _metrics(results, rows, "DeepFill v2 with", ("hole_l1", "swd", "lpips", "dists"))


def perceptual(results: dict[str, Any], labels: list[str]) -> str:
    """The methods by distances of textures and features."""
    rows = {
        label: TITLES[label] for label in labels if label in PUBLISHED or label in MORE.values()
    }
    return _metrics(results, rows, "", ("swd", "lpips", "dists"))


def _metrics(
    results: dict[str, Any], rows: dict[str, str], head: str, names: tuple[str, ...]
) -> str:
    measured = {metric["name"]: metric["title"] for metric in results["metrics"]}
    columns = [(mask, name) for mask in MASKS for name in names if name in measured]
    heads = [head, *(f"{mask}: {measured[name]}" for mask, name in columns)]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for label, title in rows.items():
        cells = [title, *(_cell(results, mask, label, name) for mask, name in columns)]
        lines.append(f"| {' | '.join(cells)} |")
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


def curves(weights: dict[str, Path], path: Path) -> None:
    """L1 in the holes of the validation photos over the images trained on.

    Validation uses the holes that a network is trained with, so each kind of holes has its panel:
    only curves of one panel can be compared.
    """
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name, file in weights.items():
        log = (file.parent / "log.jsonl").read_text("utf-8")
        rows = [json.loads(line) for line in log.splitlines()]
        points = [(row["images"], row["hole_l1"]) for row in rows if row["kind"] == "validation"]
        if points:
            panels.setdefault(_run(file)["config"]["data"]["masks"], {})[name] = points
    figure, axes = plt.subplots(
        1, max(len(panels), 1), figsize=(10, 4), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, (masks, lines) in zip(axes[0], panels.items(), strict=False):
        for name, points in lines.items():
            axis.plot(*zip(*points, strict=True), label=TITLES[name], marker=".")
        axis.set_title(f"holes: {masks}", fontsize=10)
        axis.set_xlabel("images")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("validation, L1 in the hole, %")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _spread(results: dict[str, Any], mask: str, pictured: list[str] | None) -> list[dict[str, Any]]:
    """Cases at equal steps through those of a mask, by PatchMatch's error."""
    cases = [
        case
        for case in results["cases"]
        if case["mask"] == mask
        and "values" in case["results"].get("patchmatch", {})
        and (pictured is None or case["photo"] in pictured)
    ]
    cases.sort(key=lambda case: float(case["results"]["patchmatch"]["values"]["hole_l1"]))
    count = min(ROWS, len(cases))
    return [cases[(2 * number + 1) * len(cases) // (2 * count)] for number in range(count)]
