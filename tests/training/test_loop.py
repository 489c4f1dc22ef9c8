"""Whole runs: their files, stopping and going on, damage, NaN."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import gatefill
from gatefill.checkpoints import load_network, read_header
from gatefill.training.checkpoints import Checkpoints
from gatefill.training.config import OptimizerConfig, TrainConfig
from gatefill.training.data import open_source
from gatefill.training.loop import train
from gatefill.training.meters import RunOutcome, Status
from tests.training.helpers import (
    command,
    picture,
    same_weights,
    small,
    start,
    tiny,
    write_pictures,
)


def run(config: TrainConfig, photos: Path, folder: Path, **options) -> RunOutcome:
    return train(config, open_source(photos), folder, devices="cpu", **options)


def log_of(folder: Path, kind: str) -> list[dict[str, float]]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


@pytest.fixture(scope="module")
def folder(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("run")
    provenance = {"data": "pictures", "license": "CC0"}
    outcome = run(tiny(ema=0.9), photos, folder, provenance=provenance)
    assert outcome.finished
    assert outcome.images == 12
    return folder


class TestARun:
    def test_the_exported_weights_fill_photos(self, folder: Path) -> None:
        photo, hole = picture(100), np.zeros((72, 96), np.uint8)
        hole[20:50, 30:60] = 255
        result = gatefill.load(weights=folder / "best.safetensors")(photo, hole)
        assert result.method == "deepfill_v2"
        assert np.array_equal(result.photo.pixels[hole == 0], photo[hole == 0])
        facts = read_header(folder / "best.safetensors").provenance
        assert (facts.data, facts.license, facts.step) == ("pictures", "CC0", 6)
        assert "deepfill-v2-laptop, 12 images" in facts.source

    def test_the_log_says_what_happened(self, folder: Path) -> None:
        lines = log_of(folder, "train")
        assert [line["images"] for line in lines] == [4, 8, 12]
        assert "d_loss" not in lines[0]  # the adversarial loss comes in after 4 images
        assert lines[1]["d_loss"] == pytest.approx(1.0, abs=0.05)
        for line in lines:
            assert line["skipped"] == 0
            assert line["generator_gradient"] > 0
            assert 0 <= line["waiting_for_data"] <= 1
            assert line["images_per_second"] > 0
        measures = log_of(folder, "validation")
        assert [line["images"] for line in measures] == [8, 12]
        assert all(0 < line["hole_l1"] < 100 and -1 <= line["ssim"] <= 1 for line in measures)

    def test_tensorboard_can_read_the_same(self, folder: Path) -> None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(folder / "tensorboard"))
        events.Reload()
        points = [(e.step, e.value) for e in events.Scalars("train/l1_refined")]
        expected = [(e["images"], e["l1_refined"]) for e in log_of(folder, "train")]
        np.testing.assert_allclose(points, expected, rtol=1e-6)
        assert [e.step for e in events.Images("examples")] == [8, 12]

    def test_run_json_says_how_it_was_made(self, folder: Path) -> None:
        facts = json.loads((folder / "run.json").read_text())
        assert facts["config"]["batch_size"] == 2
        assert facts["versions"]["torch"] == torch.__version__
        assert facts["progress"]["images"] == 12
        assert facts["validation_images"] == 2

    def test_the_sheet_shows_every_column(self, folder: Path) -> None:
        sheet = cv2.imread(str(folder / "examples.png"))
        # input, mask, coarse, refined, result, attention, original; two validation images.
        assert sheet.shape == (2 * 36, 7 * 36, 3)
        assert sheet[:32, -36:-4].std() > 1

    def test_a_sheet_is_kept_of_every_validation(self, folder: Path) -> None:
        kept = sorted((folder / "examples").iterdir())
        assert [path.name for path in kept] == ["000000008.jpg", "000000012.jpg"]
        one, two = (cv2.imread(str(path)).astype(int) for path in kept)
        newest = cv2.imread(str(folder / "examples.png")).astype(int)
        assert abs(two - newest).mean() < 8
        # The same cases every time: input, mask and original stay.
        assert abs(one[:, :72] - two[:, :72]).max() < 8

    def test_the_last_checkpoints_and_the_best_are_kept(self, folder: Path) -> None:
        steps = Checkpoints(folder / "checkpoints", 2).steps()
        best = json.loads((folder / "run.json").read_text())["progress"]["best_step"]
        assert steps == sorted({4, 6, best})

    def test_running_a_finished_run_again_changes_nothing(self, folder: Path, photos: Path) -> None:
        names = ("last.safetensors", "best.safetensors", "log.jsonl", "examples.png")
        before = [(folder / name).read_bytes() for name in names]
        assert run(tiny(ema=0.9), photos, folder).finished
        assert [(folder / name).read_bytes() for name in names] == before

    def test_another_network_is_refused(self, folder: Path, photos: Path) -> None:
        config = tiny(ema=0.9)
        other = replace(config, network=replace(config.network, width=5))
        with pytest.raises(ValueError, match=r"expected network\.width=4, .*got 5"):
            run(other, photos, folder)


class TestGoingOn:
    def test_stopped_and_resumed_equals_uninterrupted(self, photos: Path, tmp_path: Path) -> None:
        config = tiny(ema=0.9, images=16)
        run(config, photos, tmp_path / "straight")
        # A cosine schedule knows the budget, so a shorter one would be another run.
        stop_after(6, config, photos, tmp_path / "twice")
        stop_after(10, config, photos, tmp_path / "twice")
        assert run(config, photos, tmp_path / "twice").finished
        assert same_weights(
            tmp_path / "straight" / "last.safetensors", tmp_path / "twice" / "last.safetensors"
        )
        ours, theirs = (log_of(tmp_path / name, "validation") for name in ("straight", "twice"))
        assert ours == theirs

    @pytest.mark.parametrize("method", ["deepfill-v1", "partial-conv", "global-local"])
    def test_so_it_does_for_the_other_methods(
        self, method: str, photos: Path, tmp_path: Path
    ) -> None:
        config = small(method)
        run(config, photos, tmp_path / "straight")
        stop_after(4, config, photos, tmp_path / "twice")
        run(config, photos, tmp_path / "twice")
        assert same_weights(
            tmp_path / "straight" / "last.safetensors", tmp_path / "twice" / "last.safetensors"
        )
        info, network = load_network(tmp_path / "twice" / "best.safetensors")
        assert info.method == config.method
        frame = network(torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
        frame = getattr(frame, "refined", frame)
        assert torch.isfinite(frame).all()

    def test_a_damaged_checkpoint_gives_way_to_the_one_before(
        self, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(tiny(), photos, tmp_path / "straight")
        stop_after(8, tiny(), photos, tmp_path / "run")
        newest = sorted((tmp_path / "run" / "checkpoints").glob("*.pt"))[-1]
        newest.write_bytes(newest.read_bytes()[:1000])
        leftover = newest.with_name(f".{newest.name}.abcd.part")
        leftover.write_bytes(b"half")
        assert run(tiny(), photos, tmp_path / "run").finished
        assert "cannot be read" in caplog.text
        assert not leftover.exists()
        assert same_weights(
            tmp_path / "straight" / "last.safetensors", tmp_path / "run" / "last.safetensors"
        )

    @pytest.mark.slow
    def test_a_killed_process_loses_only_the_last_steps(self, photos: Path, tmp_path: Path) -> None:
        settings = {"images": 60, "checkpoint_every": 4, "validate_every": 60}
        straight = start(arguments(photos, tmp_path / "straight", settings))
        killed = start(arguments(photos, tmp_path / "killed", settings))
        wait_for(tmp_path / "killed" / "checkpoints", "step-*[4-9].pt", killed)
        killed.kill()
        killed.communicate()
        images = [line["images"] for line in log_of(tmp_path / "killed", "train")]
        assert images[-1] < 60
        again = start(arguments(photos, tmp_path / "killed", settings))
        for process in (straight, again):
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
        assert same_weights(
            tmp_path / "straight" / "last.safetensors", tmp_path / "killed" / "last.safetensors"
        )
        lines = log_of(tmp_path / "killed", "train")
        assert [line["images"] for line in lines] == list(range(4, 61, 4))

    @pytest.mark.skipif(os.name != "posix", reason="sends signals of POSIX")
    @pytest.mark.parametrize(
        "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
    )
    def test_a_signal_saves_first(
        self, number: signal.Signals, photos: Path, tmp_path: Path
    ) -> None:
        settings = {"images": 100_000, "checkpoint_every": 100_000, "validate_every": 100_000}
        process = start(arguments(photos, tmp_path, settings))
        wait_for(tmp_path, "log.jsonl", process)
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 128 + number, errors
        assert "run again to go on" in out
        (step,) = Checkpoints(tmp_path / "checkpoints", 1).steps()
        facts = json.loads((tmp_path / "run.json").read_text())
        assert facts["progress"]["step"] == step > 0
        assert load_network(tmp_path / "best.safetensors")[0].provenance.step == step

    @pytest.mark.skipif(os.name != "posix", reason="sends signals of POSIX")
    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_so_does_one_to_the_loaders_too(
        self, number: signal.Signals, photos: Path, tmp_path: Path
    ) -> None:
        settings = {"images": 100_000, "checkpoint_every": 100_000, "data.workers": 2}
        process = start(arguments(photos, tmp_path, settings))
        wait_for(tmp_path, "log.jsonl", process)
        os.killpg(process.pid, number)
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 128 + number, errors
        assert "run again to go on" in out
        assert Checkpoints(tmp_path / "checkpoints", 1).steps()

    @pytest.mark.skipif(sys.platform != "linux", reason="finds the process as Linux shows it")
    def test_a_killed_loader_ends_the_run_with_one_line(self, photos: Path, tmp_path: Path) -> None:
        settings = {"images": 100_000, "data.workers": 1}
        process = start(arguments(photos, tmp_path, settings))
        wait_for(tmp_path, "log.jsonl", process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        os.kill(int(children.read_text()), signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2, errors
        assert "a process that loads data was killed" in errors
        assert "Traceback" not in errors


class TestStartingFromWeights:
    def test_a_new_run_begins_where_they_stand(
        self, folder: Path, photos: Path, tmp_path: Path
    ) -> None:
        weights = tmp_path / "given.safetensors"
        shutil.copy(folder / "last.safetensors", weights)
        still = tiny(ema=0.0, optimizer=OptimizerConfig(lr=1e-30))
        stop_after(4, still, photos, tmp_path / "run", start_from=weights)
        assert same_weights(tmp_path / "run" / "last.safetensors", weights)
        weights.unlink()  # a run that goes on has its own
        assert run(still, photos, tmp_path / "run", start_from=weights).finished
        info = read_header(tmp_path / "run" / "last.safetensors")
        assert "started from: gatefill train deepfill-v2-laptop, 12" in info.provenance.source

    def test_the_average_starts_there_too(self, folder: Path, photos: Path, tmp_path: Path) -> None:
        weights = folder / "last.safetensors"
        still = tiny(ema=0.9, optimizer=OptimizerConfig(lr=1e-30), images=2)
        run(still, photos, tmp_path, start_from=weights)
        assert same_weights(tmp_path / "last.safetensors", weights)

    def test_those_of_another_network_are_refused(
        self, folder: Path, photos: Path, tmp_path: Path
    ) -> None:
        other = tiny(network=replace(tiny().network, width=8))
        with pytest.raises(ValueError, match=r"expected weights of .*width=8.*width=4"):
            run(other, photos, tmp_path, start_from=folder / "best.safetensors")
        with pytest.raises(ValueError, match="expected weights of partial_conv"):
            run(small("partial-conv"), photos, tmp_path, start_from=folder / "best.safetensors")


class TestAccumulation:
    @pytest.mark.parametrize("separate", [False, True])
    def test_two_parts_equal_one_batch(self, separate: bool, photos: Path, tmp_path: Path) -> None:
        config = tiny(batch_size=4, images=16)
        config = replace(config, loss=replace(config.loss, separate_batches=separate))
        run(config, photos, tmp_path / "whole")
        run(replace(config, accumulate=2), photos, tmp_path / "parts")
        one, two = (
            load_network(tmp_path / name / "last.safetensors")[1].state_dict()
            for name in ("whole", "parts")
        )
        for key, value in one.items():
            torch.testing.assert_close(two[key], value, atol=2e-5, rtol=1e-4)

    def test_a_batch_that_cannot_be_parted_is_refused(self, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="batch_size that 1 processes x 3 parts divide, got 4"):
            run(tiny(batch_size=4, accumulate=3), photos, tmp_path)


def test_broken_images_are_counted_and_named(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 5)
    (tmp_path / "in" / "bad.jpg").write_bytes(b"\xff\xd8\xff broken")
    config = tiny(data=replace(tiny().data, holdout=0))
    outcome = run(config, tmp_path / "in", tmp_path / "run")
    assert outcome.broken == 1
    broken = json.loads((tmp_path / "run" / "run.json").read_text())["progress"]["broken"]
    assert list(broken) == [str(tmp_path / "in" / "bad.jpg")]


def test_the_watcher_is_told_of_every_step(photos: Path, tmp_path: Path) -> None:
    seen: list[Status] = []
    run(tiny(), photos, tmp_path, watch=seen.append)
    assert [status.images for status in seen] == [2, 4, 6, 8, 10, 12]
    assert [status.terms is not None for status in seen] == [False, True] * 3


@pytest.mark.parametrize("method", ["deepfill-v2", "deepfill-v1", "partial-conv", "global-local"])
def test_every_method_trains_on_samples_that_are_no_squares(
    method: str, photos: Path, tmp_path: Path
) -> None:
    config = tiny() if method == "deepfill-v2" else small(method)
    config = replace(config, images=6, data=replace(config.data, size="64x32"))
    assert run(config, photos, tmp_path).finished
    sheet = cv2.imread(str(tmp_path / "examples.png"))
    assert sheet.shape[0] == 2 * 36
    assert sheet.shape[1] % 68 == 0
    lines = log_of(tmp_path, "train")
    assert any("d_loss" in line for line in lines) == (method != "partial-conv")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_training_learns_the_same(photos: Path, tmp_path: Path) -> None:
    run(tiny(images=4), photos, tmp_path / "plain")
    config = tiny(images=4, compile=True)
    run(config, photos, tmp_path / "compiled")
    one, two = (
        load_network(tmp_path / name / "last.safetensors")[1].state_dict()
        for name in ("plain", "compiled")
    )
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, atol=1e-4, rtol=1e-3)


def stop_after(images: int, config: TrainConfig, photos: Path, folder: Path, **options) -> None:
    """Train as a process would that is told to end after so many images."""

    def watch(status: Status) -> None:
        if status.images >= images:
            signal.raise_signal(signal.SIGTERM)

    outcome = run(config, photos, folder, watch=watch, **options)
    assert outcome.signal == signal.SIGTERM
    assert outcome.images == images


def arguments(photos: Path, folder: Path, settings: dict[str, object]) -> list[str]:
    return command(
        "deepfill-v2-laptop",
        f"--data={photos}",
        f"--output={folder}",
        "--devices=cpu",
        settings=settings,
    )


def wait_for(folder: Path, pattern: str, process) -> None:
    """Until a file appears that fits the pattern."""
    for _ in range(1200):
        if list(folder.glob(pattern)):
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} appeared in a minute")
