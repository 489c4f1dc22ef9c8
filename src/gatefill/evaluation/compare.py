"""Compares methods on the same photos and holes, measured in one run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

import gatefill
from gatefill.errors import DataError, GatefillError
from gatefill.evaluation.cases import (
    Case,
    case_from_folder,
    case_key,
    check_cutouts,
    list_cutouts,
    make_case,
    read_kinds,
)
from gatefill.evaluation.config import CompareConfig
from gatefill.evaluation.contestants import Contestant, contestants
from gatefill.evaluation.files import Folder, file_sum
from gatefill.evaluation.journal import Journal, other_settings
from gatefill.evaluation.mask_folder import split
from gatefill.evaluation.metrics import METRICS, Metric, Pair, variation_of
from gatefill.evaluation.metrics.base import Pixels
from gatefill.evaluation.metrics.frechet import InceptionFeatures
from gatefill.evaluation.metrics.learned import dists_metric, how_to_get, lpips_metric
from gatefill.evaluation.photos import PhotoEntry, list_photos, truth_of
from gatefill.evaluation.ready import ReadyFills
from gatefill.evaluation.report import write_report
from gatefill.evaluation.results import Results, build_results
from gatefill.evaluation.worker import FillFailed, Worker
from gatefill.extras import require
from gatefill.images import Photo, read_photo

logger = logging.getLogger(__name__)

Progress = Callable[[float], None]
Filler = Worker | ReadyFills
DEFAULTS = CompareConfig()
DIGITS = 6  # significant digits of a measured value


def compare(
    images: Sequence[Path | str],
    methods: Sequence[str],
    out: Path | str,
    config: CompareConfig = DEFAULTS,
    *,
    overwrite: bool = False,
    again: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Fill the same holes with each method, measure, and write a report into the folder `out`.

    Each method runs in a process of its own, so scripts need ``if __name__ == "__main__":``.
    Metrics are computed in the calling process, on as many threads as torch uses; the command line
    sets one thread, which is faster for small images and gives the same sums on every machine.

    Args:
        images: Folders and files. Photos that cannot be read, and holes that a method cannot fill,
            are listed in the report.
        methods: Such as ``"patchmatch"``, ``"telea"``, ``"deepfill_v2:weights.safetensors"``,
            ``"module:Class"`` or ``"label=folder_of_pictures"``; see docs/metrics.md.
        out: The folder for the report.
        config: Kinds of masks, sizes, metrics and other settings.
        overwrite: Delete an earlier comparison in `out`. Without it, one with the same settings is
            resumed, and new methods are added to it.
        again: Measure `methods` again where the comparison has them already, with other weights for
            instance; what it has of other methods is kept.
        progress: Called with the completed fraction, 0 to 1.

    Returns:
        The content of the report, as in its ``results.json``.

    Raises:
        GatefillError: For invalid settings, and if another comparison writes to `out`.
        FileNotFoundError: If an image or a weights file does not exist.
        MissingExtra: (an ImportError) If packages are missing.
    """
    require("compare", "comparing methods")
    folder = Folder(Path(out))
    run = _Run(images, methods, folder, config)
    folder.check_ours()
    with folder.locked():
        if overwrite:
            folder.clear()
        journal = Journal(folder.journal, run.header)
        if again and journal.rows:
            run.check_loading()
        everyone = enter(run.contestants, journal, again=again)
        run.measure(journal, progress)
        results = build_results(
            run.header, journal.rows, run.metrics, everyone, run.photos, run.missing, folder
        )
        write_report(results, folder)
    return results


