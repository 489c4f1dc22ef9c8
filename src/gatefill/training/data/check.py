"""Check a data set before training: sizes, broken files, near-duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import PIL.Image

from gatefill.training.data.batch import Pixels
from gatefill.training.data.images import stored_images
from gatefill.training.data.sources import DataSource, decode_image

NEAR = 4  # maximum number of different bits, of 64, of near-duplicates' hashes


@dataclass(frozen=True)
class DataReport:
    """Result of a check."""

    images: int
    broken: tuple[str, ...]  # name: what is wrong
    missing: tuple[str, ...]  # listed, but missing
    shorter_side: tuple[int, int, int]  # minimum, median, maximum, in pixels
    longer_side: tuple[int, int, int]
    too_small: int  # images whose shorter side is below the requested size
    gray: int  # images without color
    duplicates: tuple[tuple[str, ...], ...]  # groups of near-duplicates
    shared: tuple[tuple[str, ...], ...] = ()  # groups with images of another source too


def check(
    source: DataSource,
    size: int = 256,
    progress: Callable[[float], None] | None = None,
    against: DataSource | None = None,
) -> DataReport:
    """Decode every image of a source: sizes, broken ones, near-duplicates by perceptual hash.

    Args:
        source: The training data.
        size: Side of the training samples in pixels.
        progress: Called with the completed fraction of the files.
        against: Other data, such as validation images, that should not be in the training data, not
            even scaled or saved again.

    Returns:
        The report.
    """
    names: list[str] = []
    hashes: list[int] = []
    sides: list[tuple[int, int]] = []
    broken: list[str] = []
    gray = 0
    for number, image in enumerate(stored_images(source), 1):
        try:
            pixels = decode_image(image.data)
        except (ValueError, OSError) as problem:
            broken.append(f"{image.name}: {problem}")
            continue
        names.append(image.name)
        sides.append((min(pixels.shape[:2]), max(pixels.shape[:2])))
        gray += bool((pixels[..., :1] == pixels).all())
        hashes.append(_hash(pixels))
        if progress is not None and source.files:
            progress(number / len(source.files))
    return DataReport(
        images=len(names),
        broken=tuple(broken),
        missing=source.missing,
        shorter_side=_spread([short for short, _ in sides]),
        longer_side=_spread([long for _, long in sides]),
        too_small=sum(short < size for short, _ in sides),
        gray=gray,
        duplicates=_alike(names, hashes),
        shared=() if against is None else _shared(names, hashes, against),
    )


def _alike(names: Sequence[str], hashes: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """Groups of near-duplicates; a list may name an image twice on purpose."""
    groups = (tuple(dict.fromkeys(names[i] for i in group)) for group in near_groups(hashes))
    return tuple(group for group in groups if len(group) > 1)


def _shared(
    names: Sequence[str], hashes: Sequence[int], against: DataSource
) -> tuple[tuple[str, ...], ...]:
    """Groups of near-duplicates with images of both sources."""
    others: dict[str, int] = {}
    for image in stored_images(against):
        with suppress(ValueError, OSError):  # broken images are reported by their own check
            others[image.name] = _hash(decode_image(image.data))
    everyone = [*names, *others]
    return tuple(
        tuple(everyone[i] for i in group)
        for group in near_groups([*hashes, *others.values()])
        if min(group) < len(names) <= max(group)
    )


def _hash(pixels: Pixels) -> int:
    """Return a perceptual hash of 64 bits that is nearly invariant to scaling and compression."""
    import imagehash

    bits = imagehash.phash(PIL.Image.fromarray(pixels)).hash.flatten()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def near_groups(hashes: Sequence[int], near: int = NEAR) -> list[list[int]]:
    """Group 64-bit hashes that are connected by differences of at most `near` bits.

    Hashes that differ in at most `near` bits are equal in at least one of near + 1 bands, so only
    hashes that share a band are compared, and not all pairs.
    """
    parent = list(range(len(hashes)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    bands = near + 1
    edges = [64 * band // bands for band in range(bands + 1)]
    for low, high in pairwise(edges):
        same: dict[int, list[int]] = defaultdict(list)
        for i, value in enumerate(hashes):
            same[value >> low & (1 << high - low) - 1].append(i)
        for members in same.values():
            for place, i in enumerate(members):
                for j in members[place + 1 :]:
                    if (hashes[i] ^ hashes[j]).bit_count() <= near:
                        parent[root(j)] = root(i)
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(len(hashes)):
        groups[root(i)].append(i)
    return [group for group in groups.values() if len(group) > 1]


def _spread(values: Sequence[int]) -> tuple[int, int, int]:
    if not values:
        return 0, 0, 0
    found: Any = np.quantile(values, (0.0, 0.5, 1.0), method="nearest")
    return int(found[0]), int(found[1]), int(found[2])
