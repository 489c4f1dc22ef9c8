"""Which photos, which masks, which outputs: nothing is filled here."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatefill.batches.items import BatchPlan
from gatefill.batches.listing import expand_braces
from gatefill.batches.places import FolderOutput, safe_name
from gatefill.batches.plan import Request, make_plan
from gatefill.errors import ConfigError, GatefillError, MaskError, OutputError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def plan(*inputs: str, output: str = "out", **options: object) -> BatchPlan:
    return make_plan(Request(inputs, output, **options))  # type: ignore[arg-type]


def pairs(found: BatchPlan) -> dict[str, str | None]:
    """Outputs and the places of their masks."""
    return {item.output: item.mask.place if item.mask else None for item in found.items}


@pytest.mark.usefixtures("here")
def test_a_folder_is_mirrored() -> None:
    touch("in/b.jpg", "in/a/c.PNG", "in/a/d.gif", "in/notes.txt", "in/.hidden/x.jpg", "in/.y.jpg")
    found = plan("in")
    assert [(item.name, item.output, item.format) for item in found.items] == [
        ("in/b.jpg", "b.jpg", ".jpg"),
        ("in/a/c.PNG", "a/c.PNG", ".PNG"),
        ("in/a/d.gif", "a/d.png", ".png"),
    ]
    assert not found.problems


@pytest.mark.usefixtures("here")
def test_names_that_collide_are_kept_apart() -> None:
    touch("in/a.jpg", "in/a.png", "in/a.gif", "in/a.gif.png")
    found = plan("in", format="png")
    assert {item.name: item.output for item in found.items} == {
        "in/a.png": "a.png",
        "in/a.gif.png": "a.gif.png",
        "in/a.jpg": "a.jpg.png",
        "in/a.gif": "a.gif~2.png",
    }
    assert {(note.name, note.code) for note in found.notes} == {
        ("in/a.jpg", "batch.renamed"),
        ("in/a.gif", "batch.renamed"),
    }
    assert plan("in", format="png").items == found.items, "the same on every run"


@pytest.mark.usefixtures("here")
def test_several_inputs_keep_apart_and_files_lose_their_common_folder() -> None:
    touch("one/x.jpg", "two/x.jpg", "far/away/a.jpg", "far/b.jpg")
    assert [item.output for item in plan("one", "two").items] == ["one/x.jpg", "two/x.jpg"]
    both = plan("far/away/a.jpg", "far/b.jpg")
    assert [item.output for item in both.items] == ["away/a.jpg", "b.jpg"]
    assert [item.output for item in plan("far/**/*.jpg").items] == ["away/a.jpg", "b.jpg"]


@pytest.mark.usefixtures("here")
def test_masks_by_name() -> None:
    touch("in/s/a.jpg", "in/b.png", "in/c.jpg", "in/d.jpg", "in/e.jpg")
    touch("m/s/a.png", "m/b_mask001.png", "m/c.jpg.mask.png", "m/d_mask1.png", "m/d_mask2.png")
    found = plan("in", masks="m")
    assert pairs(found) == {
        "s/a.jpg": "m/s/a.png",
        "b.png": "m/b_mask001.png",
        "c.jpg": "m/c.jpg.mask.png",
        "d_mask1.jpg": "m/d_mask1.png",
        "d_mask2.jpg": "m/d_mask2.png",
    }
    (problem,) = found.problems
    assert (problem.name, problem.code) == ("in/e.jpg", "mask.missing")
    assert "e.png, e_mask*.png or e.jpg.mask.png" in problem.text


@pytest.mark.usefixtures("here")
def test_masks_beside_the_photos_are_no_photos() -> None:
    touch("in/a.jpg", "in/a_mask.png", "in/b.jpg", "in/b.jpg.mask.png", "in/my_mask_party.jpg")
    touch("in/c.png")
    assert pairs(plan("in")) == {
        "a.jpg": "in/a_mask.png",
        "b.jpg": "in/b.jpg.mask.png",
        "c.png": None,
        "my_mask_party.jpg": None,
    }


@pytest.mark.usefixtures("here")
def test_masks_among_the_photos_are_left_out() -> None:
    touch("in/a.jpg", "in/masks/a.png", "in/one.png")
    assert pairs(plan("in", masks="in/masks")) == {"a.jpg": "in/masks/a.png"}
    assert set(pairs(plan("in", mask="in/one.png"))) == {"a.jpg", "masks/a.png"}


def test_a_list_names_photos_and_masks(here: Path) -> None:
    touch("in/a.jpg", "in/b.jpg", "m/a.png")
    far = here / "far" / "c.jpg"
    touch(str(far))
    Path("in/list.txt").write_text(f"a.jpg\t../m/a.png\n\n../in/b.jpg\n{far}\n")
    found = plan("in/list.txt")
    assert pairs(found) == {
        "a.jpg": "in/../m/a.png",
        "in/b.jpg": None,
        str(far).lstrip("/"): None,
    }


@pytest.mark.usefixtures("here")
def test_links_lead_nowhere_twice() -> None:
    touch("in/a/x.jpg")
    Path("in/a/up").symlink_to("..")
    Path("again").symlink_to("in")
    Path("in/b").symlink_to("a")
    Path("in/root").symlink_to("/")
    found = plan("in")
    assert [item.output for item in found.items] == ["a/x.jpg"]
    assert sorted(note.name for note in found.notes) == ["in/a/up", "in/b", "in/root"]
    assert [item.output for item in plan("again").items] == ["a/x.jpg"]


@pytest.mark.usefixtures("here")
def test_the_output_folder_is_no_input() -> None:
    touch("in/a.jpg", "in/out/b.jpg")
    assert [item.output for item in plan("in", output="in/out").items] == ["a.jpg"]
    for output in ("in", ".", "in/../in"):
        with pytest.raises(ConfigError, match="does not hold the photos"):
            plan("in", output=output)
    touch("out/a.jpg")
    Path("list.txt").write_text("out/a.jpg\n")
    Path("in/link.jpg").symlink_to("../out/a.jpg")
    found = plan("out/a.jpg", output="out")
    assert not found.items
    assert [problem.code for problem in found.problems] == ["output.inputs"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("inputs", "options", "kind", "said"),
    [
        (["nope"], {}, FileNotFoundError, "no such file or folder: nope"),
        (["x*.jpg"], {}, FileNotFoundError, "no file matches x*.jpg"),
        ([], {}, ConfigError, "expected photos, a folder or shards, got none"),
        (["empty"], {}, ConfigError, "expected photos in empty, found none"),
        (["in"], {"mask": "nope.png"}, FileNotFoundError, "no such file: nope.png"),
        (["in"], {"masks": "nope"}, MaskError, "expected a folder of masks, got nope"),
        (["in"], {"mask": "in/a.jpg", "masks": "in"}, ConfigError, "masks from one place"),
        (["in"], {"format": "gif"}, ConfigError, "expected one of the formats png"),
        (["in"], {"per_shard": 0}, ConfigError, "at least 1 photo per shard"),
        (["a-{3..1}.tar"], {}, ConfigError, "expected a rising range"),
        (["odd://x/y"], {}, GatefillError, "odd://x/y cannot be opened"),
    ],
)
def test_what_makes_no_sense_is_said(
    inputs: list[str], options: dict[str, object], kind: type[Exception], said: str
) -> None:
    touch("in/a.jpg")
    Path("empty").mkdir()
    with pytest.raises(kind) as caught:
        plan(*inputs, **options)
    assert said in str(caught.value)


def test_braces_and_names() -> None:
    assert expand_braces("a-{08..10}-{0..1}.tar") == [
        f"a-{first}-{second}.tar" for first in ("08", "09", "10") for second in (0, 1)
    ]
    for name in ("../../etc/passwd", "/etc/passwd", "./a/../etc/passwd", ".gatefill/x", "..", ""):
        found = safe_name(name)
        assert found
        assert not found.startswith(("/", ".gatefill"))
        assert ".." not in found.split("/")


def test_nothing_is_written_outside(here: Path) -> None:
    outside = here / "outside"
    outside.mkdir()
    output = FolderOutput(str(here / "out"))
    output.prepare()
    (here / "out" / "sub").symlink_to(outside)
    (outside / "precious.png").write_text("precious")
    (here / "out" / "link.png").symlink_to(outside / "precious.png")
    for name in ("sub/a.png", "sub/deep/a.png"):
        with pytest.raises(OutputError, match="expected an output inside") as caught:
            output.writing(name).__enter__()
        assert caught.value.code == "output.outside"
    with output.writing("link.png") as file:
        file.write(b"new")
    assert (outside / "precious.png").read_text() == "precious", "a link is replaced, not followed"
    assert (here / "out" / "link.png").read_bytes() == b"new"
    assert [path.name for path in outside.iterdir()] == ["precious.png"]


def test_an_output_that_fails_leaves_nothing(here: Path) -> None:
    output = FolderOutput(str(here / "out"))
    output.prepare()

    def stop_halfway() -> None:
        with output.writing("a.png") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_halfway()
    assert [path for path in (here / "out").rglob("*") if path.is_file()] == []
