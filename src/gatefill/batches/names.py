"""Names of outputs: they mirror the inputs' names, without collisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from gatefill.batches.items import Item, Problem
from gatefill.images import OUTPUT_SUFFIXES


def output_suffix(name: str, format: str | None) -> str:
    """Return the suffix of a photo's output: as requested, else its own, else PNG's."""
    if format is not None:
        return "." + format.lower().removeprefix(".")
    suffix = PurePosixPath(name).suffix
    return suffix if suffix.lower() in OUTPUT_SUFFIXES else ".png"


def output_name(name: str, suffix: str) -> str:
    """Replace the suffix: ``sub/a.gif`` with ``.png`` -> ``sub/a.png``."""
    path = PurePosixPath(name)
    return name if path.suffix.lower() == suffix.lower() else str(path.with_suffix(suffix))


def without_collisions(items: Sequence[tuple[str, Item]]) -> tuple[list[Item], list[Problem]]:
    """Rename outputs so that no two are the same; also return a note for each renamed one.

    items: The name that the output mirrors, such as ``sub/a.gif``, and the item. Of several items
        with
    the same output, the one whose own name it is keeps it; the others keep their whole name:
    ``a.gif`` is written to ``a.gif.png`` if there is an ``a.png`` as well.
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
