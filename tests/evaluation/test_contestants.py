"""Who can take part: labels, methods of one's own, other programs' pictures, masks from folders."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from gatefill.cli import run
from gatefill.errors import ConfigError, DataError, GatefillError
from gatefill.evaluation import CompareConfig, compare
from gatefill.evaluation.contestants import contestants
from gatefill.evaluation.report.page import command
from tests.evaluation.helpers import texture, write_photos

BOX = CompareConfig(masks=("center",), size=48)
GRAYS = {"old": 90, "new": 150}

GRAY = """
import numpy as np
from gatefill.methods import Fill, MethodInfo

class Gray:
    info = MethodInfo("gray", "Flat gray", "none", False, False, True, False)
    def fill(self, image, mask, sketch=None, progress=None, *, search=None):
        return Fill(np.full_like(image, 0.25))

class Bare:
    pass

class Broken:
    def __init__(self):
        self.nothing.there
"""


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_photos(tmp_path / "photos", 2)


def values(results: dict[str, Any], label: str, metric: str = "hole_l1") -> list[float]:
    return [case["results"][label]["values"][metric] for case in results["cases"]]


def test_a_method_of_ones_own_takes_part(
    photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("graymethod.py").write_text(GRAY)
    results = compare([photos], ["graymethod:Gray", "flat=graymethod:Gray"], "out", BOX)
    assert [method["label"] for method in results["methods"]] == ["Gray", "flat"]
    assert results["methods"][0]["title"] == "Flat gray"
    truth = cv2.resize(texture(0)[:, 8:72], (48, 48), interpolation=cv2.INTER_AREA)
    hole = np.asarray(PIL.Image.open(f"out/masks/{results['cases'][0]['key']}.png")) > 0
    expected = np.abs(truth[hole] / 255 - 64 / 255).mean() * 100
    assert values(results, "Gray")[0] == pytest.approx(expected, rel=1e-5)
    assert values(results, "flat") == values(results, "Gray")
    assert "--methods Gray=graymethod:Gray flat=graymethod:Gray" in command(results)
    changed = Path("graymethod.py")
    changed.write_text(GRAY.replace("0.25", "0.5"))
    assert contestants(["graymethod:Gray"])[0].version != results["methods"][0]["version"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gone:Class", "expected a method, a folder of pictures or module:Class, got 'gone:Class'"),
        ("graymethod:Green", "expected a class of graymethod, got 'Green'"),
        ("graymethod:Bare", "expected graymethod:Bare to make a method, with info and fill"),
        ("telea:w.safetensors", "telea"),
        ("mine=teela", "got 'teela'; did you mean telea"),
    ],
)
def test_what_is_no_method_is_one_line(
    spec: str, message: str, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert photos.is_dir()
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("graymethod.py").write_text(GRAY)
    with pytest.raises(ConfigError, match=message):
        contestants([spec])


def test_an_error_inside_ones_own_class_is_not_hidden(
    photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert photos.is_dir()
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("graymethod.py").write_text(GRAY)
    with pytest.raises(AttributeError, match="nothing"):
        contestants(["graymethod:Broken"])


def test_weights_that_come_with_gatefill_are_taken_by_name() -> None:
    small, large = contestants(["deepfill_v2:compact", "large=deepfill_v2:standard"])
    assert (small.label, large.label) == ("deepfill_v2:compact", "large")
    assert small.version != large.version
    with pytest.raises(FileNotFoundError, match="no such file: other"):
        contestants(["deepfill_v2:other"])


def test_labels_tell_contestants_apart(photos: Path) -> None:
    results = compare([photos], ["one=telea", "two=navier_stokes"], "out", BOX)
    assert [method["label"] for method in results["methods"]] == ["one", "two"]
    assert "--methods one=telea two=navier_stokes --masks" in command(results)
    with pytest.raises(ConfigError, match="expected each method once, got telea 2 times"):
        contestants(["telea", "telea"])
    with pytest.raises(ConfigError, match="got a b 2 times"):
        contestants(["a b=telea", "a-b=navier_stokes"])  # their files would have one name


def test_what_is_saved_can_be_filled_elsewhere_and_compared(photos: Path) -> None:
    """The pictures of another program, made from the saved inputs, reach what the method does."""
    config = CompareConfig(masks=("center", "brush"), size=48, save=True)
    first = compare([photos], ["telea"], "out", config)
    Path("theirs").mkdir()
    for case in first["cases"]:
        folder = Path("out/saved") / case["key"]
        given, mask, truth, filled = (
            np.asarray(PIL.Image.open(folder / f"{name}.png"))
            for name in ("given", "mask", "truth", "of-telea")
        )
        assert truth.shape == (48, 48, 3)
        hole = mask > 0
        np.testing.assert_array_equal(given[~hole], truth[~hole])
        np.testing.assert_array_equal(filled[~hole], truth[~hole])
        assert (given[hole] == 127).all()
        theirs = cv2.inpaint(given, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)
        theirs[~hole] //= 2  # known pixels are taken from the photo
        PIL.Image.fromarray(theirs).save(f"theirs/{case['key']}.png")
    added = compare([photos], ["mine=theirs"], "out", config)
    assert [method["label"] for method in added["methods"]] == ["telea", "mine"]
    for metric in ("hole_l1", "psnr", "swd"):
        assert values(added, "mine", metric) == values(added, "telea", metric)
        assert values(added, "telea", metric) == values(first, "telea", metric)
    assert [item["method"] for item in added["run"]["timing"]] == ["telea"]
    assert [method["semantic"] for method in added["methods"]] == [False, None]
    pairs = [pair for pair in added["pairs"] if pair["metric"] == "hole_l1"]
    assert {(pair["a"], pair["b"]) for pair in pairs} == {("telea", "mine")}


def test_pictures_are_found_by_the_photos_names(photos: Path) -> None:
    truths = {}
    for name in ("plain", "kinds"):
        Path(name).mkdir()
    for number in range(2):
        truths[number] = cv2.resize(
            texture(number)[:, 8:72], (48, 48), interpolation=cv2.INTER_AREA
        )
        PIL.Image.fromarray(truths[number]).save(f"plain/photo{number}.png")
        PIL.Image.fromarray(truths[number]).save(f"kinds/photo{number}_center.png")
    results = compare([photos], ["plain", "kinds"], "out", BOX)
    assert values(results, "plain") == values(results, "kinds") == [0, 0]


def test_missing_and_misfit_pictures_are_failures(photos: Path) -> None:
    Path("theirs").mkdir()
    PIL.Image.fromarray(texture(0)).save("theirs/photo0.png")
    results = compare([photos], ["theirs"], "out", BOX)
    wrong, missing = results["methods"][0]["failures"]
    assert wrong["reason"] == "expected photo0.png as 48 x 48, got 80 x 64"
    assert missing["reason"].startswith("no picture is named ")
    assert missing["reason"].endswith(" or photo1.png")
    Path("empty").mkdir()
    with pytest.raises(DataError, match="expected the pictures of empty in empty, found none"):
        contestants(["empty"])


def test_a_method_is_measured_again_in_its_place(photos: Path) -> None:
    """As with newer weights: the other methods keep their results, and the order stays."""
    given = {name: np.full((48, 48, 3), value, np.uint8) for name, value in GRAYS.items()}

    def paint(name: str) -> None:
        Path("theirs").mkdir(exist_ok=True)
        for number in range(2):
            PIL.Image.fromarray(given[name]).save(f"theirs/photo{number}.png")

    paint("old")
    before = compare([photos], ["None=theirs", "telea"], "out", BOX)
    paint("new")
    with pytest.raises(ConfigError, match="None: "):
        compare([photos], ["None=theirs"], "out", BOX)
    after = compare([photos], ["None=theirs"], "out", BOX, again=True)
    assert [method["label"] for method in after["methods"]] == ["None", "telea"]
    assert values(after, "telea") == values(before, "telea")
    assert after["run"]["timing"] == before["run"]["timing"]
    assert len(values(after, "None")) == len(values(before, "None")) == 2
    assert values(after, "None") != values(before, "None")
    alone = compare([photos], ["None=theirs"], "alone", BOX)
    assert values(after, "None") == values(alone, "None")
    kept = Path("out/journal.jsonl").read_bytes()
    assert compare([photos], ["None=theirs"], "out", BOX)["methods"] == after["methods"]
    assert Path("out/journal.jsonl").read_bytes() == kept


def test_what_cannot_be_loaded_costs_no_earlier_results(
    photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("graymethod.py").write_text(GRAY)
    compare([photos], ["graymethod:Gray"], "out", BOX)
    kept = Path("out/journal.jsonl").read_bytes()
    fails = """
    def __init__(self):
        import multiprocessing
        if multiprocessing.parent_process():
            raise RuntimeError("out of order")
