"""Runs that meet damage, other runs, full disks and changed settings; starting from other runs."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gatefill.checkpoints import find_weights, load_network, read_header
from gatefill.cli import run as command_line
from gatefill.errors import ConfigError, DataError, OutputError, WeightsError
from gatefill.training.checkpoints import Checkpoints, load_checkpoint, save_tensors
from gatefill.training.config import OptimizerConfig, TrainConfig
from gatefill.training.data import open_source
from gatefill.training.lock import FolderLock
from gatefill.training.loop import TrainingStopped, train
from gatefill.training.meters import RunOutcome
from gatefill.training.objectives import make_objective
from gatefill.training.recipes import recipe
from gatefill.training.start_from import load_start
from tests.training.helpers import (
    TINY,
    environment,
    same_weights,
    small,
    tiny,
    write_pictures,
)


def run(config: TrainConfig, photos: Path, folder: Path, **options) -> RunOutcome:
    return train(config, open_source(photos), folder, devices="cpu", **options)


@pytest.fixture(scope="module")
def finished(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    run(tiny(ema=0.9, images=8), photos, folder)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of a run of 8 images, with checkpoints after 4 and 8 of them."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def longer(**changes: object) -> TrainConfig:
    return tiny(**{"ema": 0.9, "images": 10} | changes)


def progress(folder: Path) -> dict[str, object]:
    return json.loads((folder / "run.json").read_text())["progress"]


class TestLock:
    def test_a_second_run_in_a_folder_is_refused(self, folder: Path, photos: Path) -> None:
        before = {path: path.read_bytes() for path in folder.glob("*.*")}
        holder = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path\n"
                "from gatefill.training.lock import FolderLock\n"
                f"lock = FolderLock(Path({str(folder)!r}))\n"
                "lock.acquire(); print('held', flush=True); sys.stdin.read()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="expected a folder that no other run writes to"):
            run(longer(), photos, folder)
        assert {path: path.read_bytes() for path in folder.glob("*.*")} == before
        holder.kill()  # the lock goes with its process, however that ends
        holder.communicate()
        assert run(longer(), photos, folder).images == 10

    def test_a_run_that_ends_or_fails_lets_go(self, folder: Path, photos: Path) -> None:
        with pytest.raises(ConfigError):
            run(longer(batch_size=4, accumulate=3), photos, folder)
        run(longer(), photos, folder)
        lock = FolderLock(folder)
        lock.acquire()
        lock.release()


class TestDamage:
    def test_two_flipped_bits_are_seen(
        self, folder: Path, photos: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        newest = sorted((folder / "checkpoints").glob("*.pt"))[-1]
        before = Path(shutil.copytree(folder, folder.with_name("before")))
        (before / "checkpoints" / newest.name).unlink()
        run(longer(), photos, before)
        content = bytearray(newest.read_bytes())
        middle = len(content) // 2
        content[middle] ^= 1
        content[middle + 40] ^= 64
        newest.write_bytes(content)
        torch.load(newest, weights_only=True)  # torch itself does not see it
        run(longer(), photos, folder)
        assert "checksum" in caplog.text
        assert same_weights(before / "last.safetensors", folder / "last.safetensors")

    def test_no_flipped_byte_changes_what_is_read(self, tmp_path: Path) -> None:
        path, chance = tmp_path / "step.pt", random.Random(0)
        value = {"format": 1, "weights": torch.arange(500.0), "text": "words" * 9}
        save_tensors(value, path)
        good = path.read_bytes()
        for _ in range(60):
            bad = bytearray(good)
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
            path.write_bytes(bad)
            try:
                found = load_checkpoint(path)
            except DataError:
                continue
            assert torch.equal(found["weights"], value["weights"])
            assert found["text"] == value["text"]

    @pytest.mark.parametrize("content", [os.urandom(3000), b"", b"PK\x03\x04" + bytes(99), None])
    def test_where_none_can_be_read_the_run_stops(
        self, folder: Path, photos: Path, content: bytes | None
    ) -> None:
        for path in (folder / "checkpoints").glob("*.pt"):
            path.write_bytes(path.read_bytes()[:-100] if content is None else content)
        best = (folder / "best.safetensors").read_bytes()
        with pytest.raises(DataError, match=r"expected a checkpoint that can be read .*got 2 dam"):
            run(longer(), photos, folder)
        assert (folder / "best.safetensors").read_bytes() == best

    def test_weights_older_than_the_checkpoint_are_exported_anew(
        self, folder: Path, photos: Path
    ) -> None:
        """A process killed between the two leaves them so."""
        last = folder / "last.safetensors"
        wanted = shutil.copy(last, folder / "wanted.safetensors")
        for content in (stale_weights(photos, folder.with_name("stale")), b"cut off", None):
            last.unlink()
            if content is not None:
                last.write_bytes(content)
            assert run(tiny(ema=0.9, images=8), photos, folder).finished
            assert same_weights(last, wanted)
            assert read_header(last).provenance.step == 4

    def test_without_validation_the_best_weights_are_the_newest(
        self, photos: Path, tmp_path: Path
    ) -> None:
        config = tiny(data=replace(tiny().data, holdout=0))
        run(config, photos, tmp_path)
        best, last = tmp_path / "best.safetensors", tmp_path / "last.safetensors"
        assert same_weights(best, last)
        assert read_header(best).provenance.step == 6
        best.unlink()  # as if killed before it was written
        run(config, photos, tmp_path)
        assert same_weights(best, last)

    def test_weights_without_checkpoints_are_not_overwritten(
        self, folder: Path, photos: Path
    ) -> None:
        before = {path: path.read_bytes() for path in folder.glob("*.safetensors")}
        shutil.rmtree(folder / "checkpoints")
        with pytest.raises(DataError, match=r"expected checkpoints beside .*last\.safetensors"):
            run(longer(), photos, folder)
        assert {path: path.read_bytes() for path in folder.glob("*.safetensors")} == before

    @pytest.mark.skipif(os.name != "posix", reason="limits files as POSIX does")
    def test_a_full_disk_is_said_and_the_checkpoint_before_is_kept(
        self, folder: Path, photos: Path
    ) -> None:
        import resource  # Windows has no such module

        steps = Checkpoints(folder / "checkpoints", 2).steps()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = max(path.stat().st_size for path in (folder / "checkpoints").glob("*.pt"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limits[1]))
        try:
            with pytest.raises(
                OutputError, match=r"no space left to write below .* free some space"
            ):
                run(longer(), photos, folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)
        assert Checkpoints(folder / "checkpoints", 2).steps() == steps
        assert not list((folder / "checkpoints").glob(".*.part"))
        assert run(longer(), photos, folder).images == 10


def stale_weights(photos: Path, folder: Path) -> bytes:
    run(tiny(ema=0.9, images=4), photos, folder)
    return (folder / "last.safetensors").read_bytes()


class TestChanges:
    @pytest.mark.parametrize(
        ("config", "message"),
        [
            (
                longer(optimizer=replace(tiny().optimizer, kind="adadelta")),
                r"expected optimizer\.kind=adam, .*got adadelta",
            ),
            (
                longer(loss=replace(tiny().loss, discriminator_width=8)),
                r"expected loss\.discriminator_width=4, .*got 8",
            ),
        ],
    )
    def test_what_cannot_change_is_refused_by_name(
        self, folder: Path, photos: Path, config: TrainConfig, message: str
    ) -> None:
        before = (folder / "last.safetensors").read_bytes()
        with pytest.raises(ConfigError, match=message):
            run(config, photos, folder)
        assert (folder / "last.safetensors").read_bytes() == before

    @pytest.mark.parametrize("method", ["deepfill-v1", "global-local"])
    def test_so_is_the_size_where_critics_are_dense(
        self, method: str, photos: Path, tmp_path: Path
    ) -> None:
        config = small(method)
        run(config, photos, tmp_path)
        larger = replace(config, images=10, data=replace(config.data, size=64))
        with pytest.raises(ConfigError, match=r"expected data\.size=32, .*got 64"):
            run(larger, photos, tmp_path)

    def test_another_seed_keeps_the_held_out_images(
        self, folder: Path, photos: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        held_out = progress(folder)["held_out"]
        assert len(held_out) == 2
        apart = open_source(photos).split(2, seed=5)[1]
        assert {file.name for file in apart.files} != {Path(name).name for name in held_out}
        with caplog.at_level("INFO", "gatefill"):
            run(longer(seed=5), photos, folder)
        assert progress(folder)["held_out"] == held_out
        assert "seed 0 -> 5" in caplog.text

    def test_changed_data_is_said(
        self, folder: Path, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        held_out = progress(folder)["held_out"]
        more = Path(shutil.copytree(photos, tmp_path / "more"))
        run(longer(), more, folder)  # the same files elsewhere
        assert "data changed" not in caplog.text
        write_pictures(more / "new", 6)
        run(longer(images=12), more, folder)
        assert "the data changed since the last session: 22 files, now 28" in caplog.text
        assert progress(folder)["held_out"] == held_out
        caplog.clear()
        moved = next(path for path in more.glob("*.png") if path.name not in held_out)
        moved.rename(more / "other.png")
        run(longer(images=14), more, folder)
        assert "28 files, not all the same" in caplog.text

    def test_the_best_of_another_measure_does_not_count(self, folder: Path, photos: Path) -> None:
        assert progress(folder)["best"] > 1.5  # percent of the range, the lower the better
        run(longer(images=16, best_by="ssim"), photos, folder)
        assert progress(folder)["best_step"] == 8
        assert progress(folder)["best"] <= 1

    def test_nan_ends_the_command_with_a_status_of_its_own(
        self, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
    ) -> None:
        assert not issubclass(TrainingStopped, ValueError)
        given = [*TINY, "images=100", "optimizer.lr=1e30", "optimizer.clip=none", "patience=2"]
        arguments = [f"--data={photos}", f"-o={tmp_path}/run", "--devices=cpu"]
        status = command_line(
            ["train", "deepfill-v2-laptop", *arguments, *(f"--set={each}" for each in given)]
        )
        assert status == 4
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last.startswith("gatefill: 2 steps in a row gave NaN or infinity")


@pytest.mark.parametrize("copies", [False, True])
def test_validation_images_that_are_trained_on_are_named(
    copies: bool, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = sorted(path.name for path in photos.glob("*.png"))
    kept = tmp_path / "kept"
    kept.mkdir()
    if copies:
        for name in names[:3]:
            shutil.copy(photos / name, kept / name)
        validation = open_source(kept)
    else:
        (kept / "list.txt").write_text("\n".join(str(photos / name) for name in names[:3]))
        validation = open_source(kept / "list.txt")
    run(tiny(images=2), photos, tmp_path / "run", validation=validation)
    assert "3 of 3 validation images are trained on too, such as" in caplog.text
    caplog.clear()
    other = tmp_path / "other"
    other.mkdir()
    (other / names[0]).write_bytes((photos / names[1]).read_bytes())
    run(tiny(images=2), photos, tmp_path / "again", validation=open_source(other))
    assert "trained on too" not in caplog.text


STILL = OptimizerConfig(lr=1e-30)


class TestStartingFromARun:
    @pytest.fixture(params=["folder", "checkpoint"])
    def given(self, request: pytest.FixtureRequest, finished: Path) -> Iterator[Path]:
        if request.param == "folder":
            yield finished
        else:
            yield sorted((finished / "checkpoints").glob("*.pt"))[-1]

    def test_generator_and_discriminator_begin_where_it_stands(
        self, given: Path, finished: Path, photos: Path, tmp_path: Path
    ) -> None:
        objective = make_objective(tiny())
        source = load_start(objective, tiny(), given)
        assert source == "a run of deepfill-v2-laptop, 8 images, with its discriminator"
        saved = Checkpoints(finished / "checkpoints", 1).load_last()
        assert saved is not None
        assert objective.critic is not None
        assert all(
            torch.equal(value, saved["critic"][name])
            for name, value in objective.critic.state_dict().items()
        )
        run(tiny(ema=0.0, optimizer=STILL, images=2), photos, tmp_path, start_from=given)
        assert same_weights(tmp_path / "last.safetensors", finished / "last.safetensors")
        info = read_header(tmp_path / "last.safetensors")
        assert "started from: a run of deepfill-v2-laptop, 8 images" in info.provenance.source

    def test_a_discriminator_of_another_shape_begins_anew(
        self, finished: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        config = tiny(loss=replace(tiny().loss, discriminator_width=8))
        assert load_start(make_objective(config), config, finished).endswith("8 images")
        assert "another shape" in caplog.text

    def test_another_network_and_no_run_are_refused(self, finished: Path, tmp_path: Path) -> None:
        other = tiny(network=replace(tiny().network, width=8))
        with pytest.raises(WeightsError, match=r"expected weights of .*width=8.*'width': 4"):
            load_start(make_objective(other), other, finished)
        with pytest.raises(WeightsError, match="expected a run's folder with checkpoints"):
            load_start(make_objective(tiny()), tiny(), tmp_path)

    def test_a_guided_network_starts_from_one_without_sketches(self) -> None:
        config = recipe("deepfill-v2-guided-laptop")
        objective = make_objective(config)
        load_start(objective, config, Path("compact"))
        plain = load_network(find_weights("compact"))[1]
        image = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
        mask, sketch = torch.zeros(2, 1, 1, 64, 48)
        mask[..., 20:50, 10:40] = 1
        with torch.inference_mode():
            filled, drawn = (objective.generator(image, mask, sketch + line) for line in (0, 1))
            torch.testing.assert_close(filled.refined, plain(image, mask).refined)
        assert (drawn.refined - filled.refined)[:, :, 20:50, 10:40].abs().mean() > 0.01
        loud = replace(config, network=replace(config.network, width=8))
        with pytest.raises(WeightsError, match=r"expected weights of .*width=8.*guided=True"):
            load_start(make_objective(loud), loud, Path("compact"))

    @pytest.mark.parametrize("method", ["deepfill-v1", "partial-conv", "global-local"])
    def test_weights_of_every_method_can_be_started_from(
        self, method: str, photos: Path, tmp_path: Path
    ) -> None:
        config = small(method)
        run(config, photos, tmp_path / "first")
        weights = tmp_path / "first" / "last.safetensors"
        objective = make_objective(config)
        load_start(objective, config, weights)
        wanted = load_network(weights)[1].state_dict()
        found = objective.generator.state_dict()
        assert all(torch.equal(found[name], value) for name, value in wanted.items())
