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


def test_the_file_says_where_it_comes_from() -> None:
    info = read_header(shipped_weights("compact"))
    assert info.method == "deepfill_v2"
    assert info.parameters == 1_017_954
    assert info.provenance.licence == "Apache-2.0"
    assert "gatefill train deepfill-v2-laptop" in info.provenance.source
    assert info.file_bytes < 5e6


def test_a_file_of_that_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_weights("compact") == shipped_weights("compact")
    assert find_weights("other") == Path("other")
    assert find_weights("folder/compact") == Path("folder/compact")
    (tmp_path / "compact").write_bytes(b"mine")
    assert find_weights("compact") == Path("compact")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="one of compact, got 'large'"):
        shipped_weights("large")


def test_info_takes_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "compact", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["method"] == "deepfill_v2"


def test_they_know_more_than_a_smooth_continuation() -> None:
    """Of all holes together the error is below Telea's, on the photos that training left out."""
    errors = []
    network = gatefill.load("deepfill_v2")
    for path in sorted((EXAMPLES / "photos").glob("*.jpg")):
        photo = cv2.resize(cv2.imread(str(path)), (360, 180), interpolation=cv2.INTER_AREA)
        mask = np.zeros(photo.shape[:2], bool)
        mask[50:130, 140:220] = True
        telea = cv2.inpaint(photo, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA)
        ours = np.asarray(network(photo[..., ::-1].copy(), mask))[..., ::-1]
        errors.append([np.abs(fill.astype(int) - photo)[mask].mean() for fill in (ours, telea)])
    mean, smooth = np.mean(errors, axis=0)
    assert mean < smooth
