"""The steps of a worker for one photo: fetch, fill, store; the same locally and on a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from gatefill.batches import parquet, shards
from gatefill.batches.items import Container, Item, Outcome, Record, Ref, Task, failed
from gatefill.batches.job import Job
from gatefill.batches.manifest import ManifestWriter
from gatefill.batches.places import open_output, read_ref, safe_name, write
from gatefill.images import Photo

if TYPE_CHECKING:
    from gatefill.inpainter import Inpainter
    from gatefill.result import Result


@dataclass(frozen=True)
class Fetched:
    """The bytes of a photo and its mask."""

    item: Item
    key: str
    photo: bytes
    mask: bytes | None


@dataclass(frozen=True)
class FilledItem:
    """A result, with the item it belongs to."""

    item: Item
    key: str
    result: Result


@dataclass(frozen=True)
class EncodedItem:
    """The bytes of an output, and data for its outcome."""

    item: Item
    key: str
    data: bytes
    pixels: int
    seconds: float
    warnings: tuple[str, ...]


class Work:
    """The steps of a job. Errors with a photo become its outcome; nothing is raised.

    Any number of threads may run the steps.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.output = open_output(job.output)
        self.manifest = ManifestWriter(self.output)
        self._last_mask: tuple[Ref, bytes] | None = None

    @cached_property
    def inpainter(self) -> Inpainter:
        return self.job.open()

    def fetch(self, task: Task) -> Fetched | Outcome:
        """Read the bytes; return the outcome at once if the output exists and nothing changed."""
        item, key = task.item, ""
        try:
            photo = read_ref(item.photo)
            mask = None if item.mask is None else self._mask(item.mask)
            key = self.job.key(photo, mask, item.format)
        except Exception as error:
            return self._unchanged(task, "") or failed(item, error, key)
        return self._unchanged(task, key) or Fetched(item, key, photo, mask)

    def done_before(self, task: Task) -> Outcome | None:
        """Return the outcome of a task that needs no method; None if it has to be run."""
        if not task.may_be_done:
            return None
        found = self.fetch(task)
        if isinstance(found, Outcome) and (task.kind == "check" or found.status == "skipped"):
            return found
        return None

    def _mask(self, ref: Ref) -> bytes:
        """Read a mask; one mask for all photos is read once."""
        last = self._last_mask
        if last is None or last[0] != ref:
            self._last_mask = last = ref, read_ref(ref)
        return last[1]

    def _unchanged(self, task: Task, key: str) -> Outcome | None:
        """Return the outcome of an item that is done already; None if it is to be filled."""
        item, known = task.item, task.item.known
        if task.kind == "try":
            return None
        same = known is not None and known.key == key
        if task.kind == "check":
            if same and known is not None and known.error is not None:
                return Outcome(item, "failed", key, *known.error)
            return Outcome(item, "skipped" if same else "changed", key)
        if not same or known is None or known.error is not None:
            return None
        if self.output.size(item.target) != known.size:
            return None
        return Outcome(item, "skipped", key, warnings=known.warnings)

    def decode(self, fetched: Fetched) -> Photo:
        """Decode the photo's pixels. Raises ImageError if it cannot be decoded."""
        allow = self.job.call.get("allow_truncated", False)
        return self.inpainter.read(fetched.photo, allow_truncated=allow)

    def fill(self, fetched: Fetched, photo: Photo) -> FilledItem | Outcome:
        try:
            result = self.inpainter(photo, fetched.mask, **self.job.call)
        except Exception as error:
            return failed(fetched.item, error, fetched.key)
        return FilledItem(fetched.item, fetched.key, result)

    def encode(self, filled: FilledItem) -> EncodedItem | Outcome:
        result = filled.result
        try:
            data, left_out = result.photo.encoded(filled.item.format, **self.job.save)
        except Exception as error:
            return failed(filled.item, error, filled.key)
        warnings = [*result.warnings, *left_out]
        codes = tuple({each.code: None for each in warnings})
        pixels = result.photo.width * result.photo.height
        return EncodedItem(filled.item, filled.key, data, pixels, result.seconds, codes)

    def store(self, encoded: EncodedItem, *, keep: bool = True) -> Outcome:
        """Write the output, then record it; without `keep` nothing is written."""
        item = encoded.item
        try:
            if keep:
                write(self.output, item.target, encoded.data)
                record = Record(encoded.key, len(encoded.data), encoded.warnings)
                self.manifest.add(item.target, record)
        except Exception as error:
            return failed(item, error)
        return Outcome(
            item,
            "done",
            encoded.key,
            pixels=encoded.pixels,
            seconds=encoded.seconds,
            warnings=encoded.warnings,
        )

    def note_failure(self, outcome: Outcome) -> None:
        """Record a photo that is left out of its container, which then counts as complete."""
        if outcome.item.container is not None and not outcome.fatal:
            record = Record(outcome.key, -1, error=(outcome.code, outcome.text))
            with suppress(OSError, ValueError):  # if this fails, the photo is tried again
                self.manifest.add(outcome.item.target, record)

    def assemble(self, task: Task) -> Outcome:
        """Write a container of its filled photos, and delete the single files."""
        container = task.container
        assert container is not None
        filled = {item.index: item for item, _ in task.parts}
        key = container_key([key for _, key in task.parts])
        try:
            with self.output.writing(container.output) as file:
                if container.kind == "shards":
                    shards.write_shard(file, self._members(container, filled))
                else:
                    self._write_parquet(file, container, filled)
            size = self.output.size(container.output)
            self.manifest.add(container.output, Record(key, size or 0))
            self.manifest.flush()
            for item in filled.values():
                self.output.remove(item.target)
        except Exception as error:
            return failed(task.item, error)
        return Outcome(task.item, "done", key)

    def _members(
        self, container: Container, filled: dict[int, Item]
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the members of a shard in order; photos that could not be filled are left out."""
        if container.source is None:
            for item in filled.values():
                yield item.output, self.output.read(item.target)
            return
        for index, sample in enumerate(shards.samples_of(container.source)):
            photo, found = sample.photo(), filled.get(index)
            for name, ref in sample.members.items():
                if name != photo:
                    yield safe_name(f"{sample.key}.{name}"), read_ref(ref)
                elif found is not None:
                    yield found.output, self.output.read(found.target)

    def _write_parquet(self, file: BinaryIO, container: Container, filled: dict[int, Item]) -> None:
        def photo(index: int) -> tuple[str, bytes | None]:
            item = filled.get(index)
            return ("", None) if item is None else (item.output, self.output.read(item.target))

        parquet.write_parquet(file, container.source, container.column, container.count, photo)


def container_key(keys: Sequence[str]) -> str:
    """Return the hash of a container: the hash of the hashes of its parts in order."""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]
