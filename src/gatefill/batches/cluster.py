"""Runs a batch on a Ray cluster, as a Ray Data job. Only this module imports ray.

Reading and writing are tasks, filling is a pool of warm actors; Ray decides where they run,
restarts lost ones, and limits reading while filling is behind. All nodes must see the inputs and
the output under the same paths or URLs; weights are sent through Ray's object store.
"""

from __future__ import annotations

import logging
import pickle
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatefill.batches.items import Outcome, Task, failed
from gatefill.batches.job import Job
from gatefill.batches.local import THREAD_VARIABLES
from gatefill.batches.places import TRIES_FOLDER, write
from gatefill.batches.work import EncodedItem, Fetched, FilledItem, Work
from gatefill.errors import ConfigError, GatefillError
from gatefill.extras import need

PER_BLOCK = 8  # photos per block, the unit that Ray moves and repeats after a loss
TRIES = 3  # number of processes that may crash on a photo before it fails
SECONDS_TO_CONNECT = 10.0
Rows = dict[str, Any]  # one column of pickled values


class RayExecutor:
    """Runs tasks on a Ray cluster."""

    def __init__(
        self, job: Job, address: str, *, cpus: float = 1.0, gpus: float | None = None
    ) -> None:
        """Connect to a cluster.

        Args:
            job: The job.
            address: ``"auto"``: the cluster on this machine, or the one the program was submitted
                to. ``"local"``: a new cluster on this machine, for this batch. Otherwise an
                address.
            cpus: CPU cores per actor.
            gpus: GPUs per actor. Default: 1 if the job's device is a GPU, else 0.

        Raises:
            ConfigError: If there is no such cluster, or it is too small for one actor.
            MissingExtra: If Ray is not installed.
        """
        on_cpu = str(job.load.get("device", "cpu")) == "cpu"
        gpus = (0.0 if on_cpu else 1.0) if gpus is None else gpus
        self._ray = need("ray", "scale", "a batch on a Ray cluster")
        self._data = need("ray.data", "scale", "a batch on a Ray cluster")
        self._cpus, self._gpus = cpus, gpus
        self._ours = not self._ray.is_initialized()
        if self._ours:
            self._connect(address)
        context = self._data.DataContext.get_current()
        context.enable_progress_bars = False
        context.issue_detectors_config.detectors = []
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        weights = job.load.get("weights")
        self._weights = None
        if weights is not None:
            from gatefill.checkpoints import find_weights
            from gatefill.checkpoints.shipped import FOLDER

            path = find_weights(weights)
            if path.parent != FOLDER:  # every node has the shipped weights
                self._weights = self._ray.put((path.name, path.read_bytes()))
        self._job = job
        self._check_size()

    def _check_size(self) -> None:
        """Raise ConfigError if no node can run an actor, for which Ray would wait forever."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(
            node.get("CPU", 0) >= self._cpus and node.get("GPU", 0) >= self._gpus for node in nodes
        ):
            raise ConfigError(
                f"expected a node with {self._cpus:g} CPUs and {self._gpus:g} GPUs, which an actor "
                "is to take, got a cluster without",
                code="config.ray",
            )

    def _connect(self, address: str) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if ":" in address:
                # Ray itself would wait for minutes.
                host, _, port = address.removeprefix("ray://").rpartition(":")
                socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
            if address == "local":
                self._ray.init(address="local", include_dashboard=False, **options)
            else:
                self._ray.init(address=address, **options)
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"expected a Ray cluster at {address!r}, found none ({error}); "
                "start one first, as Ray's manual says",
                code="config.ray",
            ) from error

    @property
    def count(self) -> int:
        """Return the number of actors that can run at the same time."""
        cluster = self._ray.cluster_resources()
        found = cluster.get("CPU", 1) / self._cpus if self._cpus else float("inf")
        if self._gpus:
            found = min(found, cluster.get("GPU", 0) / self._gpus)
        return max(int(found), 1)

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task as it completes.

        Raises the errors of loading the method.
        """
        to_verify: list[Task] = []
        to_fill: list[Task] = []
        to_assemble: list[Task] = []
        for task in tasks:
            if task.kind == "assemble":
                to_assemble.append(task)
            else:
                (to_verify if task.may_be_done else to_fill).append(task)
        # This takes no actors, so that a batch with nothing left to do loads no network.
        for found in self._run(to_verify, _verify):
            if isinstance(found, Task):
                to_fill.append(found)
            else:
                yield found
        yield from self._run(to_fill, _fetch, _Filler, _store)
        yield from self._run(to_assemble, _assemble)

    def _run(self, tasks: Sequence[Task], *steps: Any) -> Iterator[Any]:
        """Yield what comes out of the last of some steps for each task."""
        if not tasks:
            return
        rows = [{"state": pickle.dumps(task)} for task in tasks]
        per_block = max(PER_BLOCK, 2 * self._job.batch_size)
        blocks = max(-(-len(rows) // per_block), 1)
        dataset = self._data.from_items(rows, override_num_blocks=blocks)
        for step in steps:
            options = self._of_actors(blocks) if step is _Filler else self._of_tasks()
            dataset = dataset.map_batches(step, batch_size=None, batch_format="numpy", **options)
        for row in dataset.iter_rows():
            state = pickle.loads(row["state"])
            if isinstance(state, Exception):
                raise state
            yield state

    def _of_tasks(self) -> dict[str, Any]:
        """Return the options of a step that is run by tasks."""
        # Few CPUs, so that tasks fit beside the actors: they mostly wait for disks.
        return {"fn_args": (self._job,), "num_cpus": 0.01}

    def _of_actors(self, blocks: int) -> dict[str, Any]:
        """Return the options of the step that is run by actors."""
        threads = str(max(int(self._cpus), 1))
        return {
            "fn_constructor_args": (self._job, self._weights),
            "num_cpus": self._cpus,
            "num_gpus": self._gpus,
            "runtime_env": {"env_vars": dict.fromkeys(THREAD_VARIABLES, threads)},
            "compute": self._data.ActorPoolStrategy(min_size=1, max_size=min(self.count, blocks)),
        }

    def close(self) -> None:
        """Disconnect from the cluster, if this object connected to it."""
        if self._ours:
            self._ray.shutdown()


_works: dict[tuple[str, str], Work] = {}  # the `Work` objects of this process


def _work(job: Job) -> Work:
    """Return the `Work` of this process and job, so that it writes one manifest file."""
    key = job.output, job.fingerprint
    if key not in _works:
        _works[key] = Work(job)
    return _works[key]


def _each(rows: Rows, step: Any) -> Rows:
    return {"state": [pickle.dumps(step(pickle.loads(row))) for row in rows["state"]]}


def _verify(rows: Rows, job: Job) -> Rows:
    """Replace the tasks that are done by their outcomes: a task of the Ray job."""
    work = _work(job)

    def step(task: Task) -> Outcome | Task:
        return work.done_before(task) or task

    return _each(rows, step)


def _fetch(rows: Rows, job: Job) -> Rows:
    """Read photos and masks: a task of the Ray job."""
    work = _work(job)

    def step(task: Task) -> object:
        return work.fetch(task), task.kind != "try"

    return _each(rows, step)


class _Filler:
    """A warm actor that decodes, fills and encodes."""

    def __init__(self, job: Job, weights: Any) -> None:
        logging.getLogger("gatefill").setLevel(logging.ERROR)
        if weights is not None:
            import ray

            # The suffix of the file selects the runtime.
            name, data = ray.get(weights) if isinstance(weights, ray.ObjectRef) else weights
            file = Path(tempfile.mkdtemp()) / name
            file.write_bytes(data)
            job = replace(job, load={**job.load, "weights": file})
        self._work = Work(job)

    def __call__(self, rows: Rows) -> Rows:
        try:
            _ = self._work.inpainter
        except Exception as error:
            # As a row, because Ray would add text of its own, and not pass the exception on.
            return {"state": [pickle.dumps(error)]}
        if self._work.job.batch_size == 1:
            return _each(rows, self._step)
        # Several threads, so that the network can process several photos as one batch.
        with ThreadPoolExecutor(2 * self._work.job.batch_size) as pool:
            done = pool.map(self._step, map(pickle.loads, rows["state"]))
            return {"state": [*map(pickle.dumps, done)]}

    def _step(self, state: Any) -> object:
        found, keep = state
        return self._filled(found) if isinstance(found, Fetched) else found, keep

    def _filled(self, fetched: Fetched) -> EncodedItem | Outcome:
        work, item = self._work, fetched.item
        noted: list[str] = []
        try:
            self._begin(fetched.key, noted)
            found = work.fill(fetched, work.decode(fetched))
        except Exception as error:
            return failed(item, error, fetched.key)
        finally:
            with suppress(GatefillError, OSError):
                for name in noted:
                    work.output.remove(name)
        return work.encode(found) if isinstance(found, FilledItem) else found

    def _begin(self, key: str, noted: list[str]) -> None:
        """Record that a photo is started, so that crashing photos are not retried forever.

        Raises GatefillError if that happened too often.
        """
        output = self._work.output
        for number in range(TRIES):
            name = f"{TRIES_FOLDER}/{key}-{number}"
            noted.append(name)
            if output.size(name) is None:
                write(output, name, b"")
                return
        noted.clear()
        raise GatefillError(
            f"{TRIES} processes that filled it ended, out of memory perhaps", code="batch.worker"
        )


def _store(rows: Rows, job: Job) -> Rows:
    """Write outputs: a task of the Ray job."""
    work = _work(job)

    def step(state: Any) -> Outcome | Exception:
        if isinstance(state, Exception):
            return state
        found, keep = state
        if isinstance(found, EncodedItem):
            return work.store(found, keep=keep)
        assert isinstance(found, Outcome)
        if found.status == "failed":
            work.note_failure(found)
        return found

    done = _each(rows, step)
    work.manifest.flush()
    return done


def _assemble(rows: Rows, job: Job) -> Rows:
    """Write containers of filled photos: a task of the Ray job."""
    return _each(rows, _work(job).assemble)
