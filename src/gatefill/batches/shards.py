"""WebDataset shards: tar files whose members with one name up to the first dot are a sample."""

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
    """The members of a shard that belong to one sample."""

    key: str  # name with folders, without suffixes
    members: dict[str, Ref] = field(default_factory=dict)  # by name after the first dot

    def photo(self) -> str | None:
        """Return the member that is the photo."""
        for name in self.members:
            if f".{name}".lower() in PHOTO_SUFFIXES:
                return name
        return next((name for name in self.members if _is_image(name) and not _is_mask(name)), None)

    def mask(self, wanted: str | None) -> str | None:
        """Return the member that is the mask: the requested one, or one with the name of a mask."""
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
    """Yield the samples of a shard, in its order, reading only headers.

    Raises DataError if the file is not a tar file or is truncated, after its complete samples.
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
                # A repeated member starts another sample of the same name.
                if sample is None or sample.key != key or suffix in sample.members:
                    if sample is not None:
                        yield sample
                    sample = ShardSample(key)
                sample.members[suffix] = Ref(place, span=(member.offset_data, member.size))
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                # tarfile accepts anything after the first member as the end.
                raise tarfile.ReadError("its end is missing")
    except tarfile.TarError as error:
        if sample is not None:
            yield sample
        raise DataError(f"{place} is not a whole tar file: {error}", code="data.shard") from error
    if sample is not None:
        yield sample


def write_shard(file: BinaryIO, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a tar file of names and contents; the same members give the same bytes."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
