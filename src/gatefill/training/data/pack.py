"""Packing images into WebDataset shards: tar files for streaming from disks and networks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatefill.errors import DataError
from gatefill.training.data.images import StoredImage, stored_images
from gatefill.training.data.sources import DataSource, decode_image
from gatefill.training.files import remove_parts, whole, write_json

INDEX = "shards.json"


@dataclass(frozen=True)
class Packed:
    """Result of packing."""

    pattern: str  # for --data
    shards: int
    images: int
    broken: tuple[str, ...]


def pack(
    source: DataSource,
    folder: Path,
    *,
    per_shard: int = 1000,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Packed:
    """Write a source's files as shards, their bytes unchanged, in random order.

    Existing shards are kept, so that packing can be resumed. Images that cannot be decoded are
    left out. Edge files are included. The index ``shards.json`` lists shards, counts and broken
    images. Raises DataError if the folder holds shards of other images.
    """
    if per_shard < 1:
        raise DataError(
            f"expected one image per shard or more, got {per_shard}",
            code="config.range",
            name="per_shard",
            value=per_shard,
            least=1,
        )
    if not source.files:
        raise DataError(
            "expected a folder or a list of images to pack, got shards", code="data.shards_already"
        )
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(source.files))
    files = [source.files[i] for i in order]
    count = -(-len(files) // per_shard)
    index = _opened_index(folder / INDEX, _fingerprint(source, per_shard, seed))
    digits = max(len(str(count - 1)), 3)

    for number in range(count):
        name = f"shards-{number:0{digits}d}.tar"
        if name not in index["shards"] or not (folder / name).is_file():
            part = DataSource(source.name, tuple(files[number * per_shard :][:per_shard]))
            images, broken = _write_shard(folder / name, part, number * per_shard)
            index["shards"][name] = {"images": images, "broken": broken}
            write_json(folder / INDEX, index)
        if progress is not None:
            progress((number + 1) / count)

    entries = index["shards"].values()
    return Packed(
        pattern=str(folder / f"shards-{{{0:0{digits}d}..{count - 1:0{digits}d}}}.tar"),
        shards=count,
        images=sum(entry["images"] for entry in entries),
        broken=tuple(name for entry in entries for name in entry["broken"]),
    )


def _write_shard(path: Path, source: DataSource, start: int) -> tuple[int, list[str]]:
    """Write one tar file; return the number of its images and the names left out."""
    import webdataset

    broken, written = [], 0
    with (
        whole(path) as beside,
        beside.open("wb") as file,
        # No timestamps, so that the same images give the same bytes.
        webdataset.TarWriter(file, encoder=False, mtime=0) as tar,
    ):
        for number, image in enumerate(stored_images(source), start):
            problem = _problem(image)
            if problem:
                broken.append(f"{image.name}: {problem}")
                continue
            entry: dict[str, Any] = {"__key__": f"{number:09d}"}
            entry[image.suffix.removeprefix(".")] = image.data
            if image.edges is not None:
                jpeg = image.edges.startswith(b"\xff\xd8")
                entry["edge.jpg" if jpeg else "edge.png"] = image.edges
            tar.write(entry)
            written += 1
    return written, broken


def _problem(image: StoredImage) -> str | None:
    try:
        decode_image(image.data)
    except (ValueError, OSError) as problem:
        return str(problem)
    return None


def _opened_index(path: Path, fingerprint: str) -> dict[str, Any]:
    """The index of existing shards, or a new one."""
    if not path.is_file():
        return {"fingerprint": fingerprint, "shards": {}}
    index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if index.get("fingerprint") != fingerprint:
        raise DataError(
            f"{path.parent} holds shards of other images or other settings: choose another folder",
            code="data.other_shards",
            folder=str(path.parent),
        )
    return index


def _fingerprint(source: DataSource, per_shard: int, seed: int) -> str:
    text = "\n".join([str(per_shard), str(seed), *map(str, source.files)])
    return hashlib.sha256(text.encode()).hexdigest()
