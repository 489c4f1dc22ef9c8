"""The verb that trains."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, Switch, app
from gatefill.extras import require
from gatefill.methods.registry import RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatefill.training.dry_run import DryRun
    from gatefill.training.meters import RunOutcome, Status

NOT_FINITE = 4  # exit status: the losses are no longer finite
EVERY = 60.0  # seconds between progress lines if none of the log is due


def _recipes() -> str:
    """Return the help text of RECIPE."""
    laptop = [name for name in RECIPES if name.endswith("-laptop")]
    published = ", ".join(name for name in RECIPES if name not in laptop)
    return f"As published: {published}. For two cores: {', '.join(laptop)}."


@app.command(
    usage="Usage: gatefill train RECIPE --data DIR [-o DIR] [--set KEY=VALUE ...] [OPTIONS]",
    help_epilogue=(
        "Example: `gatefill train deepfill-v2-laptop --data photos --set images=50000`\n\n"
        "To continue after an interruption, run the same command again. "
        "Exit status 143 (SIGTERM) or 130 (Ctrl-C): stopped and saved; 4: stopped and saved "
        "because the losses are no longer finite."
    ),
)
def train(
    recipe: Annotated[str, Parameter(help=_recipes())],
    /,
    *,
    data: str,
    validate: str | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    set_: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", metavar="KEY=VALUE", show_default=False),
    ] = (),
    devices: str = "auto",
    strategy: str = "auto",
    nodes: int = 1,
    start_from: Path | None = None,
    minutes: float | None = None,
    masks: Path | None = None,
    teacher: Path | None = None,
    data_name: str = "not stated",
    license: str = "not stated",
    dry_run: Switch = False,
    json: Json = False,
) -> int:
    """Train a network, or resume its training.

    Parameters
    ----------
    data
        A folder of images, a text file with one path per line, or shards such as
        shards-{000..099}.tar, also as a URL.
    validate
        Validation images, in one of the same forms. Default: a part of the data is held out.
    output
        Folder of the run. Default: runs/RECIPE.
    set_
        Change a setting of the recipe, such as batch_size=8 or data.size=128; may be repeated.
        --dry-run lists all settings.
    devices
        auto, cpu, cuda, or with a number of devices: cuda:4, cpu:2.
    strategy
        Strategy for several processes, by its name in Lightning Fabric: auto, ddp, fsdp.
    nodes
        Number of machines.
    start_from
        Weights to start a new run from, instead of random ones (fine-tuning): a weights file;
        standard, compact or guide, which come with gatefill; or the folder or a checkpoint of
        another run, whose discriminator is used, too. A resumed run keeps its own weights.
    minutes
        Train for this long, all sessions together; the learning rate and the phases of the recipe
        then follow the time. Default: train for the recipe's number of images.
    masks
        A folder of masks, white = hole, instead of random masks: for each image the mask of its
        name (photos/a.jpg, masks/a.png) if all images have one, otherwise random ones of the
        folder.
    teacher
        Weights of another network, of any method, as a target besides the true image: distillation.
        A file, standard or compact. Its weight in the loss is terms.teacher (1 by default).
    data_name
        Name of the training data, stored in the weights file.
    license
        License of the weights, stored in the weights file.
    dry_run
        Print the settings, the memory and the speed of the training, without writing anything.
    """
    require("train", "training")
    from gatefill.settings import with_settings
    from gatefill.training.data import open_source
    from gatefill.training.dry_run import dry_run as measure
    from gatefill.training.loop import TrainingStopped
    from gatefill.training.loop import train as run
    from gatefill.training.recipes import recipe as recipe_named

    config = with_settings(recipe_named(recipe), set_)
    if minutes is not None:
        config = replace(config, minutes=minutes)
    if masks is not None:
        config = replace(config, data=replace(config.data, mask_folder=masks))
    if teacher is not None:
        terms = replace(config.terms, teacher_weights=teacher, teacher=config.terms.teacher or 1.0)
        config = replace(config, terms=terms)
    source = open_source(data)
    held_out = None if validate is None else open_source(validate)
    if source.missing:
        terminal.warn(
            f"{len(source.missing)} of the listed images are not there, "
            f"the first is {source.missing[0]}"
        )
    if dry_run:
        found = measure(config, source, devices, strategy, nodes, start_from)
        return _show_dry_run(found, json)
    try:
        with _watching(quiet=json) as watch:
            outcome = run(
                config,
                source,
                Path("runs") / config.recipe if output is None else output,
                validation=held_out,
                devices=devices,
                strategy=strategy,
                nodes=nodes,
                start_from=start_from,
                provenance={"data": data_name, "license": license},
                watch=watch,
            )
    except TrainingStopped as problem:
        terminal.fail(str(problem))
        return NOT_FINITE
    if outcome.leads:
        _show(outcome, json)
    return terminal.OK if outcome.signal is None else 128 + outcome.signal


def _show(outcome: RunOutcome, json: bool) -> None:
    best = outcome.folder / "best.safetensors"
    if json:
        terminal.show_json(
            {
                "folder": str(outcome.folder),
                "weights": str(best),
                "images": outcome.images,
                "finished": outcome.finished,
                "best": outcome.best,
                "skipped_updates": outcome.skipped,
                "broken_images": outcome.broken,
                "seconds": round(outcome.seconds, 1),
            }
        )
        return
    if outcome.finished:
        terminal.say(f"{best}  ({outcome.images:,} images, {_time(outcome.seconds)})")
        # A network that was trained for a short time fills with noise; the hybrid copes with that.
        terminal.say(f"try it: gatefill inpaint photo.jpg mask.png -m hybrid --weights {best}")
    else:
        terminal.say(f"stopped and saved after {outcome.images:,} images: run again to go on")
    if outcome.broken:
        terminal.say(f"{outcome.broken} broken images were skipped; run.json names them")


def _show_dry_run(found: DryRun, json: bool) -> int:
    if json:
        terminal.show_json(
            {
                "config": found.config,
                "generator_parameters": found.generator_parameters,
                "critic_parameters": found.critic_parameters,
                "fixed_mb": round(found.fixed_mb, 1),
                "peak_mb": round(found.peak_mb, 1),
                "images_per_second": round(found.images_per_second, 2),
                "waiting_for_data": round(found.waiting_for_data, 4),
                "hours": round(found.hours, 2),
            }
        )
        return terminal.OK
    for key, value in _flat(found.config):
        terminal.say(f"{key:<26}{value}")
    terminal.say("")
    terminal.say(f"{'generator':<26}{found.generator_parameters:,} parameters")
    terminal.say(f"{'critic':<26}{found.critic_parameters:,} parameters")
    terminal.say(f"{'weights and optimizer':<26}{found.fixed_mb:,.0f} MB")
    terminal.say(f"{'memory at its peak':<26}{found.peak_mb:,.0f} MB")
    speed = f"{found.images_per_second:.1f} images per second"
    terminal.say(f"{'speed':<26}{speed}, {found.waiting_for_data:.1%} of the time waiting for data")
    images = round(found.hours * 3600 * found.images_per_second)
    terminal.say(f"{'whole budget':<26}{found.hours:,.1f} hours for {images:,} images")
    return terminal.OK


def _flat(value: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the keys that ``--set`` accepts, and their values."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{prefix}{key}.")
        elif isinstance(item, (list, tuple)):
            yield prefix + key, ",".join(map(str, item))
        else:
            yield prefix + key, "none" if item is None else str(item)


@contextmanager
def _watching(*, quiet: bool) -> Iterator[Callable[[Status], None] | None]:
    """Show a bar with images per second and time left; lines if standard error is no terminal."""
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = terminal.err()
    if quiet:
        yield None
        return
    if not console.is_terminal:
        yield _lines()
        return
    bar = Progress(
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.fields[images]:,} images"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
        console=console,
    )
    task = bar.add_task("training", total=1.0, images=0, speed="", losses="")

    def move(status: Status) -> None:
        bar.update(
            task,
            completed=status.share,
            images=status.images,
            speed=f"{status.images_per_second:.1f}/s",
        )
        if status.terms is not None:
            bar.update(task, losses=_losses(status.terms))
        if not bar.live.is_started:
            bar.start()

    try:
        yield move
    finally:
        bar.stop()


def _lines() -> Callable[[Status], None]:
    """Return a function that prints a line at the first step, each log line and each minute."""
    due = 0.0

    def say(status: Status) -> None:
        nonlocal due
        now = time.monotonic()
        if status.terms is None and now < due:
            return
        due = now + EVERY
        losses = "" if status.terms is None else f", {_losses(status.terms)}"
        terminal.say(
            f"{status.images:,} images, {status.share:.1%} of the budget, "
            f"{status.images_per_second:.1f} images per second, "
            f"{_time(status.seconds_left)} left{losses}",
            console=terminal.err(),
        )

    return say


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def _losses(terms: dict[str, float]) -> str:
    return " ".join(
        f"{name} {value:.3f}"
        for name, value in terms.items()
        if name.startswith(("l1", "mse", "d_loss", "perceptual", "style"))
    )
