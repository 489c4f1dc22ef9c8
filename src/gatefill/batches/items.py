"""Photos of a batch with their masks and outputs, and the outcome of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gatefill.errors import GatefillError

ERRORS = "errors.jsonl"
STATE = ".gatefill"  # folder in the output for the manifest and what is not finished

Status = Literal["done", "skipped", "failed", "changed"]


@dataclass(frozen=True)
class Ref:
    """Where the bytes of a photo or a mask lie."""

    place: str  # path or URL of a file; of the shard or Parquet file for a member or a cell
    span: tuple[int, int] | None = None  # of a member of a tar file: offset and length in bytes
    cell: tuple[int, int, str] | None = None  # of Parquet: row group, row in it, column


@dataclass(frozen=True)
class Record:
    """A line of the manifest: an output that is written."""

    key: str  # hash of the photo, the mask and the options; "" where they cannot be read
    size: int  # bytes of the output
    warnings: tuple[str, ...] = ()  # codes
    error: tuple[str, str] | None = None  # code and sentence of a photo left out of a container


@dataclass(frozen=True)
class Container:
    """An output that holds many photos: a shard or a Parquet file."""

    output: str  # relative to the output folder
    kind: Literal["shards", "parquet"]
    source: str | None = None  # the input of the same kind it follows
    column: str = "image"  # of Parquet: where the photos are
    count: int = 0  # photos in it


@dataclass(frozen=True)
class Item:
    """One photo to be filled."""

    name: str  # for messages: the file, or SHARD#MEMBER
    photo: Ref
    mask: Ref | None  # None: the photo's own alpha
    output: str  # relative to the output folder, with "/"; of a container: its name in there
    format: str  # suffix that says the output's format, such as ".png"
    container: str | None = None  # `Container.output`
    index: int = 0  # place in the container
    known: Record | None = None  # what the manifest says of the output

    @property
    def target(self) -> str:
        """Where the filled photo is written: the output, or what waits to go into a container."""
        if self.container is None:
            return self.output
        return f"{STATE}/staged/{self.container}/{self.index:09d}"

    def with_known(self, known: Mapping[str, Record]) -> Item:
        return replace(self, known=known.get(self.target))


@dataclass(frozen=True)
class Task:
    """One piece of work for a worker.

    ``"fill"``: fill an item, unless it is done and unchanged. ``"check"``: only say whether it is.
    ``"try"``: fill it in any case, and write nothing. ``"assemble"``: write a container of what is
    filled.
    """

    kind: Literal["fill", "check", "try", "assemble"]
    item: Item
    container: Container | None = None  # for "assemble"
    parts: tuple[tuple[Item, str], ...] = ()  # for "assemble": its items and their keys


@dataclass(frozen=True)
class Outcome:
    """The outcome of one photo."""

    item: Item
    status: Status  # "changed" only where it was asked whether it is
    key: str = ""
    code: str = ""  # of a failure
    text: str = ""  # of a failure: one sentence
    pixels: int = 0  # of the photo
    seconds: float = 0.0  # of filling
    warnings: tuple[str, ...] = ()  # codes
    fatal: bool = False  # nothing more can be written: the batch ends


def failed(item: Item, error: BaseException, key: str = "") -> Outcome:
    """The outcome of an error: its code and its sentence on one line."""
    fatal = isinstance(error, NoSpaceError)
    if isinstance(error, GatefillError):
        code, text = error.code, str(error)
    elif isinstance(error, MemoryError):
        code, text = "batch.memory", "expected a photo that fits into memory, got one that does not"
    elif isinstance(error, FileNotFoundError):
        code, text = "file.missing", str(error)
    elif isinstance(error, OSError):
        code, text = "file.system", error.strerror or str(error)
    else:
        code, text = "bug", f"this is a bug, please report it: {type(error).__name__}: {error}"
    return Outcome(item, "failed", key, code, " ".join(text.split())[:1000], fatal=fatal)


class NoSpaceError(GatefillError):
    """The place for the outputs is full."""

    default_code = "output.space"


class MemoryRefusedError(GatefillError):
    """A photo needs more memory than the batch may use."""

    default_code = "batch.memory"


@dataclass(frozen=True)
class Problem:
    """A photo, or a part of the input, that never became an item."""

    name: str
    code: str
    text: str

    def as_line(self) -> dict[str, Any]:
        return {"file": self.name, "code": self.code, "error": self.text}


@dataclass
class BatchPlan:
    """All that is to be done, and what cannot be."""

    items: list[Item] = field(default_factory=list)
    containers: list[Container] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)  # what the user should know: no failures
