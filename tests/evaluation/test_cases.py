"""Photos and holes: the same whatever the files are called and in whatever order they come."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.evaluation.cases import (
    GRAY,
    bin_of,
    check_cutouts,
    list_cutouts,
    make_case,
    read_kinds,
)
from gatefill.evaluation.photos import list_photos, read_truth
from gatefill.images import ImageError
from gatefill.masks import HOLE_BINS
from tests.evaluation.helpers import texture, write_cutouts, write_photos


def test_photos_are_listed_below_folders_by_name(tmp_path: Path) -> None:
    write_photos(tmp_path / "in" / "deep", 2)
    write_photos(tmp_path / "in" / "report", 1)
    shutil.copy(tmp_path / "in/deep/photo1.png", tmp_path / "in/again.PNG")
    (tmp_path / "in/notes.txt").write_text("no photo")
    (tmp_path / "in/.hidden.png").write_text("no photo")
    listed = list_photos([tmp_path / "in"], leave_out=tmp_path / "in" / "report")
    assert [entry.name for entry in listed] == ["again.PNG", "deep/photo0.png", "deep/photo1.png"]
    assert [entry.problem for entry in listed] == ["", "", "the same file as again.PNG"]
    assert len({entry.sum for entry in listed}) == 2


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for seed, place in enumerate(("a", "b")):
        (tmp_path / place).mkdir()
        PIL.Image.fromarray(texture(seed)).save(tmp_path / place / "x.png")
    listed = list_photos([tmp_path / "a", tmp_path / "b" / "x.png"])
    assert [entry.name for entry in listed] == [
        (tmp_path / place / "x.png").as_posix() for place in "ab"
    ]


def test_a_limit_chooses_by_content_and_seed(tmp_path: Path) -> None:
    write_photos(tmp_path / "one", 12)
    (tmp_path / "two").mkdir()
    for number in range(12):
        shutil.copy(tmp_path / f"one/photo{number}.png", tmp_path / f"two/{(number * 7) % 12}.png")
    chosen = {
        (place, seed): {entry.sum for entry in list_photos([tmp_path / place], limit=5, seed=seed)}
        for place in ("one", "two")
        for seed in (0, 1)
    }
    assert len(chosen["one", 0]) == 5
    assert chosen["one", 0] == chosen["two", 0] != chosen["one", 1]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected photos in .*, found none"):
        list_photos([tmp_path])
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*gone"):
        list_photos([tmp_path / "gone"])
    with pytest.raises(ValueError, match="limit of 1 or more, got 0"):
        list_photos([write_photos(tmp_path)], limit=0)


def test_truth_is_the_middle_square(tmp_path: Path) -> None:
    picture = texture(0, 64, 100)
    PIL.Image.fromarray(picture).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_truth(tmp_path / "a.png", None), picture)
    np.testing.assert_array_equal(read_truth(tmp_path / "a.png", 64), picture[:, 18:82])
    half = read_truth(tmp_path / "a.png", 32)
    cells = picture[:, 18:82].reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(half - cells).max() <= 0.51
    with pytest.raises(ValueError, match="smaller than 65 pixels: it is 100 x 64"):
        read_truth(tmp_path / "a.png", 65)


def test_gray_deep_and_transparent_photos(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((20, 20), 40000, np.uint16)).save(tmp_path / "deep.png")
    assert (read_truth(tmp_path / "deep.png", None) == round(40000 / 257)).all()
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[:10, :, 3] = 255
    PIL.Image.fromarray(rgba).save(tmp_path / "clear.png")
    on_white = read_truth(tmp_path / "clear.png", None)
    assert (on_white[:10] == 0).all()
    assert (on_white[10:] == 255).all()
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    with pytest.raises(ImageError):
        read_truth(tmp_path / "broken.jpg", None)


@pytest.mark.parametrize("kind", ["brush", "box", "lama_thick", "center", "irregular"])
def test_the_hole_hides_what_is_to_be_found(tmp_path: Path, kind: str) -> None:
    entry = list_photos([write_photos(tmp_path, 1)])[0]
    truth = read_truth(entry.path, None)
    case = make_case(entry, truth, kind, 0)
    assert (case.given[case.mask] == GRAY).all()
    np.testing.assert_array_equal(case.given[~case.mask], truth[~case.mask])
    assert 0 < case.share < 1
    np.testing.assert_array_equal(make_case(entry, truth, kind, 0).mask, case.mask)


def test_holes_follow_content_and_seed_and_kind(tmp_path: Path) -> None:
    write_photos(tmp_path / "one", 2)
    (tmp_path / "two").mkdir()
    shutil.copy(tmp_path / "one/photo0.png", tmp_path / "two/zebra.png")
    first, second = list_photos([tmp_path / "one"])
    renamed = list_photos([tmp_path / "two"])[0]
    truth = read_truth(first.path, None)

    def mask(entry: object, kind: str = "brush", seed: int = 0) -> bytes:
        return make_case(entry, truth, kind, seed).mask.tobytes()  # type: ignore[arg-type]

    assert mask(first) == mask(renamed)
    assert len({mask(first), mask(second), mask(first, seed=1), mask(first, "box")}) == 4


def test_an_object_is_pasted_into_its_hole_only(tmp_path: Path) -> None:
    cutouts = list_cutouts(write_cutouts(tmp_path / "cut"))
    entry = list_photos([write_photos(tmp_path / "in", 1)])[0]
    truth = read_truth(entry.path, None)
    case = make_case(entry, truth, "object", 3, cutouts)
    changed = (case.given != truth).any(axis=2)
    assert changed.any()
    assert not (changed & ~case.mask).any()


def test_kinds_of_masks_are_checked(tmp_path: Path) -> None:
    cutouts = [tmp_path / "x.png"]
    assert read_kinds(["lama_thick", "object"], cutouts) == ["lama_thick", "object"]
    for names, paths, message in (
        (["brsh"], [], "got 'brsh'; did you mean brush"),
        (["thick"], [], "got 'thick'; did you mean lama_thick"),
        (["box", "box"], [], "each kind of mask once, got box 2 times"),
        ([], [], "at least one kind of mask"),
        (["object"], [], "expected a folder of cut-outs"),
        (["box"], cutouts, "kind 'object' only"),
    ):
        with pytest.raises(ValueError, match=message):
            read_kinds(names, paths)


def test_cutouts_must_have_alpha(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        list_cutouts(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        list_cutouts(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"with alpha, got one without: .*photo0"):
        check_cutouts(list_cutouts(write_photos(tmp_path, 1)))


@given(st.floats(1e-6, 1))
def test_every_share_has_a_bin(share: float) -> None:
    name = bin_of(share)
    low, high = HOLE_BINS.get(name, (0.6, 1.0))
    assert low < share <= high