class _Run:
    """The inputs and settings of a comparison, checked before the work starts."""

    def __init__(
        self,
        images: Sequence[Path | str],
        methods: Sequence[str],
        folder: Folder,
        config: CompareConfig,
    ) -> None:
        self.config = config
        self.folder = folder
        self.contestants = contestants(methods, config.device, config.large)
        self.cutouts = [] if config.cutouts is None else list_cutouts(config.cutouts)
        names, self.mask_folders = split(config.masks)
        self.kinds = read_kinds(names, self.cutouts, self.mask_folders)
        check_cutouts(self.cutouts)
        self.photos = list_photos(
            [Path(path) for path in images],
            leave_out=folder.root,
            limit=config.limit,
            seed=config.seed,
        )
        for masks in self.mask_folders.values():
            masks.match(self.photos)
        self.metrics: list[Metric] = list(METRICS.values())
        if config.lpips_weights is not None:
            self.metrics.append(lpips_metric(config.lpips_weights))
        if config.dists_weights is not None and config.vgg_weights is not None:
            self.metrics.append(dists_metric(config.vgg_weights, config.dists_weights))
        self.features = (
            None if config.fid_weights is None else InceptionFeatures(config.fid_weights)
        )
        self.missing = how_to_get(
            lpips=config.lpips_weights is not None,
            dists=config.dists_weights is not None,
            fid=self.features is not None,
        )
        self.header = self._header()

    def _header(self) -> dict[str, Any]:
        """Return all settings that results depend on; they must be the same when resuming."""
        config = self.config
        weights = {
            "lpips": config.lpips_weights,
            "dists": config.dists_weights,
            "vgg": config.vgg_weights,
            "fid": config.fid_weights,
        }
        return {
            "gatefill": gatefill.__version__,
            "masks": self.kinds,
            "mask_files": {name: folder.sums() for name, folder in self.mask_folders.items()},
            "size": config.size or "native",
            "seed": config.seed,
            "limit": config.limit,
            "device": config.device,
            "large": config.large,
            "photos": [[photo.name, photo.sum] for photo in self.photos],
            "cutouts": [[path.name, file_sum(path)] for path in self.cutouts],
            "weights": {name: file_sum(path) for name, path in weights.items() if path},
        }

    def measure(self, journal: Journal, progress: Progress | None) -> None:
        """Measure what is not in the journal yet."""
        done = {(row["case"], row["method"]) for row in journal.rows if "method" in row}
        begun = {row["case"] for row in journal.rows if "share" in row}
        problems = [row for row in journal.rows if "problem" in row]
        broken = {row["photo"] for row in problems if "kind" not in row}
        left_out = {(row["photo"], row["kind"]) for row in problems if "kind" in row}
        labels = [contestant.label for contestant in self.contestants]
        usable = [photo for photo in self.photos if not photo.problem and photo.sum not in broken]
        with ExitStack() as stack:
            workers: dict[str, Filler] = {}
            for number, photo in enumerate(usable):
                open_cases = {
                    kind: [
                        label for label in labels if (case_key(photo.sum, kind), label) not in done
                    ]
                    for kind in self.kinds
                    if (photo.sum, kind) not in left_out
                }
                if any(open_cases.values()):
                    if not workers:
                        workers = self._workers(stack)
                    self._measure_photo(photo, open_cases, workers, begun, journal)
                if progress is not None:
                    progress((number + 1) / len(usable))

    def check_loading(self) -> None:
        """Load all methods once, before earlier results are given up for new ones.

        Raises the errors of loading them.
        """
        with ExitStack() as stack:
            self._workers(stack)

    def _workers(self, stack: ExitStack) -> dict[str, Filler]:
        """Start the processes of all methods and load these, so that errors are found early."""
        workers: dict[str, Filler] = {}
        for contestant in self.contestants:
            worker: Filler
            if contestant.pictures is None:
                worker = Worker(contestant)
            else:
                worker = ReadyFills(contestant, len(self.kinds))
            stack.callback(worker.close)
            worker.open()
            workers[contestant.label] = worker
        return workers

    def _measure_photo(
        self,
        photo: PhotoEntry,
        open_cases: dict[str, list[str]],
        workers: dict[str, Filler],
        begun: set[str],
        journal: Journal,
    ) -> None:
        try:
            read = read_photo(photo.path)
            truth = truth_of(read, self.config.size)
            if file_sum(photo.path) != photo.sum:
                raise DataError("changed while the comparison ran", code="compare.changed")
        except (GatefillError, OSError) as error:
            journal.append({"photo": photo.sum, "problem": _reason(error, photo)})
            return
        for kind, labels in open_cases.items():
            if not labels:
                continue
            try:
                case = self._case(photo, read, truth, kind)
            except (GatefillError, OSError) as error:
                reason = _reason(error, photo)
                journal.append({"photo": photo.sum, "kind": kind, "problem": reason})
                continue
            if case.key not in begun:
                self._begin(case, journal)
            for label in labels:
                journal.append(self._measure_case(case, workers[label]))

    def _case(self, entry: PhotoEntry, photo: Photo, truth: Pixels, kind: str) -> Case:
        config = self.config
        if kind in self.mask_folders:
            folder = self.mask_folders[kind]
            return case_from_folder(entry, photo, truth, folder, config.size, config.seed)
        return make_case(entry, truth, kind, config.seed, self.cutouts)

    def _begin(self, case: Case, journal: Journal) -> None:
        self.folder.save_case(case, full=self.config.save)
        if self.features is not None:
            self.folder.save_features(case.key, None, self.features(case.truth))
        journal.append(
            {
                "case": case.key,
                "photo": case.entry.sum,
                "kind": case.kind,
                "share": _rounded(case.share),
                "height": case.mask.shape[0],
                "width": case.mask.shape[1],
                "truth_tv": _rounded(variation_of(case.truth)),
            }
        )

    def _measure_case(self, case: Case, worker: Filler) -> dict[str, Any]:
        """Measure one method on one case; return a row of the journal."""
        label = worker.contestant.label
        row: dict[str, Any] = {"case": case.key, "method": label}
        try:
            filled = worker.fill_case(case)
            if filled.output.shape != case.truth.shape:
                raise FillFailed(f"gave a picture of shape {filled.output.shape}")
        except FillFailed as error:
            logger.warning("%s failed on %s, %s: %s", label, case.entry.name, case.kind, error)
            return row | {"failed": str(error)}
        # The inpainter keeps known pixels; for an object in the hole, the truth has other pixels.
        output = np.where(case.mask[..., None], filled.output, case.truth)
        pair = Pair(case.truth, output, case.mask)
        values = {metric.name: metric.measure(pair) for metric in self.metrics}
        self.folder.save_fill(case.key, label, output, full=self.config.save)
        if self.features is not None:
            self.folder.save_features(case.key, label, self.features(output))
        return row | {
            "values": {name: _rounded(value) for name, value in values.items()},
            "seconds": None if filled.seconds is None else round(filled.seconds, 5),
            "peak_bytes": filled.peak_bytes,
            "idle_bytes": worker.idle_bytes,
        }


