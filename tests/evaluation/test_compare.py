"""Whole comparisons on real files: repeated, stopped, resumed, refused."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from gatefill.evaluation import METRICS, CompareConfig, Pair, compare, evaluate
from gatefill.evaluation.compare import _Run, enter
from gatefill.evaluation.files import Folder
from gatefill.evaluation.journal import Journal
from gatefill.evaluation.results import build_results
from tests.evaluation.helpers import odd, write_cutouts, write_photos

METHODS = ["telea", "navier_stokes"]
CONFIG = CompareConfig(masks=("brush", "center"), size=48)


def lasting(results: dict[str, Any]) -> dict[str, Any]:
    """What must be the same on every repetition."""
    return {key: value for key, value in results.items() if key != "run"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos, one that is broken, one that is too small, one that is there twice."""
    folder = write_photos(tmp_path_factory.mktemp("in"), 3)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    PIL.Image.new("RGB", (47, 90)).save(folder / "small.png")
    shutil.copy(folder / "photo2.png", folder / "twin.png")
    return folder


@pytest.fixture(scope="module")
def report(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("out") / "report"
    return out, compare([photos], METHODS, out, CONFIG)


def test_all_that_can_be_measured_is(report: tuple[Path, dict[str, Any]]) -> None:
    _, results = report
    assert [(case["photo"], case["mask"]) for case in results["cases"]] == [
        (f"photo{number}.png", mask) for number in range(3) for mask in ("brush", "center")
    ]
    for case in results["cases"]:
        assert case["height"] == case["width"] == 48
        for method in METHODS:
            values = case["results"][method]["values"]
            assert set(values) == set(METRICS)
            assert values["ms_ssim"] is None
            assert values["hole_l1"] > 0


def test_what_takes_no_part_is_listed(report: tuple[Path, dict[str, Any]]) -> None:
    out, results = report
    reasons = {item["photo"]: item["reason"] for item in results["problems"]}
    assert set(reasons) == {"broken.jpg", "small.png", "twin.png"}
    assert reasons["small.png"] == "smaller than 48 pixels: it is 47 x 90"
    assert reasons["twin.png"] == "the same file as photo2.png"
    rows = list(csv.DictReader(out.joinpath("photos.csv").open()))
    assert {row["photo"]: row["problem"] for row in rows if row["problem"]} == reasons


def test_numbers_follow_from_the_files_that_are_written(
    photos: Path, report: tuple[Path, dict[str, Any]]
) -> None:
    """Photo, mask and a method's own package are enough to find the numbers again."""
    import cv2

    out, results = report
    sums = {hashlib.sha256(path.read_bytes()).hexdigest()[:16]: path for path in photos.iterdir()}
    for case in results["cases"]:
        sum, _, kind = case["key"].partition("-")
        assert kind == case["mask"]
        assert sums[sum].read_bytes() == (photos / case["photo"]).read_bytes()
        picture = np.asarray(PIL.Image.open(photos / case["photo"]).convert("RGB"))
        truth = cv2.resize(picture[:, 8:72], (48, 48), interpolation=cv2.INTER_AREA)
        mask = np.asarray(PIL.Image.open(out / "masks" / f"{case['key']}.png")) > 0
        assert case["share"] == pytest.approx(mask.mean(), rel=1e-5)
        blank = np.where(mask[..., None], np.uint8(127), truth)
        filled = cv2.inpaint(blank, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA)
        pair = Pair(truth, np.where(mask[..., None], filled, truth), mask)
        for name in ("hole_l1", "ssim", "swd"):
            expected = METRICS[name].measure(pair)
            assert case["results"]["telea"]["values"][name] == pytest.approx(expected, rel=1e-4)


def test_means_and_differences_are_those_of_the_cases(
    report: tuple[Path, dict[str, Any]],
) -> None:
    _, results = report

    def values(method: str, mask: str) -> np.ndarray:
        return np.array(
            [
                case["results"][method]["values"]["hole_l1"]
                for case in results["cases"]
                if mask in ("all", case["mask"])
            ]
        )

    means = {
        (item["method"], item["mask"]): item
        for item in results["summary"]
        if item["metric"] == "hole_l1" and item["bin"] == "all"
    }
    assert len(means) == 6
    for (method, mask), item in means.items():
        assert item["mean"] == pytest.approx(values(method, mask).mean())
        assert item["low"] <= item["mean"] <= item["high"]
        assert item["photos"] == 3
    for pair in results["pairs"]:
        if pair["metric"] == "hole_l1":
            gap = values("telea", pair["mask"]) - values("navier_stokes", pair["mask"])
            assert pair["mean"] == pytest.approx(gap.mean())
            sure = pair["low"] > 0 or pair["high"] < 0
            better = "navier_stokes" if pair["mean"] > 0 else "telea"
            assert pair["better"] == (better if sure else None)
        if pair["metric"] == "tv":
            assert pair["better"] is None
    by_bin = [item for item in results["summary"] if item["bin"] != "all"]
    assert {item["bin"] for item in by_bin} == {case["bin"] for case in results["cases"]}
    assert results["cases"][1]["bin"] == "20-30", "a quarter of the frame"


def test_time_and_memory_are_measured(report: tuple[Path, dict[str, Any]]) -> None:
    _, results = report
    timing = results["run"]["timing"]
    assert [item["method"] for item in timing] == METHODS
    for item in timing:
        assert 0 < item["median_seconds"] <= item["p90_seconds"] < 5
        assert item["peak_bytes"] >= item["idle_bytes"] > 1e7


def test_machines_read_the_same(report: tuple[Path, dict[str, Any]]) -> None:
    out, results = report
    assert json.loads(out.joinpath("results.json").read_text("utf-8")) == results
    rows = list(csv.DictReader(out.joinpath("results.csv").open()))
    assert len(rows) == 12
    for row in rows:
        case = next(
            case
            for case in results["cases"]
            if (case["photo"], case["mask"]) == (row["photo"], row["mask"])
        )
        values = case["results"][row["method"]]["values"]
        assert float(row["psnr"]) == values["psnr"]
        assert row["ms_ssim"] == ""


def test_renamed_photos_give_the_same_numbers(
    photos: Path, report: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        shutil.copy(photos / f"photo{number}.png", tmp_path / "in" / f"{9 - number}.png")
    again = compare([tmp_path / "in"], METHODS, tmp_path / "out", CONFIG)
    first = {case["key"]: case["results"] for case in report[1]["cases"]}
    assert {case["key"]: case["results"] for case in again["cases"]} == first
    for mask in report[0].joinpath("masks").iterdir():
        assert (tmp_path / "out/masks" / mask.name).read_bytes() == mask.read_bytes()


def test_a_stopped_comparison_goes_on(
    photos: Path, report: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    class Stopped(Exception):  # noqa: N818
        pass

    def stop(share: float) -> None:
        if share > 0.4:
            raise Stopped

    with pytest.raises(Stopped):
        compare([photos], METHODS, tmp_path, CONFIG, progress=stop)
    journal = tmp_path / "journal.jsonl"
    before = journal.read_bytes()
    journal.write_bytes(before[:-30])  # as if the power had gone while a line was written
    done = before.count(b'"seconds"')
    assert 0 < done < 12
    resumed = compare([photos], METHODS, tmp_path, CONFIG)
    assert lasting(resumed) == lasting(report[1])

    kept = journal.read_bytes()
    shares: list[float] = []
    third = compare([photos], METHODS, tmp_path, CONFIG, progress=shares.append)
    assert lasting(third) == lasting(resumed)
    assert third["run"]["timing"] == resumed["run"]["timing"]
    assert journal.read_bytes() == kept, "nothing was measured again"
    assert shares[-1] == 1.0


def test_other_settings_are_refused_or_start_anew(photos: Path, tmp_path: Path) -> None:
    config = CompareConfig(masks=("center",), size=48, limit=1)
    compare([photos / "photo0.png"], ["telea"], tmp_path, config)
    other = CompareConfig(masks=("center",), size=32, limit=1)
    with pytest.raises(ValueError, match=r"size: 48, now 32.*start anew"):
        compare([photos / "photo0.png"], ["telea"], tmp_path, other)
    (tmp_path / "mine.txt").write_text("keep")
    again = evaluate([photos / "photo0.png"], "telea", tmp_path, other, overwrite=True)
    assert again["cases"][0]["height"] == 32
    assert len(list((tmp_path / "masks").iterdir())) == 1
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_methods_that_are_refused_leave_no_trace(tmp_path: Path) -> None:
    """A method that was new in a refused comparison stood in the journal, and was refused later."""
    journal = Journal(tmp_path / "journal.jsonl", {})
    first, second, new = odd("modest"), odd("raises"), odd("dies")
    assert [each.label for each in enter([first, second], journal)] == ["modest", "raises"]
    kept = (tmp_path / "journal.jsonl").read_bytes()
    others = [replace(each, version="2") for each in (first, second)]
    with pytest.raises(ValueError, match=r"modest: .*, now 2; raises: .*, now 2"):
        enter([new, *others], journal)
    assert (tmp_path / "journal.jsonl").read_bytes() == kept
    changed = replace(new, version="2")
    found = [(each.label, each.version) for each in enter([changed], journal)]
    assert found == [("modest", first.version), ("raises", second.version), ("dies", "2")]


def test_a_folder_with_something_else_is_left_alone(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="holds no comparison: choose another folder"):
            compare([photos], ["telea"], tmp_path, CONFIG, overwrite=overwrite)
    assert (tmp_path / "results.csv").read_text() == "mine"
    with pytest.raises(ValueError, match="got a file"):
        compare([photos], ["telea"], tmp_path / "results.csv", CONFIG)


def test_objects_are_pasted_and_removed(photos: Path, tmp_path: Path) -> None:
    config = CompareConfig(
        masks=("object",), size=None, limit=2, cutouts=write_cutouts(tmp_path / "cut")
    )
    results = compare([photos / "photo0.png"], ["telea"], tmp_path / "out", config)
    assert [(case["mask"], case["height"], case["width"]) for case in results["cases"]] == [
        ("object", 64, 80)
    ]


def test_failures_are_counted_and_the_rest_goes_on(photos: Path, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    run = _Run([photos / "photo0.png"], ["telea"], folder, CONFIG)
    run.contestants = [odd("modest"), odd("raises"), odd("dies")]
    journal = Journal(folder.journal, {})
    run.measure(journal, None)
    results = build_results(
        run.header | {"methods": ["modest", "raises", "dies"]},
        journal.rows,
        run.metrics,
        run.contestants,
        run.photos,
        [],
        folder,
    )
    modest, raises, dies = results["methods"]
    assert (modest["cases"], modest["failures"]) == (2, [])
    assert raises["cases"] == 0
    assert [item["reason"] for item in raises["failures"]] == [
        "RuntimeError: no idea what to do"
    ] * 2
    assert dies["failures"][0]["reason"] == "its process ended with status 7"
    assert all("raises" not in (pair["a"], pair["b"]) for pair in results["pairs"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"size": 8}, "size of 16 or more, got 8"), ({"seed": -1}, "seed of 0 or more, got -1")],
)
def test_settings_that_cannot_be(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompareConfig(**settings)  # type: ignore[arg-type]
