"""A picture of some cases of a report by `gatefill compare`: what each method made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import PIL.ImageOps

from gatefill.evaluation.files import slug

TILE, GAP, HEAD = 224, 6, 26
HOLE = "hole"


def case_sheet(
    cases: Sequence[dict[str, Any]],
    methods: Sequence[str],
    report: Path,
    titles: Mapping[str, str] | None = None,
) -> PIL.Image.Image:
    """Rows of cases; columns: with the hole, each method by its title, the truth."""
    sides = {"with the hole": HOLE}
    sides |= {label: slug(label) for label in methods}
    sides |= {"truth": "truth"}
    step = TILE + GAP
    size = len(sides) * step + GAP, HEAD + len(cases) * step
    sheet = PIL.Image.new("RGB", size, "white")
    draw = PIL.ImageDraw.Draw(sheet)
    font = PIL.ImageFont.load_default(15)
    for column, (name, file) in enumerate(sides.items()):
        left = GAP + column * step
        title = (titles or {}).get(name, name)
        draw.text((left + TILE // 2, HEAD // 2), title, "black", font, "mm")
        for row, case in enumerate(cases):
            picture = _tile(report, case["key"], file)
            sheet.paste(picture, (left, HEAD + row * step))
    return sheet


def _tile(report: Path, key: str, file: str) -> PIL.Image.Image:
    """A small picture. The hole is drawn anew: objects that stood in it have other licenses."""
    name = "truth" if file == HOLE else file
    picture = PIL.Image.open(report / "pictures" / key / f"{name}.webp").convert("RGB")
    if file == HOLE:
        mask = PIL.Image.open(report / "masks" / f"{key}.png").resize(picture.size)
        picture.paste((127, 127, 127), mask=mask)
    return PIL.ImageOps.contain(picture, (TILE, TILE), PIL.Image.Resampling.LANCZOS)
