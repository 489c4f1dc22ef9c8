"""WebDataset shards: tar files whose members of one name, up to its first dot, are one sample."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO

from gatefill.batches.items import Ref
from gatefill.batches.listing import PHOTO_SUFFIXES
from gatefill.batches.places import open_place
from gatefill.errors import DataError


@dataclass
class ShardSample:
    """The members of a shard that belong together."""

    key: str  # with folders, without suffixes
    members: dict[str, Ref] = field(default_factory=dict)  # by what follows the first dot

    def photo(self) -> str | None:
        """The member that is the photo."""
        for name in self.members:
            if f".{name}".lower() in PHOTO_SUFFIXES:
                return name
        return next((name for name in self.members if _is_image(name) and not _is_mask(name)), None)

    def mask(self, wanted: str | None) -> str | None:
        """The member that is the mask: as named, else one that is called so."""
        if wanted is not None:
            return next(
                (name for name in self.members if name == wanted or name.startswith(f"{wanted}.")),
                None,
            )
        return next((name for name in self.members if _is_mask(name)), None)


def _is_image(name: str) -> bool:
    return PurePosixPath(f".{name}").suffix.lower() in PHOTO_SUFFIXES


def _is_mask(name: str) -> bool:
    return name.lower().startswith("mask") and _is_image(name)


def samples_of(place: str) -> Iterator[ShardSample]:
    """The samples of a shard, in its order; only headers are read.

    Raises DataError where the file is no tar file or ends early, after the samples before.
    """
    sample: ShardSample | None = None
    try:
        with open_place(place) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if not member.isreg():
                    continue
                folder, slash, base = member.name.rpartition("/")
                stem, _, suffix = base.partition(".")
                key = folder + slash + stem
                # The same member again begins another sample of the same name.
                if sample is None or sample.key != key or suffix in sample.members:
                    if sample is not None:
                        yield sample
                    sample = ShardSample(key)
                sample.members[suffix] = Ref(place, span=(member.offset_data, member.size))
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                # tarfile takes anything after the first member for the end.
                raise tarfile.ReadError("its end is missing")
    except tarfile.TarError as error:
        if sample is not None:
            yield sample
        raise DataError(f"{place} is not a whole tar file: {error}", code="data.shard") from error
    if sample is not None:
        yield sample


def write_shard(file: BinaryIO, members: Iterable[tuple[str, bytes]]) -> None:
    """A tar file of names and contents; the same members give the same bytes."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
