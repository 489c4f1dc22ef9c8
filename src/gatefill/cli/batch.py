"""The verb that fills many photos: batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, Switch, app
from gatefill.cli.fill import inpaint, settings_of
from gatefill.cli.shared import with_options_of

if TYPE_CHECKING:
    from gatefill.batches import BatchProgress, Preview, Summary

SHOWN = 10  # failures to print; errors.jsonl lists all
# Options of `inpaint` that apply to a single photo and its files.
OF_ONE_PHOTO = ("output", "sketch", "search", "attention", "attention_lines", "overwrite", "json")


@app.command(
    usage="Usage: gatefill batch IN... -o OUT [--mask FILE | --masks DIR] [OPTIONS]",
    help_epilogue=(
        "Example: `gatefill batch photos --masks masks -o clean --grow 3`\n\n"
        "To continue after an interruption, or to fill new and changed photos, run the same "
        "command again. Exit status 3: some photos failed, see OUT/errors.jsonl."
    ),
)
@with_options_of(inpaint, without=OF_ONE_PHOTO)
def batch(
    *photos: Annotated[str, Parameter(name="IN")],
    output: Annotated[str, Parameter(alias="-o")],
    mask: str | None = None,
    masks: str | None = None,
    mask_column: str | None = None,
    photo_column: str | None = None,
    format: str | None = None,
    to: Literal["files", "shards", "parquet"] | None = None,
    per_shard: int = 1000,
    processes: int | None = None,
    threads: int = 1,
    memory_limit: str | None = None,
    ray: str | None = None,
    cpus_per_actor: float = 1.0,
    gpus_per_actor: float | None = None,
    fail_fast: Switch = False,
    dry_run: Switch = False,
    overwrite: Switch = False,
    json: Json = False,
    **options: Any,
) -> int:
    """Fill many photos in parallel, with one mask for all or one for each.

    A photo that fails does not stop the batch: it is listed in OUT/errors.jsonl.

    Parameters
    ----------
    photos
        A folder, with its subfolders; files or a pattern; a text file with one path per line;
        WebDataset shards such as shards-{000..099}.tar; Parquet files. As paths or URLs.
    output
        The folder to write to. It has the subfolders, file names and formats of IN.
    mask
        One mask for all photos.
    masks
        A folder with one mask per photo, found by name: for a.jpg it is a.jpg.mask.png, a_mask*.png
        or a.png. Default: masks with such names beside the photos, otherwise the transparent part
        of each photo.
    mask_column
        Column of the masks in Parquet files, or name of the mask's member in shards.
    photo_column
        Column of the photos in Parquet files.
    format
        Write all photos as png, jpg, webp, tiff, bmp or avif. Default: each in its own format.
    to
        Write files, shards or parquet. Default: the same kind as the input.
    per_shard
        Photos per shard or Parquet file.
    processes
        Number of processes. Default: one per core, as far as memory allows.
    threads
        Threads per process.
    memory_limit
        Memory that all processes together may use, such as 8GB.
    ray
        Run on a Ray cluster: auto for the cluster that Ray finds, local for one on this machine, or
        an address.
    cpus_per_actor
        CPU cores per actor of the cluster.
    gpus_per_actor
        GPUs per actor, such as 0.25. Default: 1 if DEVICE is a GPU.
    fail_fast
        Stop at the first photo that fails.
    dry_run
        List what would be done, and estimate the time from ten photos, without writing anything.
    overwrite
        Allow OUT to contain other files.
    """
    from gatefill.batches import batch as run
    from gatefill.batches import preview

    options |= settings_of(
        options.get("method"),
        options.get("weights"),
        options.pop("seed", None),
        options.pop("set_", ()),
    )
    given: dict[str, Any] = {
        "mask": mask,
        "masks": masks,
        "mask_column": mask_column,
        "photo_column": photo_column,
        "format": format,
        "to": to,
        "per_shard": per_shard,
        "processes": processes,
        "threads": threads,
        "memory_limit": memory_limit,
        "ray": ray,
        "cpus_per_actor": cpus_per_actor,
        "gpus_per_actor": gpus_per_actor,
        **{name: value for name, value in options.items() if value is not None},
    }
    if dry_run:
        return _show_preview(preview(photos, output, **given), json)
    with _watching(quiet=json) as watch:
        summary = run(
            photos, output, **given, fail_fast=fail_fast, overwrite=overwrite, watch=watch
        )
    return _show(summary, json)


def _show(summary: Summary, json: bool) -> int:
    status = terminal.OK if summary.complete else terminal.PARTLY
    if json:
        terminal.show_json(summary.as_dict())
        return status
    for note in summary.notes:
        terminal.warn(f"{note.name} {note.text}")
    for failure in summary.failures[:SHOWN]:
        terminal.fail(f"{failure.name}: {failure.text}")
    if len(summary.failures) > SHOWN:
        terminal.fail(f"{len(summary.failures) - SHOWN} more failed, see {summary.errors}")
    if summary.stopped:
        terminal.fail(
            f"stopped, {summary.left} photos are left: {summary.stopped}; "
            "the same command goes on from here"
        )
    counts = [f"{summary.filled} filled"]
    counts += [f"{summary.skipped} done before"] if summary.skipped else []
    counts += [f"{summary.failed} failed"] if summary.failed else []
    speed = f"{summary.seconds:.1f} s"
    if summary.filled:
        speed += f", {summary.filled / max(summary.seconds, 1e-9):.2f} photos per second"
    terminal.say(f"{summary.output}  ({', '.join(counts)}; {speed})")
    for code, count in sorted(summary.warnings.items()):
        terminal.say(f"  {count} with the warning {code}")
    return status


def _show_preview(found: Preview, json: bool) -> int:
    if json:
        terminal.show_json(
            {
                "todo": [
                    {"photo": photo, "mask": mask or None, "output": output}
                    for photo, mask, output in found.todo
                ],
                "skipped": found.skipped,
                "problems": [problem.as_line() for problem in found.problems],
                "notes": [note.as_line() for note in found.notes],
                "seconds": found.seconds,
                "processes": found.processes,
            }
        )
        return terminal.OK
    for photo, mask, output in found.todo:
        terminal.say(f"{photo} + {mask or 'its transparent part'} -> {output}")
    for note in found.notes:
        terminal.warn(f"{note.name} {note.text}")
    for problem in found.problems:
        terminal.fail(f"{problem.name}: {problem.text}")
    time = "" if found.seconds is None else f", about {_duration(found.seconds)}"
    terminal.say(
        f"{len(found.todo)} to fill, {found.skipped} done before, {len(found.problems)} "
        f"cannot be done{time} with {found.processes} processes"
    )
    return terminal.OK


def _duration(seconds: float) -> str:
    """Format a time such as ``42 s``, ``3 min`` or ``7.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


@contextmanager
def _watching(*, quiet: bool) -> Iterator[Callable[[BatchProgress], None] | None]:
    """Show one line that is updated in a terminal; elsewhere print a line every 30 seconds."""
    from time import monotonic

    console = terminal.err()
    if quiet:
        yield None
        return
    if console.is_terminal:
        with console.status("starting") as status:
            yield lambda progress: status.update(_line(progress))
        return
    last = monotonic()

    def say(progress: BatchProgress) -> None:
        nonlocal last
        if monotonic() - last >= 30:
            last = monotonic()
            terminal.say(_line(progress), console=console)

    yield say


def _line(progress: BatchProgress) -> str:
    left = progress.seconds_left
    return (
        f"{progress.finished:,} of {progress.total:,} photos, "
        f"{progress.photos_per_second:.2f} photos and {progress.megapixels_per_second:.2f} "
        f"megapixels per second" + ("" if left is None else f", {_duration(left)} left")
    )
