"""The script that repeats the paper's experiment: what it compares, and what it says of it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from tests.evaluation.helpers import write_photos

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import paper_experiment  # noqa: E402 - a script, not a package
import paper_properties  # noqa: E402
import paper_tables  # noqa: E402

V2 = next(run for run in paper_experiment.RUNS if run.name == "deepfill_v2")
V1 = next(run for run in paper_experiment.RUNS if run.name == "deepfill_v1")


def write_run(out: Path, name: str, masks: str, seed: int = 0) -> Path:
    """What a training of a very narrow network leaves: weights, journal and run.json."""
    import torch

    from gatefill.checkpoints import Provenance, save_weights
    from gatefill.methods.registry import ENTRIES

    torch.manual_seed(seed)
    method = "deepfill_v1" if name == "deepfill_v1" else "deepfill_v2"
    [entry] = [entry for entry in ENTRIES if entry.info.name == method]
    config = entry.load("config")(width=4)
    state = entry.load("network")(config).state_dict()
    folder = out / "runs" / name
    folder.mkdir(parents=True)
    for kind in ("last", "best"):
        facts = Provenance(source="a test", license="CC0-1.0")
        save_weights(folder / f"{kind}.safetensors", method, config, state, facts)
    rows = [
        {"images": 600, "kind": "train"},
        {"images": 800, "kind": "validation", "hole_l1": 9.0},
        {"images": 1200, "kind": "validation", "hole_l1": 8.5},
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run = {
        "config": {"batch_size": 16, "accumulate": 1, "data": {"size": 32, "masks": masks}},
        "data": {"files": 7},
        "processes": 1,
        "progress": {"images": 1200, "best_step": 50},
    }
    (folder / "run.json").write_text(json.dumps(run), "utf-8")
    return folder


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["paper_experiment.py", *map(str, arguments)])
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    paper_experiment.main()


@pytest.mark.slow
def test_networks_trained_elsewhere_are_compared_and_put_into_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, photos = tmp_path / "out", write_photos(tmp_path / "photos", 3)
    write_run(out, "deepfill_v2", "box_or_brush")
    (write_run(out, "deepfill_v1", "box", seed=1) / "last.safetensors").unlink()
    page = tmp_path / "page.md"
    names = ("settings", "table-1", "table-2", "perceptual", "ablation", "differences", "pictured")
    places = [f"<!-- begin {name} -->\nold\n<!-- end -->\n" for name in names]
    page.write_text("# Title\n" + "".join(places) + "The end.\n", "utf-8")
    only = ("--only", "deepfill_v1", "deepfill_v2", "--size", 32, "--device", "cpu")
    (tmp_path / "free.txt").write_text("photo1.png\nphoto2.png\n", "utf-8")
    given = ("--document", page, "--pictured", tmp_path / "free.txt")
    run_script(monkeypatch, out, "--compare-only", "--test", photos, *only, *given)
    text = page.read_text("utf-8")
    assert text.startswith("# Title\n")
    assert text.endswith("The end.\n")
    assert "old" not in text
    assert (
        "1,200 images for each network (DeepFill v1 800) out of 7 files, 32 pixels a side, "
        "batch 16; 3 test photos at 32 pixels" in text
    )
    lines = text.splitlines()
    [learned] = [line for line in lines if line.startswith("| DeepFill v2 | yes, yes, yes, yes")]
    assert "9.00 to 8.50 %" in learned
    assert learned.endswith("| takes none |")
    [error] = [line for line in lines if line.startswith("| DeepFill v2 |") and "8.6, 2.0" in line]
    shown = re.findall(r"\d\. `(.*)`, (box|brush), hole \d+%", text)
    assert sorted(shown) == [
        (f"photo{number}.png", mask) for number in (1, 2) for mask in ("box", "brush")
    ]
    results = json.loads((out / "report/results.json").read_text("utf-8"))
    [mean] = [
        item["mean"]
        for item in results["summary"]
        if (item["method"], item["metric"], item["mask"], item["bin"])
        == ("deepfill_v2", "hole_l1", "box", "all")
    ]
    assert error.split("|")[2].split()[0] == f"{mean:.2f}"
    assert results["config"]["methods"] == ["patchmatch", "deepfill_v1", "deepfill_v2", "corrected"]
    assert "| DeepFill v2 with gatefill's color correction | " in text
    for name in ("curves.png", "rows.jpg"):
        with PIL.Image.open(out / name) as picture:
            assert picture.width > picture.height > 100
    assert not list((out / "runs").glob("*.done")), "something was trained"


def test_what_another_network_or_photo_gave_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left from an earlier call were properties without the networks that --only had left out."""
    photos = sorted(write_photos(tmp_path / "photos", 3).iterdir())
    first = write_run(tmp_path, "deepfill_v2", "box_or_brush") / "last.safetensors"
    other = write_run(tmp_path, "v2_vanilla", "box_or_brush", seed=1) / "last.safetensors"
    measured: list[int] = []

    def twins(_inpaint: Any, pictures: list[Any]) -> tuple[float, float]:
        measured.append(len(pictures))
        return 1.0, 2.0

    monkeypatch.setattr(paper_properties, "twins", twins)
    monkeypatch.setattr(paper_properties, "guidance", lambda *_: None)

    def measure(weights: dict[str, Path], photos: list[Path], known: dict[str, Any]) -> Any:
        del measured[:]
        found = paper_properties.measure_properties(weights, photos, 32, "cpu", known)
        return json.loads(json.dumps(found))

    known = measure({"deepfill_v2": first}, photos, {})
    assert measured == [3, 3]  # PatchMatch and the network
    both = measure({"deepfill_v2": first, "v2_vanilla": other}, photos, known)
    assert measured == [3]
    assert set(both) == {"patchmatch", "deepfill_v2", "v2_vanilla"}
    measure({"deepfill_v2": other}, photos, known)
    assert measured == [3]
    measure({"deepfill_v2": first}, photos[:2], known)
    assert measured == [2, 2]