"""
    Path("graymethod.py").write_text(GRAY.replace("\n    def fill", f"{fails}    def fill"))
    sys.modules.pop("graymethod")
    with pytest.raises(ConfigError, match=r"Gray cannot be loaded: .*out of order"):
        compare([photos], ["graymethod:Gray"], "out", BOX, again=True)
    assert Path("out/journal.jsonl").read_bytes() == kept


def test_methods_are_added_only_to_the_same_comparison(photos: Path) -> None:
    compare([photos], ["telea"], "out", BOX)
    with pytest.raises(ConfigError, match="size: 48, now 32"):
        compare([photos], ["navier_stokes"], "out", CompareConfig(masks=("center",), size=32))
    journal = Path("out/journal.jsonl")
    Path("theirs").mkdir()
    for number in range(2):
        shutil.copy(photos / f"photo{number}.png", "theirs")
    compare([photos], ["theirs"], "out", BOX)
    PIL.Image.fromarray(texture(7)).save("theirs/photo0.png")
    before = journal.read_bytes()
    with pytest.raises(ConfigError, match=r"theirs: 2 pictures, \w+, now 2 pictures"):
        compare([photos], ["theirs"], "out", BOX)
    assert journal.read_bytes() == before


def write_mask(path: Path, box: tuple[slice, slice], shape: tuple[int, int] = (64, 80)) -> None:
    path.parent.mkdir(exist_ok=True)
    mask = np.zeros(shape, np.uint8)
    mask[box] = 255
    PIL.Image.fromarray(mask).save(path)


def test_masks_from_a_folder_go_by_name(photos: Path) -> None:
    write_mask(Path("masks/photo0.png"), (slice(10, 20), slice(30, 50)))
    write_mask(Path("masks/photo1_mask.png"), (slice(0, 64), slice(0, 6)))
    Path("photos/more").mkdir()
    PIL.Image.fromarray(texture(5)).save("photos/more/extra.png")
    config = CompareConfig(masks=("masks", "center"), size=None)
    results = compare([photos], ["telea"], "out", config)
    shares = {(case["photo"], case["mask"]): case["share"] for case in results["cases"]}
    assert shares["photo0.png", "masks"] == pytest.approx(200 / 5120, rel=1e-4)
    assert shares["photo1.png", "masks"] == pytest.approx(6 / 80, rel=1e-4)
    assert ("more/extra.png", "center") in shares
    assert ("more/extra.png", "masks") not in shares
    assert {
        "photo": "more/extra.png",
        "reason": "masks: no mask in masks is named after it",
    } in results["problems"]
    # cut to the square and scaled, as the photo is
    small = compare([photos], ["telea"], "small", CompareConfig(masks=("masks",), size=32))
    assert small["cases"][0]["share"] == pytest.approx(200 / 4096, rel=0.05)
    assert {"photo": "photo1.png", "reason": (
        "masks: photo1_mask.png covers nothing of the square that is compared"
    )} in small["problems"]  # fmt: skip
    again = compare([photos], ["telea"], "small", CompareConfig(masks=("masks",), size=32))
    assert again["cases"] == small["cases"]


def test_a_set_of_masks_is_drawn_from(photos: Path) -> None:
    for number in range(20):
        write_mask(Path(f"irregular/{number:05}.png"), (slice(0, 2 + number), slice(0, 40)))
    config = CompareConfig(masks=("irregular",), size=48)
    shares = [case["share"] for case in compare([photos], ["telea"], "a", config)["cases"]]
    assert shares[0] != shares[1]
    write_mask(Path("irregular/new.png"), (slice(0, 2), slice(0, 2)))
    with pytest.raises(GatefillError, match="mask_files"):
        compare([photos], ["telea"], "a", config)


def test_the_verb_takes_all_of_it(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mask(Path("masks/photo0.png"), (slice(20, 40), slice(30, 50)))
    arguments = ["compare", str(photos), "--methods", "quick=telea", "--masks", "masks"]
    arguments += ["--size", "native", "--large", "whole", "--save", "-o", "out", "--json"]
    assert run(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cases"] == 1
    assert {item["method"] for item in answer["summary"]} == {"quick"}
    (folder,) = Path("out/saved").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        "truth.png",
        "given.png",
        "mask.png",
        "of-quick.png",
    }
    results = json.loads(Path("out/results.json").read_text("utf-8"))
    assert "--size native --seed 0 --large whole -o report" in command(results)
    assert run(["compare", str(photos), "--methods", "telea", "--masks", "nothing", "-o", "x"]) == 2
    assert "got 'nothing'" in capsys.readouterr().err
