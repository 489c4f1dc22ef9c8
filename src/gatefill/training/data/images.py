"""Iterate over all images of a source, for tools that process whole data sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gatefill.training.data.shards import raw_samples
from gatefill.training.data.sources import DataSource, edge_file


class StoredImage(NamedTuple):
    """An encoded image."""

    name: str
    suffix: str  # such as .jpg
    data: bytes
    edges: bytes | None = None  # of the edge file beside it


def stored_images(source: DataSource) -> Iterator[StoredImage]:
    """Every image of a source, in the order of files or shards.

    A file that cannot be read is returned with no bytes, so that it counts as broken.
    """
    for file in source.files:
        edges = edge_file(file)
        try:
            data = file.read_bytes()
        except OSError:
            data = b""
        beside = None if edges is None else edges.read_bytes()
        yield StoredImage(str(file), file.suffix.lower(), data, beside)
    for shard in source.shards:
        for raw in raw_samples(shard):
            name = raw["name"]
            yield StoredImage(name, "." + name.rpartition(".")[2], raw["image"], raw.get("edges"))
