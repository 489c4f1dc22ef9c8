"""Names of outputs: they mirror the inputs', and no two are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from gatefill.batches.items import Item, Problem
from gatefill.images import OUTPUT_SUFFIXES


def output_suffix(name: str, format: str | None) -> str:
    """The suffix of the output of a photo: as asked, else its own, else PNG's."""
    if format is not None:
        return "." + format.lower().removeprefix(".")
    suffix = PurePosixPath(name).suffix
    return suffix if suffix.lower() in OUTPUT_SUFFIXES else ".png"


def output_name(name: str, suffix: str) -> str:
    """``sub/a.gif`` with suffix ``.png`` -> ``sub/a.png``."""
    path = PurePosixPath(name)
    return name if path.suffix.lower() == suffix.lower() else str(path.with_suffix(suffix))


def without_collisions(items: Sequence[tuple[str, Item]]) -> tuple[list[Item], list[Problem]]:
    """Items whose outputs differ, and a note for each that was given another name.

    items: the name that the output mirrors, such as ``sub/a.gif``, and the item. Of those that
    would be written to one file, that whose own name it is keeps it; the others keep their whole
    name: ``a.gif`` goes to ``a.gif.png`` where there is an ``a.png`` as well.
    """
    wanted = defaultdict(list)
    for number, (name, item) in enumerate(items):
        wanted[item.output].append((name != item.output, number, name))
    taken = set(wanted)
    found: list[Item] = [item for _, item in items]
    notes = []
    for output, rivals in wanted.items():
        for _, number, name in sorted(rivals)[1:]:
            item = found[number]
            suffix = PurePosixPath(output).suffix
            other, count = f"{name}{suffix}", 2
            while other in taken:
                other, count = f"{name}~{count}{suffix}", count + 1
            taken.add(other)
            found[number] = replace(item, output=other)
            text = f"is written to {other}, as another photo is written to {output}"
            notes.append(Problem(item.name, "batch.renamed", text))
    return found, notes
