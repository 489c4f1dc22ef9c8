"""Official TensorFlow checkpoints: outputs, snapshots, damage, names."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from gatefill.checkpoints.convert import convert, read_foreign
from gatefill.checkpoints.native import load_weights
from gatefill.checkpoints.tensorflow import checkpoint_prefix, checkpoint_step
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config
from tests.checkpoints.test_convert import close, frame, network, refused


@pytest.fixture(scope="module")
def checkpoints(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tensorflow")
    with tarfile.open(shared / "official" / "tf_checkpoints.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_the_official_generator_gives_the_official_arrays(
    shared: Path, checkpoints: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow")
    info = convert(checkpoints / "generator", tmp_path / "w.safetensors")
    assert info.parameters == 4_052_478
    assert info.provenance.step == 0
    foreign = read_foreign(checkpoints / "generator" / "snap-0.index")
    assert foreign.config == DeepFillV2Config()
    arrays = np.load(shared / "official" / "gen_48x64_activations.npz")
    image, mask = frame(arrays["image_bgr_u8"], arrays["mask_u8"])
    _, weights = load_weights(tmp_path / "w.safetensors")
    with torch.inference_mode():
        got = network(foreign.config, weights)(image, mask)
    close(got.coarse, arrays["stage1"], 5e-5)
    close(got.refined, arrays["stage2"], 5e-4)


def test_a_training_snapshot_holds_the_weights_after_its_step(
    shared: Path, checkpoints: Path
) -> None:
    pytest.importorskip("tensorflow")
    foreign = read_foreign(checkpoints / "tiny" / "snap-1")
    assert (foreign.config.width, foreign.step) == (4, 1)
    arrays = np.load(shared / "official" / "tiny_train_1step.npz")
    names = [name for name in arrays.files if name.startswith("after/inpaint_net/")]
    assert len(names) == len(foreign.state) == 84
    for name in names:
        _, _, layer, *_, part = name.split("/")
        array = arrays[name]
        if part == "kernel":
            array = array.transpose(3, 2, 0, 1)
        ours = foreign.state[f"{layer}.{'weight' if part == 'kernel' else 'bias'}"]
        np.testing.assert_allclose(ours.numpy(), array, rtol=0, atol=1e-7, err_msg=name)


def test_damaged_checkpoints_are_refused(checkpoints: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    index, data = "snap-1.index", "snap-1.data-00000-of-00001"
    for name in (index, data):
        (tmp_path / name).write_bytes((checkpoints / "tiny" / name).read_bytes())
    whole = (tmp_path / data).read_bytes()
    (tmp_path / data).write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / index, "not a whole TensorFlow checkpoint")
    (tmp_path / data).write_bytes(whole)
    (tmp_path / index).write_bytes(b"x" * 300)
    refused(tmp_path / index, "not a whole TensorFlow checkpoint")


def test_a_checkpoint_is_found_however_it_is_named(tmp_path: Path) -> None:
    for step in (1, 20):
        for end in ("index", "data-00000-of-00001", "meta"):
            (tmp_path / f"snap-{step}.{end}").touch()
    wanted = tmp_path / "snap-20"
    for name in ("snap-20", "snap-20.index", "snap-20.data-00000-of-00001", "snap-20.meta"):
        assert checkpoint_prefix(tmp_path / name) == wanted
    assert checkpoint_step(wanted) == 20
    assert checkpoint_step(tmp_path / "model") is None
    with pytest.raises(ValueError, match=r"found snap-1.index, snap-20.index"):
        checkpoint_prefix(tmp_path)
    # As released: the download adds .txt, and the path is one of the machine that trained it.
    (tmp_path / "checkpoint.txt").write_text('model_checkpoint_path: "/home/x/logs/snap-20"\n')
    assert checkpoint_prefix(tmp_path) == wanted
    (tmp_path / "snap-1.data-00000-of-00001").unlink()
    with pytest.raises(ValueError, match=r"expected snap-1.data-00000-of-00001 beside"):
        checkpoint_prefix(tmp_path / "snap-1")
    with pytest.raises(ValueError, match=r"there is no .*snap-3.index"):
        checkpoint_prefix(tmp_path / "snap-3")
