"""Counts the outcomes of a batch, lists failures, and reports progress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from gatefill.batches.items import ERRORS, BatchPlan, Outcome, Problem
from gatefill.batches.places import FolderOutput, Output
from gatefill.batches.summary import BatchProgress, Summary
from gatefill.errors import OutputError

Watch = Callable[[BatchProgress], None]


class Tally:
    """Counts outcomes, writes failures to a file, and reports progress."""

    def __init__(self, out: Output, plan: BatchPlan, watch: Watch | None, fail_fast: bool) -> None:
        self.summary = Summary(
            out.root, total=len(plan.items) + len(plan.problems), notes=plan.notes
        )
        self._out, self._plan = out, plan
        self._watch, self._fail_fast = watch, fail_fast
        self._file: BinaryIO | None = None
        self._started = time.monotonic()
        self._reported = 0.0

    def __enter__(self) -> Tally:
        # The file of an earlier run; a link would lead elsewhere.
        self._out.remove(ERRORS)
        for problem in self._plan.problems:
            self._fail(problem)
        if self._fail_fast and self._plan.problems:
            first = self._plan.problems[0]
            self.summary.stopped = f"{first.name}: {first.text}"
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        elif self.summary.failures:
            lines = [json.dumps(each.as_line()) + "\n" for each in self.summary.failures]
            with suppress(OutputError), self._out.writing(ERRORS) as file:
                file.write("".join(lines).encode())
        self._report(last=True)

    def add(self, outcome: Outcome) -> bool:
        """Count a photo; return whether the batch continues."""
        summary = self.summary
        if outcome.fatal:
            summary.stopped = outcome.text
            return False
        summary.warnings.update(outcome.warnings)
        if outcome.status == "done":
            summary.filled += 1
            summary.megapixels += outcome.pixels / 1e6
        elif outcome.status == "skipped":
            summary.skipped += 1
        else:
            self._fail(Problem(outcome.item.name, outcome.code, outcome.text))
            if self._fail_fast:
                summary.stopped = f"{outcome.item.name}: {outcome.text}"
                return False
        self._report()
        return True

    def add_container(self, outcome: Outcome) -> bool:
        """Count a shard or Parquet file; return whether the batch continues."""
        if outcome.status == "done":
            self.summary.containers += 1
            return True
        self.summary.stopped = f"{outcome.item.name}: {outcome.text}"
        return False

    def _fail(self, problem: Problem) -> None:
        self.summary.failed += 1
        self.summary.failures.append(problem)
        self.summary.errors = self._out.shown(ERRORS)
        if not isinstance(self._out, FolderOutput):
            return
        with suppress(OSError):  # the disk is full; the summary lists all failures
            if self._file is None:
                self._file = (Path(self._out.root) / ERRORS).open("xb")
            self._file.write(json.dumps(problem.as_line()).encode() + b"\n")
            self._file.flush()

    def _report(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if self._watch is None or (now - self._reported < 0.1 and not last):
            return
        self._reported = now
        summary = self.summary
        self._watch(
            BatchProgress(
                summary.filled + summary.skipped + summary.failed,
                summary.total,
                summary.filled,
                summary.megapixels,
                now - self._started,
                summary.skipped,
            )
        )
