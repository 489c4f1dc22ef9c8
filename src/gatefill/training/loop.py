"""The training loop: runs from the first step, or from the last checkpoint, to the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from gatefill.checkpoints import Provenance, save_weights
from gatefill.errors import OutputError
from gatefill.training.checkpoints import Checkpoints
from gatefill.training.config import TrainConfig
from gatefill.training.data import Batch, DataSource, SketchExtractor, drawn_sketch
from gatefill.training.data.loader import Loader, fixed, lost_loader_said, make_loader
from gatefill.training.data.place import Place
from gatefill.training.devices import make_fabric, pick_precision
from gatefill.training.files import disk_full_said
from gatefill.training.journal import RunJournal, write_run
from gatefill.training.lock import FolderLock
from gatefill.training.meters import Clock, RunOutcome, Status, Sums
from gatefill.training.objectives import make_objective
from gatefill.training.pictures import sheet
from gatefill.training.resume import (
    about_data,
    expect_no_results,
    fingerprint,
    split,
    step_of,
    trained_on,
)
from gatefill.training.signals import StopSignals
from gatefill.training.start_from import load_start
from gatefill.training.state import State, mixed_seed, progress_of
from gatefill.training.step import Stepper, to_layout
from gatefill.training.validation import Measures, Validation

log = logging.getLogger(__name__)

EXAMPLES = 6  # rows of the example image


class TrainingStopped(RuntimeError):  # noqa: N818 - says what happened, as a name
    """Training cannot continue, although its input is valid; the state is saved."""


def train(
    config: TrainConfig,
    data: DataSource,
    folder: Path,
    *,
    validation: DataSource | None = None,
    devices: str = "auto",
    strategy: str = "auto",
    nodes: int = 1,
    start_from: Path | None = None,
    provenance: dict[str, str] | None = None,
    extractor: SketchExtractor = drawn_sketch,
    watch: Callable[[Status], None] | None = None,
) -> RunOutcome:
    """Train a network, or resume from the last checkpoint in the folder.

    Args:
        config: Config of the run.
        data: Training images; a part of them is held out unless there is `validation`.
        folder: Folder of the run; created if necessary.
        validation: Validation images.
        devices: Devices to train on, see `make_fabric`.
        strategy: How several processes share the work, see `make_fabric`.
        nodes: Number of machines.
        start_from: Initial weights of a new run: a weights file, a checkpoint, or a run's folder.
        provenance: ``data`` and ``license`` to store in the exported weights.
        extractor: Computes sketches if the config has `sketches` drawn.
        watch: Called after every step.

    Returns:
        The outcome of the run.

    Raises:
        GatefillError: If config, data and folder do not fit, or the folder is in use or full.
        TrainingStopped: If several steps in a row gave NaN or infinity.
    """
    fabric = make_fabric(config, devices, strategy, nodes)
    run = _Run(fabric, config, data, folder, provenance or {}, watch, strategy == "fsdp")
    with disk_full_said(folder), lost_loader_said(), closing(run):
        run.start(extractor, validation, start_from)
        with StopSignals() as stop:
            run.loop(stop)
    return run.outcome(stop.received)


class _Run:
    """One process of a training session."""

    def __init__(
        self,
        fabric: Fabric,
        config: TrainConfig,
        data: DataSource,
        folder: Path,
        provenance: dict[str, str],
        watch: Callable[[Status], None] | None,
        sharded: bool,
    ) -> None:
        self.fabric, self.config, self.data, self.folder = fabric, config, data, folder
        self.provenance, self.watch, self.sharded = provenance, watch, sharded
        self.leads = fabric.is_global_zero
        self.checkpoints = Checkpoints(folder / "checkpoints", config.keep)
        self.journal: RunJournal | None = None
        self.loader: Loader | None = None
        self.since = Sums()
        self.lock = FolderLock(folder)
        self.held_out: list[str] = []

    def start(
        self, extractor: SketchExtractor, validation: DataSource | None, start_from: Path | None
    ) -> None:
        """Create the state, or load it from the last checkpoint."""
        config, fabric = self.config, self.fabric
        batch = config.per_process(fabric.world_size)
        torch.manual_seed(config.seed)
        objective = make_objective(config)
        self._take_folder()
        saved = self.checkpoints.load_last()
        if saved is None:
            expect_no_results(self.folder)
        validation = self._split(validation, saved)
        started_from = ""
        if saved is None and start_from is not None:
            started_from = load_start(objective, config, start_from)
        to_layout(objective, config)
        objective.generator.to(fabric.device)
        self.state = State(config, objective, fabric if self.sharded else None)
        self.state.progress.started_from = started_from
        if saved is not None:
            changed = self.state.load(saved)
            if self.leads:
                log.info("going on after %d images", self.state.progress.images)
            if changed and self.leads:
                log.info(
                    "settings changed since the last session: %s", ", ".join(map(str, changed))
                )
        self._note_data()
        progress = self.state.progress
        self.saved_step = progress.step if saved is not None else None
        progress.sessions += 1
        self.stepper = Stepper(fabric, config, self.state)

        place = Place(fabric.global_rank, fabric.world_size)
        self.loader = make_loader(
            self.data,
            config.data,
            batch,
            seed=config.seed,
            place=place,
            position=progress.position,
            extractor=extractor,
        )
        if self.leads:
            self.journal = RunJournal(self.folder, progress.images)
            self.validation = Validation(
                fixed(validation, config.data, extractor), config, fabric.device
            )
            self._write_run()
        if saved is not None:
            self._export_anew()

    def _take_folder(self) -> None:
        """Lock the folder, and remove the temporary files of a killed process."""
        problem = None
        if self.leads:
            try:
                self.lock.acquire()
                self.checkpoints.prepare()
            except OutputError as error:
                problem = error
        problem = self.fabric.broadcast(problem)
        if problem is not None:
            raise problem

    def _split(self, validation: DataSource | None, saved: dict[str, Any] | None) -> DataSource:
        """Split off validation images unless they are given, in the same way in every session."""
        if validation is not None:
            both = trained_on(self.data, validation)
            if both and self.leads:
                log.warning(
                    "%d of %d validation images are trained on too, such as %s: the measures will "
                    "be better than on other images",
                    len(both),
                    len(validation.files),
                    both[0],
                )
            return validation
        kept = [] if saved is None else progress_of(saved).held_out
        self.data, apart = split(self.data, self.config.data.holdout, self.config.seed, kept)
        self.held_out = [self.data.key(file) for file in apart.files]
        return apart

    def _note_data(self) -> None:
        progress, found = self.state.progress, fingerprint(self.data)
        said = about_data(progress.data, found)
        if said and self.leads:
            log.warning("%s", said)
        progress.data, progress.held_out = found, self.held_out

    def _export_anew(self) -> None:
        """Export the newest weights if a process was killed before it could."""
        network = self.state.best_generator()
        for name in self._of_newest() if self.leads else ():
            if step_of(self.folder / name) != self.state.progress.step:
                self._export(name, network, None)

    def _of_newest(self) -> list[str]:
        """Return the files for the newest weights: without validation, the best one as well."""
        best = self.folder / "best.safetensors"
        unknown = self.state.progress.best_step is None or step_of(best) is None
        return ["last.safetensors", best.name] if unknown else ["last.safetensors"]

    def loop(self, stop: StopSignals) -> None:
        """Run steps until the budget is used up or a signal arrives."""
        config, progress = self.config, self.state.progress
        batches = self._batches()
        clock = Clock(progress.seconds)
        while not self.state.finished and not self._asked_to_stop(stop):
            before = progress.images
            # Random numbers depend only on the position in the run, so that resuming does not
            # change them.
            torch.manual_seed(mixed_seed(config.seed, self.fabric.global_rank, before))
            started = time.monotonic()
            outcome = self.stepper.run(batches)
            progress.step += 1
            progress.images += config.batch_size
            progress.seconds = self._everywhere_the_same(clock.seconds)
            self._count_skips(outcome.skipped)
            self._note(outcome.terms, before, time.monotonic() - started)

            if self._due(config.validate_every, before):
                self._validate()
            if self._due(config.checkpoint_every, before) and self.saved_step != progress.step:
                self._save()
        if self.saved_step != progress.step:
            self._save()

    def close(self) -> None:
        """End the loading processes and close the log."""
        if self.loader is not None:
            self.loader.close()
        if self.journal is not None:
            self.journal.close()
        self.lock.release()

    def outcome(self, signal: int | None) -> RunOutcome:
        progress = self.state.progress
        return RunOutcome(
            folder=self.folder,
            images=progress.images,
            finished=self.state.finished,
            signal=signal,
            best=progress.best,
            skipped=progress.skipped,
            broken=len(progress.broken),
            seconds=progress.seconds,
            leads=self.leads,
        )

    def _batches(self) -> Iterator[Batch]:
        """Batches on the device; records broken images and the time spent waiting."""
        assert self.loader is not None
        while True:
            started = time.monotonic()
            stored = self.loader.next()
            self.since.waited += time.monotonic() - started
            for name, _, problem in (each.partition(": ") for each in stored.broken):
                if name not in self.state.progress.broken:
                    log.warning("skipping a broken image: %s (%s)", name, problem)
                    self.state.progress.broken[name] = problem
            yield stored.to_batch(
                self.fabric.device, self.config.channel_order, self.config.channels_last
            )

    def _due(self, every: int, before: int) -> bool:
        """Return whether the last step passed a multiple of `every` images, or the budget."""
        now = self.state.progress.images
        return now // every != before // every or self.state.finished

    def _asked_to_stop(self, stop: StopSignals) -> bool:
        """Return whether any of the processes has received a signal to end."""
        if self.fabric.world_size == 1:
            return stop.received is not None
        told = torch.tensor(float(stop.received is not None), device=self.fabric.device)
        total = self.fabric.all_reduce(told, reduce_op="sum")
        return bool(total)

    def _everywhere_the_same(self, seconds: float) -> float:
        """Synchronize the clock with that of the first process, if the schedule depends on it."""
        if self.fabric.world_size == 1 or self.config.minutes is None:
            return seconds
        return self.fabric.broadcast(seconds)

    def _count_skips(self, skipped: int) -> None:
        progress = self.state.progress
        progress.skipped += skipped
        progress.skipped_in_a_row = progress.skipped_in_a_row + 1 if skipped else 0
        if skipped:
            log.warning("step %d: NaN or infinity, update skipped", progress.step)
        if progress.skipped_in_a_row >= self.config.patience:
            progress.skipped_in_a_row = 0  # a resumed run starts counting again
            self._save()
            raise TrainingStopped(
                f"{self.config.patience} steps in a row gave NaN or infinity, after "
                f"{progress.images} images; the state before them is kept in {self.folder}. "
                "A lower optimizer.lr, optimizer.clip=1 or precision=32-true usually helps"
            )

    def _note(self, terms: dict[str, torch.Tensor], before: int, seconds: float) -> None:
        """Collect values for the log, and write a line if one is due."""
        since = self.since
        since.add(terms, self.config.batch_size, seconds)
        due = self._due(self.config.log_every, before)
        values = since.means(self.fabric) if due else None
        if due and self.journal is not None:
            assert values is not None
            values["skipped"] = float(self.state.progress.skipped)
            values["lr"] = float(self.state.generator_optimizer.param_groups[0]["lr"])
            self.journal.write(self.state.progress.images, "train", values)
        if self.watch is not None and self.leads:
            speed = since.images_per_second
            images = self.state.progress.images
            share = self.state.share
            if self.config.minutes is None:
                left = (self.config.images - images) / max(speed, 1e-9)
            else:
                left = 60 * self.config.minutes * (1 - share)
            self.watch(Status(images, share, left, speed, values))
        if due:
            self.since = Sums()

    def _validate(self) -> None:
        """Validate and draw examples; export the weights if they are the best so far."""
        progress, objective = self.state.progress, self.state.objective
        network = self.state.best_generator()
        if self.leads and self.journal is not None and self.validation.count:
            found = self.validation.measure(objective, network)
            values = {name: value for name, value in vars(found).items() if value is not None}
            self.journal.write(progress.images, "validation", values)
            log.info("%d images: %s", progress.images, found)
            batch, filled = self.validation.examples(objective, network, EXAMPLES)
            picture = sheet(batch, filled, self.config.channel_order)
            self.journal.picture(progress.images, "examples", picture)
            if found.better_than(progress.best, self.config.best_by):
                progress.best = getattr(found, self.config.best_by)
                progress.best_step = progress.step
                self._export("best.safetensors", network, found)
        progress.best, progress.best_step = self.fabric.broadcast(
            (progress.best, progress.best_step)
        )
        if progress.best_step == progress.step:
            self._save()

    def _save(self) -> None:
        """Write a checkpoint, the newest weights and ``run.json``."""
        state, network = self.state.as_dict(), self.state.best_generator()
        if self.leads:
            self.checkpoints.save(state, self.state.progress.step, self.state.progress.best_step)
            for name in self._of_newest():
                self._export(name, network, None)
            self._write_run()
        self.saved_step = self.state.progress.step
        self.fabric.barrier()

    def _export(self, name: str, network: nn.Module, measures: Measures | None) -> None:
        """Export the generator as a weights file."""
        progress = self.state.progress
        quality = "" if measures is None else f", validation {measures}"
        source = f"gatefill train {self.config.recipe}, {progress.images} images{quality}"
        if progress.started_from:
            source += f"; started from: {progress.started_from}"
        facts = Provenance(source=source, step=progress.step, **self.provenance)
        weights = network.state_dict()
        save_weights(self.folder / name, self.config.method, self.config.network, weights, facts)

    def _write_run(self) -> None:
        facts: dict[str, Any] = {
            "data": {"name": self.data.name, "files": len(self.data.files)},
            "validation_images": self.validation.count,
            "processes": self.fabric.world_size,
            "device": str(self.fabric.device),
            "precision": pick_precision(self.config.precision, self.fabric.device.type),
            "progress": self.state.progress.__dict__,
        }
        write_run(self.folder, self.config, facts)
