"""Finds input files: in folders, by patterns, in text lists; local or at URLs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gatefill.batches.items import Problem, Ref
from gatefill.batches.places import as_place, filesystem, is_url, read_ref, safe_name
from gatefill.errors import ConfigError, DataError

PHOTO_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".ppm", ".pgm", ".pnm", ".mpo", ".heic", ".heif", ".avif", ".jp2"),
}
SHARD, PARQUET = ".tar", ".parquet"
LISTS = {".txt", ".lst", ".list"}


@dataclass(frozen=True)
class Listed:
    """A file, and the name that its output gets."""

    name: str  # relative path, with "/"
    place: str  # path or URL
    mask: str | None = None  # path or URL from a text list


@dataclass
class Listing:
    """The files found in the inputs."""

    photos: list[Listed] = field(default_factory=list)
    containers: list[Listed] = field(default_factory=list)  # shards and Parquet files
    others: int = 0  # number of other files
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def add(self, found: Listed, *, any_kind: bool = False) -> None:
        """Add a file by its suffix; with `any_kind`, one without a known suffix is a photo."""
        suffix = PurePosixPath(found.place).suffix.lower()
        if suffix in (SHARD, PARQUET):
            self.containers.append(found)
        elif suffix in PHOTO_SUFFIXES or any_kind:
            self.photos.append(found)
        else:
            self.others += 1


def list_inputs(inputs: Sequence[str | os.PathLike[str]], output: str) -> Listing:
    """List all photos and containers of the inputs, in a stable order.

    An input is a folder (all files below it, except hidden files and the output folder; links to
    folders are followed, each folder once), a file, a pattern such as ``photos/**/*.jpg`` or
    ``shards-{000..099}.tar``, a text list with one file per line (and its mask after a tab), or the
    URL of any of these. Raises FileNotFoundError and ConfigError for other inputs.
    """
    listing = Listing()
    places = [place for given in inputs for place in expand_braces(as_place(given))]
    alone: list[str] = []
    for place in places:
        suffix = PurePosixPath(place).suffix.lower()
        if _is_folder(place):
            before = (
                f"{PurePosixPath(place.rstrip('/')).name or 'root'}/" if len(places) > 1 else ""
            )
            for name, file in _below(place, output, listing):
                listing.add(Listed(before + name, file))
        elif any(sign in place for sign in "*?[") and not _exists(place):
            _add_matching(place, output, listing)
        elif suffix in LISTS:
            _add_listed(place, listing)
        elif _exists(place):
            alone.append(place)
        else:
            raise FileNotFoundError(f"no such file or folder: {place}")
    for place in alone:
        listing.add(
            Listed(safe_name(_relative(place, _common_folder(alone))), place), any_kind=True
        )
    return listing


def expand_braces(pattern: str) -> list[str]:
    """Expand ``a-{00..02}.tar`` to three names; several braces give all combinations."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if not match:
        return [pattern]
    first, last = match[1], match[2]
    if int(first) > int(last):
        raise ConfigError(f"expected a rising range, got {match[0]}", code="config.range")
    return [
        pattern[: match.start()] + str(number).zfill(len(first)) + rest
        for number in range(int(first), int(last) + 1)
        for rest in expand_braces(pattern[match.end() :])
    ]


def _is_folder(place: str) -> bool:
    if is_url(place):
        system, path = filesystem(place)
        return bool(system.isdir(path))
    return Path(place).is_dir()


def _exists(place: str) -> bool:
    if is_url(place):
        system, path = filesystem(place)
        return bool(system.exists(path))
    return os.path.lexists(place)


def _below(place: str, output: str, listing: Listing) -> Iterator[tuple[str, str]]:
    """Yield relative names and places of all files below a folder, sorted."""
    if is_url(place):
        system, path = filesystem(place)
        inside = output.rstrip("/") + "/"
        for each in sorted(system.find(path)):
            url = system.unstrip_protocol(each)
            name = each[len(path.rstrip("/")) :].lstrip("/")
            if not _hidden(name) and not url.startswith(inside):
                yield safe_name(name), url
        return
    yield from walk(place, output, listing)


def walk(folder: str, output: str, listing: Listing) -> Iterator[tuple[str, str]]:
    """Yield the files below a local folder; problems and notes are added to `listing`.

    Each real folder is entered once, and none that contains the folder itself, so that links cannot
    lead in circles or over the whole disk.
    """
    visited: set[tuple[int, int]] = set()
    out = os.path.realpath(output) if not is_url(output) else None
    top = Path(folder).resolve()
    waiting = [("", folder)]
    while waiting:
        before, path = waiting.pop()
        try:
            known = os.stat(path)  # noqa: PTH116 - as os.scandir has it
            again = (known.st_dev, known.st_ino) in visited
            if again or (path != folder and top.is_relative_to(os.path.realpath(path))):
                what = "is in the batch already" if again else "holds the batch"
                text = f"is a link to a folder that {what}: it is not entered"
                listing.notes.append(Problem(path, "batch.link", text))
                continue
            visited.add((known.st_dev, known.st_ino))
            with os.scandir(path) as entries:
                below = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"the folder cannot be read: {error.strerror}"
            listing.problems.append(Problem(path, "file.folder", reason))
            continue
        folders = []
        for entry in below:
            if entry.name.startswith("."):
                continue
            if _leads_to_folder(entry):
                if out is None or os.path.realpath(entry.path) != out:
                    folders.append((f"{before}{entry.name}/", entry.path))
            else:
                yield before + entry.name, entry.path
        waiting += reversed(folders)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reading it reports the error
        return False


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _add_matching(pattern: str, output: str, listing: Listing) -> None:
    """Add the files that match a pattern; names are relative to its part without wildcards."""
    fixed = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
    if is_url(pattern):
        system, path = filesystem(pattern)
        found = [system.unstrip_protocol(each) for each in sorted(system.glob(path))]
    else:
        found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - of any pattern
    inside = output.rstrip("/") + "/"
    files = [each for each in found if not _is_folder(each) and not each.startswith(inside)]
    if not files:
        raise FileNotFoundError(f"no file matches {pattern}")
    for place in files:
        listing.add(Listed(safe_name(_relative(place, fixed)), place))


def _add_listed(place: str, listing: Listing) -> None:
    """Add the files of a text list: paths or URLs, absolute, or relative to the list or to here."""
    try:
        lines = read_ref(Ref(place)).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"expected a text list of photos in UTF-8, got {place}", code="data.list"
        ) from None
    folder = place.rpartition("/")[0]
    for line in filter(None, (line.strip() for line in lines)):
        photo, _, mask = (part.strip() for part in line.partition("\t"))
        name = safe_name(photo.partition("://")[2] if is_url(photo) else photo)
        found = Listed(name, _resolved(photo, folder), _resolved(mask, folder) if mask else None)
        listing.add(found, any_kind=True)


def _resolved(line: str, folder: str) -> str:
    """Return the place that a line of a list refers to."""
    place = as_place(line)
    if is_url(place) or place.startswith("/") or not folder:
        return place
    beside = f"{folder}/{place}"
    return beside if is_url(folder) or os.path.lexists(beside) else place


def _common_folder(places: Iterable[str]) -> str:
    folders = {place.rpartition("/")[0] for place in places}
    if len(folders) == 1:
        return folders.pop()
    split = [folder.split("/") for folder in folders]
    same: list[str] = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        same.append(parts[0])
    return "/".join(same)


def _relative(place: str, folder: str) -> str:
    return place[len(folder) :].lstrip("/") if place.startswith(folder) else place
