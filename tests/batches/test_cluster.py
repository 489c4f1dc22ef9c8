"""A Ray cluster: the same outputs, also when parts of it are killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gatefill
from gatefill.checkpoints.shipped import FOLDER
from gatefill.errors import ConfigError, WeightsError
from tests.batches.helpers import is_filled, mask, outputs, photo, put, run
from tests.batches.test_containers import make_shard, read_tar

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

SRC = Path(gatefill.__file__).parents[1]
PHOTOS = 24
SIZE = (192, 256)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # Ray's own folder has long names below it, and a socket's name may be no longer than 107.
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    put(tmp_path / "mask.png", mask())
    return tmp_path


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_a_cluster_gives_the_same_outputs(here: Path) -> None:
    for number in range(2):
        put(here / "in" / f"{number}.png", photo(number))
        put(here / "in" / f"{number}_mask.png", mask())
    Path("in/broken.jpg").write_bytes(b"no photo")
    make_shard("s.tar", range(2))
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        found = gatefill.batch(
            ["in", "s.tar"], str(here / "out"), ray="local", method="patchmatch", grow=1
        )
        assert ray.is_initialized(), "a cluster that was joined before stays joined"
    finally:
        ray.shutdown()
    assert (found.filled, found.failed, found.containers) == (4, 1, 1)
    assert found.failures[0].name == "in/broken.jpg"
    alone = run("in", "s.tar", output="alone", grow=1)
    assert (alone.filled, alone.failed) == (4, 1)
    assert outputs() == outputs("alone")
    assert len(read_tar("out/s.tar")) == 6
    again = run("in", "s.tar", grow=1)
    assert (again.skipped, again.filled) == (4, 0), "one manifest for both"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_weights_travel_to_the_workers(here: Path) -> None:
    for number in range(2):
        put(here / "in" / f"{number}.png", photo(number))
        put(here / "in" / f"{number}_mask.png", mask())
    shutil.copy(FOLDER / "compact.onnx", here / "own.onnx")
    given: dict[str, Any] = {"method": "deepfill_v2", "weights": str(here / "own.onnx")}
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        weighed = gatefill.batch(["in"], str(here / "weighed"), ray="local", **given)
        named = gatefill.batch(["in"], str(here / "named"), ray="local", weights="standard")
    finally:
        ray.shutdown()
    assert (weighed.filled, weighed.failed) == (2, 0), weighed.failures
    assert (named.filled, named.failed) == (2, 0), named.failures
    gatefill.batch(["in"], "weighed-alone", **given)
    gatefill.batch(["in"], "named-alone", weights="standard")
    assert outputs("weighed") == outputs("weighed-alone")
    assert outputs("named") == outputs("named-alone") != outputs("weighed")


def actors() -> int:
    """How many actors that fill the cluster has started so far, ended ones among them."""
    from ray._private import state  # the public way needs Ray's dashboard

    return sum("MapWorker" in each["ActorClassName"] for each in state.actors().values())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_finished_batch_is_verified_without_actors(here: Path) -> None:
    for number in range(3):
        put(here / "in" / f"{number}.png", photo(number))
        put(here / "in" / f"{number}_mask.png", mask())
    make_shard("s.tar", range(2))
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)

    def batch(*photos: str, **options: Any) -> tuple[Any, int]:
        before = actors()
        given = {"ray": "local", "method": "patchmatch", **options}
        return gatefill.batch(photos, str(here / "out"), **given), actors() - before

    try:
        first, started = batch("in", "s.tar")
        assert (first.filled, first.containers) == (5, 1)
        assert started > 0
        again, started = batch("in", "s.tar")
        assert (again.skipped, again.filled, started) == (5, 0, 0)
        expected = outputs()
        (here / "out" / "in" / "1.png").write_bytes(b"cut short")
        put(here / "in" / "2.png", photo(9))
        mended, started = batch("in", "s.tar")
        assert (mended.skipped, mended.filled) == (3, 2), "what is done is verified"
        assert started > 0
        assert outputs()["in/1.png"] == expected["in/1.png"]
        assert is_filled("out/in/2.png", photo(9))
        Path("other.safetensors").write_bytes(b"no weights")
        with pytest.raises(WeightsError) as wrong:
            batch("in", method="deepfill_v2", weights=str(here / "other.safetensors"))
        assert str(wrong.value).startswith("expected a gatefill weights file, got other.safe")
        assert "\n" not in str(wrong.value)
    finally:
        ray.shutdown()


def test_no_cluster_is_said() -> None:
    put(Path("in/a.png"), photo())
    with pytest.raises(ConfigError, match=r"expected a Ray cluster at '127\.0\.0\.1:9'"):
        run("in", mask="mask.png", ray="127.0.0.1:9")
    with pytest.raises(ConfigError, match="no memory limit for a Ray cluster"):
        run("in", mask="mask.png", ray="local", memory_limit="4GB")
    with pytest.raises(ConfigError, match="cpus_per_actor of 0 or more"):
        run("in", mask="mask.png", ray="local", cpus_per_actor=-1)


class Machines:
    """A cluster of two nodes on this machine; knows its processes, to kill them."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False},
        )
        self.second = self.cluster.add_node(num_cpus=1)
        self.cluster.wait_for_nodes()

    def kill_worker(self, chance: random.Random) -> None:
        nodes = [self.cluster.head_node, self.second]
        raylets = [each.all_processes["raylet"][0].process.pid for each in nodes]
        workers = [pid for raylet in raylets for pid in _children(raylet) if _is_busy(pid)]
        if workers:
            os.kill(chance.choice(workers), signal.SIGKILL)

    def kill_node(self) -> None:
        self.cluster.remove_node(self.second, allow_graceful=False)
        self.second = self.cluster.add_node(num_cpus=1)

    def kill_all(self) -> None:
        for node in (self.second, self.cluster.head_node):
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)

    def close(self) -> None:
        self.cluster.shutdown()


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in text.read_text().split()] if text.exists() else []


