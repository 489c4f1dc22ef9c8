"""The photos of a batch with their masks and outputs, and the outcome of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gatefill.errors import GatefillError

ERRORS = "errors.jsonl"
STATE = ".gatefill"  # folder in the output for the manifest and unfinished files

Status = Literal["done", "skipped", "failed", "changed"]


@dataclass(frozen=True)
class Ref:
    """Location of the bytes of a photo or a mask."""

    place: str  # path or URL of the file, shard or Parquet file
    span: tuple[int, int] | None = None  # offset and length in bytes of a member of a tar file
    cell: tuple[int, int, str] | None = None  # Parquet: row group, row in it, column


@dataclass(frozen=True)
class Record:
    """A line of the manifest: an output that was written."""

    key: str  # hash of photo, mask and options; "" if they cannot be read
    size: int  # size of the output in bytes
    warnings: tuple[str, ...] = ()  # codes of warnings
    error: tuple[str, str] | None = None  # code and sentence, for a photo left out of a container


@dataclass(frozen=True)
class Container:
    """An output that contains many photos: a shard or a Parquet file."""

    output: str  # relative to the output folder
    kind: Literal["shards", "parquet"]
    source: str | None = None  # the input of the same kind that it mirrors
    column: str = "image"  # column of the photos in Parquet
    count: int = 0  # number of photos


@dataclass(frozen=True)
class Item:
    """One photo to fill."""

    name: str  # name in messages: the file, or SHARD#MEMBER
    photo: Ref
    mask: Ref | None  # None: the transparent part of the photo
    output: str  # relative to the output folder, with "/"; in a container: the member's name
    format: str  # suffix of the output's format, such as ".png"
    container: str | None = None  # `Container.output`
    index: int = 0  # position in the container
    known: Record | None = None  # the manifest's record of the output

    @property
    def target(self) -> str:
        """Path for the filled photo: the output, or a temporary file for a container."""
        if self.container is None:
            return self.output
        return f"{STATE}/staged/{self.container}/{self.index:09d}"

    def with_known(self, known: Mapping[str, Record]) -> Item:
        return replace(self, known=known.get(self.target))


@dataclass(frozen=True)
class Task:
    """One piece of work for a worker.

    ``"fill"``: fill an item, unless it is done and unchanged. ``"check"``: only report whether it
    is. ``"try"``: fill it in any case, without writing. ``"assemble"``: write a container of filled
    photos.
    """

    kind: Literal["fill", "check", "try", "assemble"]
    item: Item
    container: Container | None = None  # for "assemble"
    parts: tuple[tuple[Item, str], ...] = ()  # for "assemble": its items and their keys

    @property
    def may_be_done(self) -> bool:
        """Whether an earlier batch may have done it, so that no method is needed."""
        return self.kind == "check" or (self.kind == "fill" and self.item.known is not None)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one photo."""

    item: Item
    status: Status  # "changed" only for the task "check"
    key: str = ""
    code: str = ""  # code of a failure
    text: str = ""  # sentence of a failure
    pixels: int = 0  # number of pixels of the photo
    seconds: float = 0.0  # time for filling
    warnings: tuple[str, ...] = ()  # codes of warnings
    fatal: bool = False  # nothing can be written any more, so the batch ends


def failed(item: Item, error: BaseException, key: str = "") -> Outcome:
    """Return the outcome for an error: its code and its sentence on one line."""
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
    """There is no space left for outputs."""

    default_code = "output.space"


class MemoryRefusedError(GatefillError):
    """A photo that needs more memory than the batch may use."""

    default_code = "batch.memory"


@dataclass(frozen=True)
class Problem:
    """A photo, or a part of the input, that could not become an item."""

    name: str
    code: str
    text: str

    def as_line(self) -> dict[str, Any]:
        return {"file": self.name, "code": self.code, "error": self.text}


@dataclass
class BatchPlan:
    """All items of a batch, and the problems found while listing them."""

    items: list[Item] = field(default_factory=list)
    containers: list[Container] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)  # notes for the user that are not failures