def enter(new: Sequence[Contestant], journal: Journal, *, again: bool = False) -> list[Contestant]:
    """Record the methods that take part, and return all, those of earlier runs first.

    again: forget what was measured of these methods.

    Raises ConfigError if one of them took part before in another version.
    """
    if again:
        now = {contestant.label: contestant.as_row() for contestant in new}
        kept = [row for row in journal.rows if row.get("method") not in now]
        journal.replace(
            [now.get(row["contestant"], row) if "contestant" in row else row for row in kept]
        )
    rows = {row["contestant"]: row for row in journal.rows if "contestant" in row}
    changes = [
        f"{contestant.label}: {before['version']}, now {contestant.version}"
        for contestant in new
        if (before := rows.get(contestant.label)) and before["version"] != contestant.version
    ]
    if changes:  # raised before anything is written to the journal
        raise other_settings(journal.folder, changes)
    for contestant in new:
        if contestant.label not in rows:
            rows[contestant.label] = contestant.as_row()
            journal.append(rows[contestant.label])
    running = {contestant.label: contestant for contestant in new}
    return [running.get(label) or Contestant.of_row(row) for label, row in rows.items()]


def _reason(error: Exception, photo: PhotoEntry) -> str:
    return " ".join(str(error).split()).removeprefix(f"{photo.path}: ")


def _rounded(value: float | None) -> float | None:
    """Round a value for the journal; undefined values, such as SSIM of tiny images, become None."""
    if value is None or not np.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def evaluate(
    images: Sequence[Path | str],
    method: str,
    out: Path | str,
    config: CompareConfig = DEFAULTS,
    *,
    overwrite: bool = False,
    again: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Measure one method: `compare` with a single method.

    Args:
        images, out, config, overwrite, again, progress: See `compare`.
        method: One of the methods of `compare`.

    Returns:
        See `compare`.

    Raises:
        GatefillError, FileNotFoundError, MissingExtra: As for `compare`.
    """
    return compare(
        images, [method], out, config, overwrite=overwrite, again=again, progress=progress
    )


__all__ = ["CompareConfig", "Contestant", "compare", "evaluate"]
