"""Two real processes that talk over gloo."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.helpers import command, start

SETTINGS = {"images": 24, "batch_size": 4, "checkpoint_every": 12, "validate_every": 24}


@pytest.fixture(scope="module")
def alone(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process with the whole batch."""
    folder = tmp_path_factory.mktemp("alone")
    finish(photos, folder, "--devices=cpu")
    return folder


def finish(photos: Path, folder: Path, *options: str, launcher: tuple[str, ...] = ()) -> str:
    arguments = command(
        "deepfill-v2-laptop", f"--data={photos}", f"--output={folder}", *options, settings=SETTINGS
    )
    if launcher:
        arguments = [sys.executable, "-m", "torch.distributed.run", *launcher, *arguments[1:]]
    process = start(arguments)
    out, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return out


def go_back_to_the_first_checkpoint(folder: Path) -> None:
    """As if the run had been killed after it."""
    for path in sorted((folder / "checkpoints").glob("*.pt"))[1:]:
        path.unlink()


def compare(one: Path, two: Path) -> None:
    first, second = load_file(one / "last.safetensors"), load_file(two / "last.safetensors")
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, atol=2e-5, rtol=1e-4)
    lines = [(each / "log.jsonl").read_text().splitlines() for each in (one, two)]
    for mine, yours in zip(*lines, strict=True):
        a, b = json.loads(mine), json.loads(yours)
        assert a.keys() == b.keys()
        for key in {"images", "l1_refined", "d_loss", "hole_l1", "skipped"} & a.keys():
            assert b[key] == pytest.approx(a[key], rel=1e-3), key


def test_two_processes_equal_one_with_the_doubled_batch(
    photos: Path, alone: Path, tmp_path: Path
) -> None:
    out = finish(photos, tmp_path, "--devices=cpu:2")
    assert json.loads((tmp_path / "run.json").read_text())["processes"] == 2
    assert out.count("best.safetensors") == 2  # said by one of them: the result, and how to try it
    compare(alone, tmp_path)


@pytest.mark.slow
def test_a_sharded_run_gives_the_same_and_goes_on_unsharded(
    photos: Path, alone: Path, tmp_path: Path
) -> None:
    finish(photos, tmp_path, "--devices=cpu:2", "--strategy=fsdp")
    compare(alone, tmp_path)
    go_back_to_the_first_checkpoint(tmp_path)
    finish(photos, tmp_path, "--devices=cpu")
    compare(alone, tmp_path)


@pytest.mark.slow
def test_an_unsharded_run_goes_on_sharded(photos: Path, alone: Path, tmp_path: Path) -> None:
    finish(photos, tmp_path, "--devices=cpu")
    go_back_to_the_first_checkpoint(tmp_path)
    finish(photos, tmp_path, "--devices=cpu:2", "--strategy=fsdp")
    compare(alone, tmp_path)


@pytest.mark.slow
def test_torchrun_starts_them_and_a_run_goes_on_with_another_number(
    photos: Path, alone: Path, tmp_path: Path
) -> None:
    finish(photos, tmp_path, "--devices=cpu:2", launcher=("--standalone", "--nproc-per-node=2"))
    assert json.loads((tmp_path / "run.json").read_text())["processes"] == 2
    go_back_to_the_first_checkpoint(tmp_path)
    finish(photos, tmp_path, "--devices=cpu")
    compare(alone, tmp_path)