def test_the_weights_asked_for_are_taken_and_others_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path, "deepfill_v2", "box_or_brush")
    given = argparse.Namespace(out=tmp_path, weights="last")
    assert paper_experiment.weights_of(V2, given).name == "last.safetensors"
    given.weights = "best"
    assert paper_experiment.weights_of(V2, given).name == "best.safetensors"
    assert capsys.readouterr().out == ""
    (folder / "best.safetensors").unlink()
    assert paper_experiment.weights_of(V2, given).name == "last.safetensors"
    assert "deepfill_v2 has no best.safetensors" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="deepfill_v1 has no weights"):
        paper_experiment.weights_of(V1, given)


def test_only_what_the_papers_have_comes_after_a_network(tmp_path: Path) -> None:
    from gatefill.checkpoints import load_weights

    runs = [run for run in paper_experiment.RUNS if run.name in ("deepfill_v1", "v2_vanilla")]
    weights = {
        run.name: write_run(tmp_path, run.name, "box") / "last.safetensors" for run in (*runs, V2)
    }
    specs = paper_experiment.contestants([*runs, V2], weights, tmp_path)
    named = dict(spec.split("=", 1) for spec in specs)
    assert list(named) == ["deepfill_v1", "v2_vanilla", "deepfill_v2", "corrected"]
    files = {label: Path(spec.partition(":")[2]) for label, spec in named.items()}
    assert files["deepfill_v1"] == weights["deepfill_v1"]
    assert files["corrected"] == weights["deepfill_v2"]
    found = {label: load_weights(file) for label, file in files.items()}
    assert [label for label, (info, _) in found.items() if not info.finish] == [
        "v2_vanilla",
        "deepfill_v2",
    ]
    plain, own = (found[label][1] for label in ("deepfill_v2", "corrected"))
    assert plain.keys() == own.keys()
    assert all((plain[name] == own[name]).all() for name in own)
    # The report tells weights apart by their checksums, and the order of a header is random.
    before = files["deepfill_v2"].stat().st_mtime_ns
    paper_experiment.contestants([V2], weights, tmp_path)
    assert files["deepfill_v2"].stat().st_mtime_ns == before


def test_curves_of_different_holes_stand_in_different_panels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {
        name: write_run(tmp_path, name, masks) / "last.safetensors"
        for name, masks in (("deepfill_v2", "box_or_brush"), ("deepfill_v1", "box"))
    }
    figures: list[Any] = []
    monkeypatch.setattr(paper_tables.plt, "close", figures.append)
    paper_tables.curves(weights, tmp_path / "curves.png")
    panels = {
        axis.get_title(): [line.get_label() for line in axis.lines] for axis in figures[0].axes
    }
    assert panels == {"holes: box_or_brush": ["DeepFill v2"], "holes: box": ["DeepFill v1"]}


def test_a_training_that_fails_is_said_at_once_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = []

    def train(run: paper_experiment.Run, _given: argparse.Namespace) -> None:
        if run is V1:
            raise paper_experiment.TrainingError("deepfill_v1 stopped with status 1: no memory")
        assert "no memory" in capsys.readouterr().err
        trained.append(run.name)

    monkeypatch.setattr(paper_experiment, "train", train)
    with pytest.raises(SystemExit, match=r"not compared, .* deepfill_v1;"):
        paper_experiment.train_all([V1, V2], argparse.Namespace(jobs=1))
    assert trained == ["deepfill_v2"]


@pytest.mark.slow
def test_a_training_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    given = argparse.Namespace(
        out=tmp_path, data=str(tmp_path / "nowhere"), validate=None, images=64, size=32, batch=8,
        width="compact", masks="recipe", vgg=None, device="cpu", jobs=1,
        sketches="drawn",
    )  # fmt: skip
    with pytest.raises(paper_experiment.TrainingError, match=r"status 2: .*nowhere.* \(see"):
        paper_experiment.train(V2, given)


def test_settings_make_the_runs_alike() -> None:
    """The phases of a recipe keep their shares of the budget."""
    given = argparse.Namespace(
        images=12_000, size=64, batch=16, width="compact", masks="recipe", vgg=None, sketches="both"
    )
    found = {
        run.name: dict(text.split("=", 1) for text in paper_experiment.settings(run, given))
        for run in paper_experiment.RUNS
    }
    for setting in ("images", "batch_size", "data.size", "data.scale", "best_by"):
        assert len({each[setting] for each in found.values()}) == 1, setting
    for run in paper_experiment.RUNS:
        config: Any = paper_experiment.recipe_named(run.recipe)
        warmup = int(found[run.name]["optimizer.warmup"]) / 12_000
        assert warmup == pytest.approx(config.optimizer.warmup / config.images, abs=1e-3)
    config = paper_experiment.recipe_named(V2.recipe)
    begins = int(found["deepfill_v2"]["loss.adversarial_from"]) / 12_000
    assert begins == pytest.approx(config.loss.adversarial_from / config.images, abs=1e-3)
    assert found["v2_vanilla"]["network.kind"] == "vanilla"
    assert [name for name, each in found.items() if "data.sketches" in each] == ["v2_guided"]
    assert found["partial_conv"]["network.levels"] == "5"


def test_data_are_needed_to_train_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        run_script(monkeypatch, tmp_path, "--test", tmp_path)
    assert raised.value.code == 2
    assert "expected --data" in capsys.readouterr().err
