"""Progress, summary and preview of a batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from gatefill.batches.items import Problem


@dataclass(frozen=True)
class BatchProgress:
    """Progress of a batch."""

    finished: int  # number of photos that were filled, skipped or failed
    total: int
    filled: int
    megapixels: float  # megapixels of the filled photos
    seconds: float  # since the first photo was started
    skipped: int = 0

    @property
    def photos_per_second(self) -> float:
        return (self.finished - self.skipped) / max(self.seconds, 1e-9)

    @property
    def megapixels_per_second(self) -> float:
        return self.megapixels / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """None until a photo was filled."""
        if not self.filled:
            return None
        return (self.total - self.finished) / max(self.photos_per_second, 1e-9)


@dataclass
class Summary:
    """The outcome of a batch."""

    output: str
    total: int = 0  # number of photos, and of parts of the input that could not be read
    filled: int = 0
    skipped: int = 0  # done by an earlier run, and unchanged
    failed: int = 0
    megapixels: float = 0.0  # megapixels of the filled photos
    seconds: float = 0.0  # time of the whole run
    containers: int = 0  # shards or Parquet files written
    stopped: str | None = None  # why the batch ended before its last photo
    errors: str | None = None  # the file that lists failures
    failures: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)  # of photos, by code

    @property
    def left(self) -> int:
        """Number of photos that were not processed."""
        return self.total - self.filled - self.skipped - self.failed

    @property
    def complete(self) -> bool:
        return self.failed == 0 and self.left == 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; failures are in the errors file."""
        found = asdict(self)
        del found["failures"]
        found["notes"] = [note.as_line() for note in self.notes]
        found["warnings"] = dict(self.warnings)
        found["megapixels"], found["seconds"] = round(self.megapixels, 3), round(self.seconds, 3)
        rate = self.filled / self.seconds if self.seconds else 0.0
        return {**found, "left": self.left, "photos_per_second": round(rate, 3)}


@dataclass(frozen=True)
class Preview:
    """What a batch would do."""

    todo: list[tuple[str, str, str]]  # photo, mask ("" for its transparent part), output
    skipped: int
    problems: list[Problem]
    notes: list[Problem]
    seconds: float | None  # an estimate; None if no photo could be filled
    processes: int
    tried: int  # number of photos for the estimate
