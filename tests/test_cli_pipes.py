"""Pipes, names that begin with a hyphen, and the permissions of what is written."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gatefill.cli import run
from gatefill.cli.pipes import with_plain_names

GATEFILL = [sys.executable, "-m", "gatefill"]


def piped(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*GATEFILL, *arguments], input=given, capture_output=True, check=False)


def picture(data: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def test_a_photo_goes_through_a_pipe(folder: Path) -> None:
    photo, mask = ((folder / name).read_bytes() for name in ("photo.png", "mask.png"))
    assert run(["inpaint", "photo.png", "mask.png", "-m", "patchmatch", "-o", "out.png"]) == 0
    expected = (folder / "out.png").read_bytes()
    done = piped("inpaint", "-", "mask.png", "-m", "patchmatch", given=photo)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(picture(done.stdout), picture(expected))
    assert b"patchmatch" in done.stderr, "what would be said on standard output"
    done = piped("inpaint", "photo.png", "-", "-m", "patchmatch", "-o", "-", given=mask)
    np.testing.assert_array_equal(picture(done.stdout), picture(expected))
    PIL.Image.open("photo.png").save("photo.jpg")
    done = piped("inpaint", "photo.jpg", "-", "-m", "patchmatch", "-o", "-", given=mask)
    assert PIL.Image.open(io.BytesIO(done.stdout)).format == "JPEG", "the photo's own format"
    done = piped("inpaint", "-", "mask.png", "-m", "patchmatch", "-o", "new.webp", given=photo)
    assert done.returncode == 0, done.stderr
    assert PIL.Image.open("new.webp").format == "WEBP"


@pytest.mark.usefixtures("folder")
def test_pipes_that_cannot_be_are_said() -> None:
    for arguments, said in (
        (["inpaint", "-", "-"], b"at most one input from standard input"),
        (["inpaint", "photo.png", "mask.png", "-o", "-", "--json"], b"--json with an output file"),
        (["inpaint", "photo.png", "mask.png", "--attention", "-"], b"a file for a picture"),
        (["inpaint", "-", "mask.png"], b"is empty"),
    ):
        done = piped(*arguments)
        assert (done.returncode, done.stdout) == (2, b"")
        assert said in done.stderr


@pytest.mark.usefixtures("folder")
def test_outputs_are_checked_before_anything_is_loaded() -> None:
    script = (
        "import sys; from gatefill.cli import run; "
        "status = run('inpaint photo.png mask.png -m deepfill_v2 -o out.gif'.split()); "
        "sys.exit(10 * ('torch' in sys.modules or 'numba' in sys.modules) + status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 2, done.stderr
    assert b"got 'out.gif'" in done.stderr


def test_names_may_begin_with_a_hyphen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "photo.png").rename("-photo.png")
    (folder / "mask.png").rename("-mask.png")
    for line in (
        "inpaint -photo.png -mask.png -m patchmatch -o -out.png",
        "inpaint -m patchmatch --output -out.png -- -photo.png -mask.png",
        "inpaint -photo.png -mask.png -m patchmatch -o=-out.png",
    ):
        assert run(line.split()) == 0, capsys.readouterr().err
        Path("-out.png").unlink()
    assert run(["inpaint", "-phoot.png", "-mask.png"]) == 2
    assert "-phoot.png" in capsys.readouterr().err
    assert run(["inpaint", "./-photo.png", "-mask.png", "--grwo", "3"]) == 2
    assert "--grow" in capsys.readouterr().err
    for late in ("-o", "--json", "--output=x.png"):
        assert run(["inpaint", "--", "-photo.png", "-mask.png", late]) == 2
        said = capsys.readouterr().err
        assert said.endswith(f"expected options before --, which only names follow, got {late}\n")


@pytest.mark.usefixtures("folder")
def test_options_stay_options() -> None:
    Path("-o").touch()
    Path("--json").touch()
    line = ["inpaint", "-o", "x.png", "-o=x.png", "--json", "-n", "3", "-", "-o", "-x.png"]
    line += ["--", "-", "-o"]
    assert with_plain_names(line) == [
        *("inpaint", "-o", "x.png", "-o=x.png", "--json", "-n", "3", "./-", "-o", "./-x.png"),
        *("--", "-", "-o"),
    ]


@pytest.fixture(params=[0o022, 0o007])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="the system has no umask")
def test_what_is_written_has_the_permissions_of_the_umask(folder: Path, umask: int) -> None:
    torch = pytest.importorskip("torch")
    from gatefill.checkpoints import Provenance, save_weights
    from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
    from tests.checkpoints.test_convert import port_state, random_layers

    photos = folder / "photos"
    photos.mkdir()
    PIL.Image.open("photo.png").resize((64, 64)).save(photos / "a.png")
    before = set(folder.rglob("*"))
    for line in (
        "inpaint photo.png mask.png -m patchmatch -o out.png --attention a.png "
        "--attention-lines l.jpg",
        "inpaint photo.png mask.png -m patchmatch -o out.tif",
        "masks made --count 2 --size 32x32",
        "batch photos --mask mask.png --resize-mask -m patchmatch -o batch",
        "compare photos --methods telea --masks box --size 48 -o report",
        "data pack photos -o packed",
    ):
        assert run(line.split()) == 0, line
    config = DeepFillV2Config(width=2)
    state = DeepFillV2Network(config).state_dict()
    save_weights(folder / "w.safetensors", "deepfill_v2", config, state, Provenance("a test"))
    torch.save({"G": port_state(random_layers(4), "retrained"), "n_iter": 5}, "theirs.pth")
    assert run(["convert", "theirs.pth", "-o", "theirs.safetensors"]) == 0
    written = [path for path in folder.rglob("*") if path.is_file() and path not in before]
    assert len(written) > 12
    wrong = {
        str(path.relative_to(folder)): oct(mode)
        for path in written
        if (mode := stat.S_IMODE(path.stat().st_mode)) != 0o666 & ~umask
    }
    assert not wrong
    (folder / "w.safetensors").chmod(0o640)
    save_weights(folder / "w.safetensors", "deepfill_v2", config, state, Provenance("a test"))
    assert stat.S_IMODE((folder / "w.safetensors").stat().st_mode) == 0o640
