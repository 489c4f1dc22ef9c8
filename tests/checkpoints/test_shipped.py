"""The weights that come with the package: there, whole, and taken by their name."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import gatefill
from gatefill.checkpoints import find_weights, read_header, shipped_weights
from gatefill.cli import run
from gatefill.evaluation.metrics import Pair, hole_l1, rim_l1, sliced_wasserstein
from gatefill.methods import METHODS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("name", [name for name, info in METHODS.items() if info.shipped])
def test_a_method_takes_its_shipped_weights_by_itself_and_by_name(name: str) -> None:
    shipped = METHODS[name].shipped
    assert shipped is not None
    photo, mask = EXAMPLES / "marsh.jpg", EXAMPLES / "marsh_mask.png"
    fills = [
        np.asarray(gatefill.load(name, weights=weights)(photo, mask))
        for weights in (None, shipped, shipped_weights(shipped))
    ]
    assert np.array_equal(fills[0], fills[1])
    assert np.array_equal(fills[0], fills[2])


@pytest.mark.parametrize(
    ("name", "parameters", "most_bytes"),
    [("compact", 1_017_954, 5e6), ("guide", 409_929, 2e6), ("standard", 4_053_678, 9e6)],
)
def test_the_file_says_where_it_comes_from(name: str, parameters: int, most_bytes: float) -> None:
    info = read_header(shipped_weights(name))
    assert info.method == "deepfill_v2"
    assert info.parameters == parameters
    assert info.provenance.license == "Apache-2.0"
    assert "gatefill train deepfill-v2-" in info.provenance.source
    assert info.file_bytes < most_bytes


def test_a_file_of_that_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_weights("compact") == shipped_weights("compact")
    assert find_weights("other") == Path("other")
    assert find_weights("folder/compact") == Path("folder/compact")
    (tmp_path / "compact").write_bytes(b"mine")
    assert find_weights("compact") == Path("compact")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="one of compact, guide, standard, got 'large'"):
        shipped_weights("large")


def test_info_tells_of_exported_networks_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["info", str(shipped_weights("standard").with_suffix(".onnx"))]) == 0
    said = capsys.readouterr().out
    for words in ("ONNX for gatefill, float16", "deepfill_v2", "guided=True", "Apache-2.0"):
        assert words in said
    (tmp_path / "other.onnx").write_bytes(b"nothing")
    assert run(["info", str(tmp_path / "other.onnx")]) == 2
    assert "expected a network exported by gatefill" in capsys.readouterr().err


def test_info_takes_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "compact", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["method"] == "deepfill_v2"


@pytest.mark.parametrize("name", ["hills2", "mountain4", "beach6"])
def test_outlines_go_where_the_sketch_has_lines(name: str) -> None:
    photo = cv2.resize(cv2.imread(str(EXAMPLES / "photos" / f"{name}.jpg")), (320, 224))
    mask = np.zeros(photo.shape[:2], bool)
    mask[70:160, 90:230] = True
    network = gatefill.load("deepfill_v2")
    plain = np.asarray(network(photo, mask))
    assert np.array_equal(plain, np.asarray(network(photo, mask, sketch=np.zeros_like(mask))))
    lines = [(84, 150), (150, 90), (236, 150)], [(84, 140), (236, 90)]
    fills, edges = [], []
    for points in lines:
        sketch = cv2.polylines(np.zeros(mask.shape, np.uint8), [np.array(points)], False, 255, 2)
        fill = np.asarray(network(photo, mask, sketch=sketch > 0))
        fills.append(fill.astype(float))
        inner = (sketch > 0) & (cv2.erode(mask.astype(np.uint8), np.ones((9, 9))) > 0)
        edges.append(steepness(fill)[inner].mean() / steepness(plain)[inner].mean())
    assert abs(fills[0] - fills[1])[mask].mean() > 4  # levels of 255
    assert min(edges) > 1.2, edges


def steepness(picture: np.ndarray) -> np.ndarray:
    """How much each pixel differs from those a little above and below."""
    gray = cv2.GaussianBlur(picture.mean(axis=2), (0, 0), 1.5)
    return np.asarray(abs(np.roll(gray, 3, axis=0) - np.roll(gray, -3, axis=0)))


@pytest.fixture(scope="module")
def fills() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Truth, hole, the network's fill and Telea's, of the photos that training left out."""
    network = gatefill.load("deepfill_v2")
    found = []
    for path in sorted((EXAMPLES / "photos").glob("*.jpg")):
        photo = cv2.resize(cv2.imread(str(path)), (360, 180), interpolation=cv2.INTER_AREA)
        mask = np.zeros(photo.shape[:2], bool)
        mask[50:130, 140:220] = True
        telea = cv2.inpaint(photo, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA)
        ours = np.asarray(network(photo[..., ::-1].copy(), mask))[..., ::-1]
        found.append((photo, mask, np.ascontiguousarray(ours), telea))
    return found


Fills = list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def test_they_know_more_than_a_smooth_continuation(fills: Fills) -> None:
    """Of all holes together the error is below Telea's."""
    errors = [[hole_l1(Pair(truth, fill, mask)) for fill in both] for truth, mask, *both in fills]
    ours, smooth = np.mean(errors, axis=0)
    assert ours < smooth


def test_their_texture_is_closer_to_the_truth_than_a_smooth_one(fills: Fills) -> None:
    distances = [
        [sliced_wasserstein(Pair(truth, fill, mask)) for fill in both]
        for truth, mask, *both in fills
    ]
    ours, smooth = np.mean(np.array(distances, float), axis=0)
    assert ours < smooth


def test_their_texture_is_no_pattern(fills: Fills) -> None:
    """Deep in the hole no frequency stands out of its ring more than in photos."""
    taper = np.outer(np.hanning(32), np.hanning(32))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    rings = [(radius >= least) & (radius < least + 0.05) for least in (0.1, 0.15, 0.2, 0.25)]

    def peak(picture: np.ndarray) -> float:
        gray = picture[54:126, 144:216].mean(axis=2)
        windows = np.lib.stride_tricks.sliding_window_view(gray, (32, 32))[::8, ::8]
        tapered = (windows - windows.mean(axis=(2, 3), keepdims=True)) * taper
        power = np.abs(np.fft.fft2(tapered)) ** 2
        peaks = [power[..., ring].max(-1) / power[..., ring].mean(-1) for ring in rings]
        return float(np.mean(peaks))

    ours, truth = np.mean([[peak(fill), peak(truth)] for truth, _, fill, _ in fills], axis=0)
    assert ours < 1.1 * truth


def test_no_seam_shows_at_the_rim(fills: Fills) -> None:
    """Along it the error is hardly more than that of a method that only continues the photo."""
    errors = [[rim_l1(Pair(truth, fill, mask)) for fill in both] for truth, mask, *both in fills]
    ours, smooth = np.mean(np.array(errors, float), axis=0)
    assert ours < 1.25 * smooth
