"""References by other packages, behind our interface."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gatefill
from gatefill.evaluation import OUTSIDE
from gatefill.evaluation.contestants import contestants
from gatefill.evaluation.outside import create_outside, package_version
from gatefill.extras import MissingExtra
from gatefill.masks import MASKS
from tests.evaluation.helpers import texture

NAMES = sorted(OUTSIDE)


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(1, 24), st.integers(2, 24), st.integers(0, 99))
@settings(max_examples=15)
def test_any_size_is_filled_and_known_pixels_stay(
    name: str, height: int, width: int, seed: int
) -> None:
    photo, mask = texture(seed, height, width), MASKS["brush"](height, width, seed)
    inpaint = gatefill.load(create_outside(name))
    filled = np.asarray(inpaint(photo, mask))
    np.testing.assert_array_equal(filled[~mask], photo[~mask])
    np.testing.assert_array_equal(np.asarray(inpaint(photo, mask)), filled)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_sees_what_stands_in_the_hole(name: str) -> None:
    photo, mask = texture(0, 48, 48), MASKS["brush"](48, 48, 0)
    inpaint = gatefill.load(create_outside(name))
    fills = [
        np.asarray(inpaint(np.where(mask[..., None], np.uint8(level), photo), mask))[mask]
        for level in (0, 255)
    ]
    np.testing.assert_array_equal(*fills)


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_photo_is_filled_flat(name: str) -> None:
    photo = np.full((48, 48, 3), (30, 120, 200), np.uint8)
    filled = np.asarray(gatefill.load(create_outside(name))(photo, MASKS["center"](48, 48, 0)))
    assert np.abs(filled.astype(int) - photo).max() <= 5  # Telea's is off by 4


@pytest.mark.parametrize(
    ("name", "module"), [("biharmonic", "skimage"), ("pypatchmatch", "patchmatch")]
)
def test_a_missing_package_gives_the_pip_line(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra) as caught:
        create_outside(name)
    assert str(caught.value) == (
        f'{name} needs {module}, which is not installed: pip install "gatefill[outside]"'
    )


def test_specs_become_contestants() -> None:
    found = contestants(["telea", "patchmatch"])
    assert [contestant.label for contestant in found] == ["telea", "patchmatch"]
    assert found[0].version == package_version("telea")
    assert found[0].open().method.info is OUTSIDE["telea"]


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["patchmach"], "got 'patchmach'; did you mean patchmatch"),
        (["deepfill_v1"], "as deepfill_v1:FILE: without any it is noise"),
        (["telea:w.safetensors"], "no weights for telea"),
        (["patchmatch:w.safetensors"], "no weights for patchmatch"),
        (["telea", "biharmonic", "telea"], "each method once, got telea 2 times"),
        ([], "at least one method"),
    ],
)
def test_specs_that_cannot_be(specs: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        contestants(specs)


def test_weights_that_are_not_there() -> None:
    with pytest.raises(FileNotFoundError, match="no such file: gone"):
        contestants(["deepfill_v2:gone.safetensors"])


def test_an_unknown_reference() -> None:
    with pytest.raises(ValueError, match="one of telea"):
        create_outside("criminisi")
