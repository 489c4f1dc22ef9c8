"""The command line: what it does, what it says, and how it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gatefill
from gatefill import terminal
from gatefill.cli import run
from gatefill.masks import MASKS, hole_share


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(PIL.Image.open(path))


def failing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run into an error of the user's: status 2, one line on stderr, nothing on stdout."""
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("gatefill: ")
    assert said.err.count("\n") == 1
    return said.err


# inpaint


def test_inpaint_writes_beside_the_photo(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in").mkdir()
    (folder / "photo.png").rename(folder / "in" / "photo.png")
    assert run(["inpaint", "in/photo.png", "mask.png"]) == 0
    hole = pixels("mask.png") > 0
    filled, photo = pixels("in/photo_filled.png"), pixels("in/photo.png")
    np.testing.assert_array_equal(filled[~hole], photo[~hole])
    assert (filled[hole] != photo[hole]).any()
    said = capsys.readouterr().out
    assert re.fullmatch(r"in/photo_filled\.png  \(hybrid, \d+\.\d s\)\n", said)
    assert run(["inpaint", "in/photo.png", "mask.png"]) == 0, "a second run replaces its output"


@pytest.mark.usefixtures("folder")
def test_inpaint_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inpaint", "photo.png", "mask.png", "-o", "out.jpg", "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert said.out.count("\n") == 1
    assert answer.pop("seconds") > 0
    assert answer == {
        "output": "out.jpg",
        "method": "hybrid",
        "width": 64,
        "height": 48,
        "hole_pixels": 80,
        "warnings": [
            {
                "code": "file.lossy",
                "text": "photo.png: a lossless photo is written as lossy JPEG: known pixels "
                "change, too",
                "values": {"name": "photo.png"},
            }
        ],
    }
    assert PIL.Image.open("out.jpg").format == "JPEG"


@pytest.mark.usefixtures("folder")
def test_inpaint_passes_its_options_on(capsys: pytest.CaptureFixture[str]) -> None:
    inverted = 255 - pixels("mask.png")[::2, ::2]
    PIL.Image.fromarray(inverted).save("small.png")
    search = np.zeros((48, 64), np.uint8)
    search[:, :25] = 255
    PIL.Image.fromarray(search).save("search.png")
    line = "inpaint photo.png small.png -o out.png --invert-mask --resize-mask --grow 1 --json"
    line += " --search search.png --large whole --seed 5 --set patchmatch.patch_size=5"
    assert run(line.split()) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["hole_pixels"] > 80
    assert run([*line.split(), "--feather", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["hole_pixels"] > answer["hole_pixels"]
    assert run([*line.split(), "--feather", "100"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["hole_pixels"] == answer["hole_pixels"]
    assert "mask.feather" in [each["code"] for each in json.loads(told.out)["warnings"]]
    assert "pixels fit (--feather)" in told.err


def test_options_of_inpaint_change_what_is_filled(folder: Path) -> None:
    """--seed, --set and --search reach the method."""
    dice = np.random.default_rng(2)
    photo = dice.integers(0, 100, (96, 128, 3), np.uint8)
    photo[:, 64:, 2] += 150  # the right half is blue
    mask = np.zeros((96, 128), np.uint8)
    mask[30:60, 50:80] = 255
    right = np.zeros_like(mask)
    right[:, 84:] = 255
    for name, each in (("p.png", photo), ("m.png", mask), ("right.png", right)):
        PIL.Image.fromarray(each).save(folder / name)

    def filled(*options: str) -> np.ndarray:
        line = ["inpaint", "p.png", "m.png", "-o", "o.png", "-m", "patchmatch", *options]
        assert run(line) == 0
        return pixels("o.png")[mask > 0]

    plain = filled("--seed", "1")
    np.testing.assert_array_equal(filled("--seed", "1"), plain)
    assert (filled("--seed", "2") != plain).any()
    assert (filled("--seed", "1", "--set", "patch_size=5") != plain).any()
    assert plain[:, 2].min() < 100, "material of both halves"
    assert filled("--search", "right.png")[:, 2].min() > 110, "material of the right half only"


@pytest.mark.usefixtures("folder")
def test_an_empty_mask_gives_the_photo_and_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    PIL.Image.new("L", (64, 48)).save("empty.png")
    assert run(["inpaint", "photo.png", "empty.png", "-o", "out.png"]) == 0
    np.testing.assert_array_equal(pixels("out.png"), pixels("photo.png"))
    assert capsys.readouterr().err.startswith("gatefill: warning: ")


def test_inputs_are_not_overwritten_unless_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "photo.png").read_bytes()
    for target in ("photo.png", "mask.png", "./photo.png"):
        said = failing(["inpaint", "photo.png", "mask.png", "-o", target], capsys)
        assert "is one of the input files" in said
    assert (folder / "photo.png").read_bytes() == before
    assert run(["inpaint", "photo.png", "mask.png", "-o", "photo.png", "--overwrite"]) == 0
    assert (folder / "photo.png").read_bytes() != before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("inpaint", "PHOTO"),
        ("inpaint nope.png mask.png", "no such file: nope.png"),
        ("inpaint photo.png nope.png", "no such file: nope.png"),
        ("inpaint photo.png", "no transparent part"),
        (
            "inpaint . mask.png",
            "a folder; to fill all photos in it: gatefill batch . --mask mask.png",
        ),
        ("inpaint photo.png mask.png -o out.gif", "expected an output that ends in one of"),
        ("inpaint photo.png mask.png -o no/out.png", "no such folder"),
        ("inpaint photo.png mask.png --method patchmach", "did you mean patchmatch?"),
        ("inpaint photo.png mask.png --set patchsize=3", "did you mean patchmatch.patch_size?"),
        ("inpaint photo.png mask.png --set patchmatch.patch_size=x", "expected a whole number"),
        ("inpaint photo.png mask.png --set patch_size", "KEY=VALUE"),
        ("inpaint photo.png mask.png --large half", "crop"),
        ("inpaint photo.png mask.png --grow -1", "0 pixels or more, got -1"),
        ("inpaint photo.png mask.png --max-pixels 100", "3,072"),
        ("inpaint photo.png mask.png --invert", "--invert"),
        ("inpaint photo.png mask.png third.png", "third.png"),
        ("frobnicate", "frobnicate"),
        ("masks out --kind brsh", "did you mean brush?"),
        ("masks out --size 3", "such as 680x512, got '3'"),
        ("masks out --size 0x9", "expected a size from 1x1"),
        ("masks out --size 99999x99999", "got 99999x99999"),
        ("masks out --bin 30", "such as 10-20, got '30'"),
        ("masks out --kind center --bin 30-40", "this kind gave 25.0% to 25.0%"),
        ("masks out --count 0", "a count of 1 or more, got 0"),
        ("masks out --seed -4", "a seed of 0 or more, got -4"),
        ("masks out --kind object", "--cutout FILE"),
        ("masks out --kind object --cutout photo.png", "with alpha, got one without"),
        ("masks out --cutout photo.png", "with kind 'object' only"),
        ("masks photo.png", "expected a folder to write into, got a file"),
        ("masks .", "is not empty"),
    ],
)
def test_wrong_input_ends_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    files = set(folder.iterdir())
    assert message in failing(line.split(), capsys)
    assert set(folder.iterdir()) == files, "nothing may be left behind"


TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=12)


@pytest.mark.usefixtures("folder")
@given(st.sampled_from(["--size", "--bin", "--kind", "--seed", "--cutout"]), TEXTS)
@settings(max_examples=150)
def test_no_value_of_masks_ends_in_a_traceback(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    status = run(["masks", "out", "--count", "1", "--overwrite", f"{option}={value}"])
    assert status in (0, 2)
    if status == 2:
        assert capsys.readouterr().err.strip().count("\n") == 0


@pytest.mark.usefixtures("folder")
@given(st.sampled_from(["--set", "--method", "--large", "--grow", "--max-pixels", "-o"]), TEXTS)
@settings(max_examples=150)
def test_no_value_of_inpaint_ends_in_a_traceback(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    # The photo is missing, so that nothing can be written; all else is checked before or after.
    status = run(["inpaint", "gone.png", "mask.png", option, value])
    assert status in (0, 2), "0: the value was --help"
    if status == 2:
        assert capsys.readouterr().err.strip().count("\n") == 0


def test_a_bug_is_owned_and_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.explain(TypeError("two\nlines")) == 1
    said = capsys.readouterr().err
    assert said == (
        "gatefill: this is a bug, please report it: TypeError: two lines; --debug shows where\n"
    )


@pytest.mark.usefixtures("folder")
def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inpaint", "nope.png", "mask.png", "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("gatefill: no such file: nope.png\n")


@pytest.mark.usefixtures("folder")
def test_log_messages_are_shown_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """JPEG cannot hold alpha, which `images` logs."""
    rgba = np.dstack([pixels("photo.png"), np.full((48, 64), 128, np.uint8)])
    PIL.Image.fromarray(rgba).save("rgba.png")
    assert run(["inpaint", "rgba.png", "mask.png", "-o", "out.jpg", "--json"]) == 0
    said = capsys.readouterr()
    assert "gatefill: warning: rgba.png: JPEG has no transparency" in said.err
    json.loads(said.out)


# masks and methods


@pytest.mark.usefixtures("folder")
def test_masks_writes_a_folder_and_a_contact_sheet(capsys: pytest.CaptureFixture[str]) -> None:
    line = "masks deep/out --kind brush --count 9 --size 60x40 --bin 10-20 --seed 3 --json"
    assert run(line.split()) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["folder"] == "deep/out"
    assert len(answer["masks"]) == 9
    for name, share in zip(answer["masks"], answer["hole_shares"], strict=True):
        mask = pixels(f"deep/out/{name}")
        assert mask.shape == (40, 60)
        assert set(np.unique(mask)) == {0, 255}
        assert 0.1 < share <= 0.2
        assert share == pytest.approx(hole_share(mask > 0), abs=1e-6)
    sheet = pixels(answer["contact_sheet"])
    assert sheet.shape == (2 * (85 + 6) + 6, 8 * (128 + 6) + 6)
    assert Path("deep/out/contact_sheet.png").is_file()
    first = pixels("deep/out/mask_00000.png")
    assert run(["masks", "again", *line.split()[2:]]) == 0
    np.testing.assert_array_equal(pixels("again/mask_00000.png"), first)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("kind", sorted(MASKS))
@pytest.mark.parametrize("size", ["1x1", "1x300", "64x64"])
def test_every_kind_can_be_written(
    capsys: pytest.CaptureFixture[str], kind: str, size: str
) -> None:
    assert run(["masks", "out", "--kind", kind, "--count", "2", "--size", size]) == 0
    assert len(list(Path("out").iterdir())) == 3
    assert "2 masks in out, mean hole share" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_object_masks_from_a_cutout() -> None:
    rgba = np.zeros((30, 30, 4), np.uint8)
    rgba[5:25, 10:20] = 255
    PIL.Image.fromarray(rgba).save("cutout.png")
    line = "masks out --kind object --cutout cutout.png --count 3 --size 90x90"
    assert run(line.split()) == 0
    mask = pixels("out/mask_00001.png") > 0
    assert 0.01 < hole_share(mask) < 0.5


def test_methods_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["methods"]) == 0
    table = capsys.readouterr().out
    assert re.search(r"patchmatch +no +yes +yes +yes +- +none", table)
    assert run(["methods", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["methods"]}
    assert set(rows) == set(gatefill.METHODS)
    assert rows["patchmatch"]["free_form"] is True
    assert rows["patchmatch"]["installed"] is True


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_names_the_verbs(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    said = capsys.readouterr().out
    for word in ("inpaint", "masks", "methods", "--version", "GATEFILL_DEBUG"):
        assert word in said


@pytest.mark.parametrize("verb", ["inpaint", "masks", "methods"])
def test_help_explains_each_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Usage: gatefill {verb}" in said
    assert "--json" in said
    if verb == "masks":
        for kind in [*MASKS, "object"]:
            assert kind in said


@pytest.mark.usefixtures("folder")
def test_set_keeps_the_weights_of_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    fills = {}
    for finish in ("true", "false"):
        line = f"inpaint photo.png mask.png -m deepfill_v2 --set finish={finish} -o {finish}.png"
        assert run([*line.split(), "--overwrite", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["warnings"] == []
        fills[finish] = pixels(f"{finish}.png")[20:28, 30:40].astype(int)
    assert run(["inpaint", "photo.png", "mask.png", "-m", "deepfill_v2", "-o", "default.png"]) == 0
    np.testing.assert_array_equal(pixels("default.png")[20:28, 30:40], fills["true"])
    apart = np.abs(fills["true"] - fills["false"])
    assert 0 < apart.mean() < 30, "another finish, the same network"
    capsys.readouterr()
    for more, said in (
        ("--set width=8", "unknown setting 'width' of NetworkOptions"),
        ("--seed 3", "expected no random seed for deepfill_v2"),
    ):
        assert run(f"inpaint photo.png mask.png -m deepfill_v2 {more}".split()) == 2
        assert said in capsys.readouterr().err
