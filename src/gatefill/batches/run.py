"""`batch` and `preview`: plan, run and count."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from gatefill.batches.items import STATE, BatchPlan, Container, Item, Outcome, Ref, Task
from gatefill.batches.job import Job, make_job
from gatefill.batches.local import LocalExecutor, processes_that_pay
from gatefill.batches.manifest import read_manifest
from gatefill.batches.memory import read_bytes
from gatefill.batches.places import FolderOutput, Output, open_output
from gatefill.batches.plan import Kind, Request, make_plan
from gatefill.batches.summary import Preview, Summary
from gatefill.batches.tally import Tally, Watch
from gatefill.batches.work import container_key
from gatefill.errors import ConfigError, OutputError
from gatefill.settings import expect_at_least

WAVE = 16  # number of containers to fill before they are assembled
TRIED = 10  # number of photos to fill for an estimate
_OF_THE_FILES = (*("mask", "masks", "mask_column", "photo_column", "format", "to", "per_shard"),)
_OF_THE_RUN = (
    *("processes", "threads", "memory_limit", "ray", "cpus_per_actor", "gpus_per_actor"),
    *("fail_fast", "overwrite", "watch"),
)
Given = str | os.PathLike[str]


class Executor(Protocol):
    """Runs tasks, locally or on a cluster."""

    @property
    def count(self) -> int: ...  # number of workers
    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]: ...
    def close(self) -> None: ...


def batch(
    photos: Given | Sequence[Given],
    output: Given,
    *,
    mask: Given | None = None,
    masks: Given | None = None,
    mask_column: str | None = None,
    photo_column: str | None = None,
    format: str | None = None,
    to: Kind | None = None,
    per_shard: int = 1000,
    processes: int | None = None,
    threads: int = 1,
    memory_limit: int | str | None = None,
    ray: str | None = None,
    cpus_per_actor: float = 1.0,
    gpus_per_actor: float | None = None,
    fail_fast: bool = False,
    overwrite: bool = False,
    watch: Watch | None = None,
    **options: Any,
) -> Summary:
    """Fill many photos. Call it again to continue, and to fill new or changed photos.

    Args:
        photos: Folders, files, patterns, text lists, WebDataset shards (``.tar``) or Parquet files,
            as paths or URLs.
        output: Path or URL of the folder to write to; it gets the subfolders, names and formats of
            the input, and the manifest in ``.gatefill``.
        mask: One mask for all photos.
        masks: A folder of masks, found by name: for ``a.jpg`` it is ``a.jpg.mask.png``,
            ``a_mask*.png`` or ``a.png``. Without `mask`, `masks` and `mask_column`, masks with such
            names are searched beside the photos, or in the same sample or row; without any, the
            transparent part of the photo is the hole.
        mask_column: Column of the masks in Parquet files, or name of the mask's member in shards.
        photo_column: Column of the photos in Parquet files.
        format: Format of the outputs, such as ``"png"``. Default: that of each photo.
        to: ``"files"``, ``"shards"`` or ``"parquet"``. Default: the kind of the input.
        per_shard: Photos per shard or Parquet file when files are written to these.
        processes: Number of processes. Default: one per core as far as memory allows; one for a
            GPU.
        threads: Threads per process.
        memory_limit: Memory that all processes together may use, in bytes or as text such as
            ``"8GB"``.
        ray: ``"auto"``, ``"local"`` or the address of a Ray cluster to run on.
        cpus_per_actor: CPU cores per actor of the cluster.
        gpus_per_actor: GPUs per actor. Default: 1 if `device` is a GPU.
        fail_fast: Stop at the first photo that fails.
        overwrite: Allow an output folder with other files.
        watch: Called repeatedly with the progress.
        **options: All options of `gatefill.load`, of `Inpainter.__call__` and of `Result.save`,
            such as method, weights, device, grow, resize_mask, quality.

    Returns:
        The numbers of filled, skipped and failed photos. A failed photo does not stop the batch: it
        is listed in ``errors.jsonl`` in the output folder.

    Raises:
        FileNotFoundError: If an input does not exist.
        GatefillError: If the batch as a whole is invalid.
    """
    started = time.monotonic()
    request = _request(
        photos,
        output,
        mask=mask,
        masks=masks,
        mask_column=mask_column,
        photo_column=photo_column,
        format=format,
        to=to,
        per_shard=per_shard,
    )
    job = make_job(request.output, options)
    out = open_output(request.output)
    plan = make_plan(request)
    _check_output(out, overwrite)
    with _locked(out):
        out.prepare()
        known = read_manifest(out)
        executor = _executor(
            job,
            len(plan.items),
            {
                "processes": processes,
                "threads": threads,
                "memory_limit": memory_limit,
                "ray": ray,
                "cpus_per_actor": cpus_per_actor,
                "gpus_per_actor": gpus_per_actor,
            },
        )
        try:
            with Tally(out, plan, watch, fail_fast) as tally:
                _run(plan, known, executor, out, tally)
        finally:
            executor.close()
    tally.summary.seconds = time.monotonic() - started
    return tally.summary


def preview(photos: Given | Sequence[Given], output: Given, **given: Any) -> Preview:
    """Report what `batch` with the same arguments would do, without writing anything.

    Args:
        photos: See `batch`.
        output: See `batch`.
        **given: The other arguments of `batch`.

    Returns:
        The photos, masks and outputs, and an estimate of the time, for which ten of the photos are
        filled.

    Raises:
        FileNotFoundError, GatefillError: As for `batch`.
    """
    own = inspect.signature(batch).parameters
    run = {name: given.pop(name, own[name].default) for name in _OF_THE_RUN}
    files = {name: given.pop(name, own[name].default) for name in _OF_THE_FILES}
    request = _request(photos, output, **files)
    job, out = make_job(request.output, given), open_output(request.output)
    plan = make_plan(request)
    known = read_manifest(out, merge=False)
    items = [item.with_known(known) for item in plan.items]
    executor = _executor(job, len(items), run)
    try:
        checks = [Task("check", item) for item in items if item.known is not None]
        same = {
            outcome.item.target
            for outcome in executor.run(checks)
            if outcome.status == "skipped" and _is_there(out, outcome.item, known)
        }
        todo = [item for item in items if item.target not in same]
        seconds, tried = _estimate(executor, todo)
        processes = executor.count  # a closed executor has none
    finally:
        executor.close()
    lines = [
        (item.name, "" if item.mask is None else item.mask.place, item.container or item.output)
        for item in todo
    ]
    return Preview(lines, len(same), plan.problems, plan.notes, seconds, processes, tried)


def _estimate(executor: Executor, todo: Sequence[Item]) -> tuple[float | None, int]:
    """Estimate the seconds for all items from some of them, evenly spread over the list."""
    if not todo:
        return 0.0, 0
    step = max(len(todo) // TRIED, 1)
    sample = todo[::step][:TRIED]
    warm = [Task("try", item) for item in [*sample[:2]] * executor.count]
    for _ in executor.run(warm):  # the first fill of a process takes longer
        pass
    started = time.monotonic()
    tried = list(executor.run(Task("try", item) for item in sample))
    good = sum(outcome.status == "done" for outcome in tried)
    if not good:
        return None, 0
    return (time.monotonic() - started) / len(sample) * len(todo), good


def _is_there(out: Output, item: Item, known: Mapping[str, Any]) -> bool:
    if item.container is None:
        return item.known is not None and out.size(item.output) == item.known.size
    record = known.get(item.container)
    return record is not None and out.size(item.container) == record.size


def _request(photos: Given | Sequence[Given], output: Given, **files: Any) -> Request:
    inputs = [photos] if isinstance(photos, (str, os.PathLike)) else [*photos]
    for name in ("mask", "masks"):
        if files[name] is not None:
            files[name] = os.fspath(files[name])
    return Request(tuple(os.fspath(each) for each in inputs), os.fspath(output), **files)


def _executor(job: Job, count: int, run: Mapping[str, Any]) -> Executor:
    """Create the executor. run: the arguments of `batch` named in `_OF_THE_RUN`."""
    _check_numbers(run)
    limit = run["memory_limit"]
    limit = read_bytes(limit) if isinstance(limit, str) else limit
    processes = run["processes"]
    if run["ray"] is not None:
        from gatefill.batches.cluster import RayExecutor

        if processes is not None or limit is not None:
            raise ConfigError(
                "expected no number of processes and no memory limit for a Ray cluster, which "
                "decides that itself",
                code="config.ray",
            )
        return RayExecutor(job, run["ray"], cpus=run["cpus_per_actor"], gpus=run["gpus_per_actor"])
    if processes is None:
        processes = processes_that_pay(limit, str(job.load.get("device", "cpu")))
        processes = max(min(processes, count), 1)
    return LocalExecutor(job, processes=processes, threads=run["threads"], memory_limit=limit)


def _check_numbers(run: Mapping[str, Any]) -> None:
    expect_at_least(1, processes=run["processes"], threads=run["threads"])
    expect_at_least(0, cpus_per_actor=run["cpus_per_actor"], gpus_per_actor=run["gpus_per_actor"])


def _check_output(out: Output, overwrite: bool) -> None:
    """Raise OutputError for a folder with other files, which might be overwritten."""
    if overwrite or not isinstance(out, FolderOutput):
        return
    root = Path(out.root)
    if root.exists() and not root.is_dir():
        raise OutputError(
            f"expected a folder to write into, got a file: {root}",
            code="output.no_folder",
            file=str(root),
        )
    if root.is_dir() and not (root / STATE).is_dir() and any(root.iterdir()):
        raise OutputError(
            f"expected an empty folder or that of an earlier batch, got {root} with other files",
            code="output.occupied",
        )


@contextmanager
def _locked(out: Output) -> Iterator[None]:
    """Lock a local output folder for this batch; the lock ends with the process."""
    if not isinstance(out, FolderOutput):
        yield
        return
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with suppress(FileExistsError):
        Path(out.root).mkdir(parents=True, exist_ok=True)
    out.prepare()
    with (Path(out.root) / STATE / "lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"another batch is writing into {out.root}", code="output.locked"
            ) from None
        yield


def _run(
    plan: BatchPlan, known: Mapping[str, Any], executor: Executor, out: Output, tally: Tally
) -> None:
    """Fill the remaining photos, then assemble containers, some at a time."""
    if tally.summary.stopped:
        return
    single = [item.with_known(known) for item in plan.items if item.container is None]
    for outcome in executor.run(Task("fill", item) for item in single):
        if not tally.add(outcome):
            return
    parts: dict[str, list[Item]] = {container.output: [] for container in plan.containers}
    for item in plan.items:
        if item.container is not None:
            parts[item.container].append(item.with_known(known))
    for start in range(0, len(plan.containers), WAVE):
        wave = [each for each in plan.containers[start : start + WAVE] if parts[each.output]]
        wave = _not_done(wave, parts, known, executor, out, tally)
        if not _fill_wave(wave, parts, executor, tally):
            return


def _not_done(
    wave: Sequence[Container],
    parts: Mapping[str, list[Item]],
    known: Mapping[str, Any],
    executor: Executor,
    out: Output,
    tally: Tally,
) -> list[Container]:
    """Return the containers that are new, or in which something has changed."""
    there = [
        each
        for each in wave
        if each.output in known and out.size(each.output) == known[each.output].size
    ]
    checks = [Task("check", item) for each in there for item in parts[each.output]]
    found: dict[str, list[Outcome]] = {each.output: [] for each in there}
    for outcome in executor.run(checks):
        found[str(outcome.item.container)].append(outcome)
    same = set()
    for each in there:
        outcomes = sorted(found[each.output], key=lambda outcome: outcome.item.index)
        keys = [outcome.key for outcome in outcomes if outcome.status == "skipped"]
        if container_key(keys) == known[each.output].key and all(
            outcome.status != "changed" for outcome in outcomes
        ):
            same.add(each.output)
            for outcome in outcomes:
                tally.add(outcome)
    return [each for each in wave if each.output not in same]


def _fill_wave(
    wave: Sequence[Container],
    parts: Mapping[str, list[Item]],
    executor: Executor,
    tally: Tally,
) -> bool:
    """Fill the photos of some containers; return whether the batch continues."""
    tasks = (Task("fill", item) for each in wave for item in parts[each.output])
    filled: dict[str, list[tuple[Item, str]]] = {each.output: [] for each in wave}
    for outcome in executor.run(tasks):
        if outcome.status in ("done", "skipped"):
            filled[str(outcome.item.container)].append((outcome.item, outcome.key))
        if not tally.add(outcome):
            return False
    assembling = [
        Task(
            "assemble",
            Item(each.output, Ref(each.output), None, each.output, ""),
            each,
            tuple(sorted(filled[each.output], key=lambda part: part[0].index)),
        )
        for each in wave
    ]
    return all(tally.add_container(outcome) for outcome in executor.run(assembling))