def _is_busy(pid: int) -> bool:
    """A process of this batch, and not one of Ray's own that waits for work."""
    name = Path(f"/proc/{pid}/cmdline")
    return name.exists() and b"MapBatches" in name.read_bytes()


@pytest.fixture
def machines() -> Iterator[list[Machines]]:
    found = [Machines()]
    yield found
    found[-1].close()


def start(machines: Machines, output: str) -> subprocess.Popen[bytes]:
    code = (
        "import sys, gatefill; "
        f"found = gatefill.batch('in', {output!r}, mask='mask.png', method='patchmatch', "
        f"ray={machines.cluster.address!r}); "
        "print(found.as_dict(), found.failures); sys.exit(not found.complete)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        stdout=Path(f"{output}.log").open("wb"),
        stderr=subprocess.STDOUT,
    )


def finished(child: subprocess.Popen[bytes], seconds: float = 240) -> int | None:
    """The exit status; None where it hangs, and is then killed."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return None


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_whatever_is_killed_a_rerun_ends_like_an_undisturbed_run(
    here: Path, machines: list[Machines]
) -> None:
    for number in range(PHOTOS):
        put(here / "in" / f"{number:02d}.png", photo(number, SIZE))
    put(here / "mask.png", mask(SIZE))
    run("in", output="undisturbed", mask="mask.png", processes=2)
    expected = outputs("undisturbed")
    chance = random.Random(0)
    kinds = ["worker", "node", "driver", "everything", "worker"] * 2
    survived = 0
    for number, kind in enumerate(kinds):
        output = str(here / f"out{number}")
        child = start(machines[-1], output)
        moment = chance.randrange(1, PHOTOS)  # outputs that are there when it happens
        deadline = time.monotonic() + 120
        while len(outputs(output)) < moment and time.monotonic() < deadline:
            assert child.poll() is None, Path(f"{output}.log").read_text()
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        if kind == "worker":
            machines[-1].kill_worker(chance)
        elif kind == "node":
            machines[-1].kill_node()
        elif kind == "driver":
            child.kill()
        else:
            child.kill()
            machines[-1].kill_all()
            machines.append(Machines())
        status = finished(child)
        done = outputs(output)
        assert all(expected[name] == data for name, data in done.items() if name in expected)
        if kind in ("worker", "node"):
            survived += status == 0
        if status != 0:
            assert finished(start(machines[-1], output)) == 0, Path(f"{output}.log").read_text()
        assert outputs(output) == expected, (number, kind)
        assert not [*Path(output, ".gatefill").glob("parts/*")], "nothing half-written is left"
    assert survived >= 4, "Ray does again what a lost worker or node had, most of the time"
