"""The verb that makes a mask of objects, people, text or dust in a photo: mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, Switch, app
from gatefill.errors import ConfigError, OutputError

_SOFT = {"object": 4, "people": 4}  # pixels of soft edge around the object


@app.command(
    usage="Usage: gatefill mask object|people|text|dust PHOTO -o MASK [OPTIONS]",
    help_epilogue="Example: `gatefill mask object photo.jpg --box 120,80,340,420 -o mask.png`",
)
def mask(
    kind: Literal["object", "people", "text", "dust"],
    photo: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    box: Annotated[str | None, Parameter(metavar="LEFT,TOP,RIGHT,BOTTOM")] = None,
    scribble: Path | None = None,
    width: int | None = None,
    sensitivity: float = 0.5,
    grow: int | None = None,
    overwrite: Switch = False,
    json: Json = False,
) -> int:
    """Find an object, people, text, or dust and scratches in a photo, and write a mask of them.

    White = hole, for `gatefill inpaint`. object, people and text need small networks, which
    `gatefill fetch selection` downloads.

    Parameters
    ----------
    kind
        object (the most prominent one in --box, or in the photo), people (in --box, or in the
        photo), text, or dust (specks and scratches).
    photo
        The photo.
    output
        The mask to write, as PNG.
    box
        A rough box around the object or the people, in pixels of the upright photo.
    scribble
        Instead of a box, an image of the photo's size: white lines drawn over the object.
    width
        Width of the widest speck or scratch, in pixels. Default: 1/200 of the shorter side.
    sensitivity
        For dust, from 0 (only the clearest marks) to 1.
    grow
        Grow the mask by this many pixels. Default: 4 for object and people, to include their soft
        edges, 0 for text and dust.
    overwrite
        Replace an existing file.
    """
    from gatefill.images import MaskOptions, Photo, grown, read_photo, read_plane
    from gatefill.masks import select_dust, select_object, select_people, select_text

    if output.suffix.lower() != ".png":
        raise OutputError(
            f"expected a name that ends in .png for the mask, got {output}",
            code="output.mask_suffix",
            file=str(output),
        )
    corners = None if box is None else _corners(box)
    wider = MaskOptions(grow=_SOFT.get(kind, 0) if grow is None else grow).grow
    opened = read_photo(photo)
    if kind == "object":
        drawn = None if scribble is None else read_plane(scribble, opened, "scribble")
        found = select_object(opened, corners, scribble=drawn)
    elif kind == "people":
        found = select_people(opened, corners)
    elif kind == "text":
        found = select_text(opened)
    else:
        found = select_dust(opened, width=width, sensitivity=sensitivity)
    found = grown(found, wider)
    Photo(found.astype("uint8")[..., None] * 255).save(output, overwrite=overwrite)
    share = float(found.mean())
    if json:
        terminal.show_json({"mask": str(output), "hole_share": round(share, 6)})
    elif share:
        terminal.say(f"{output}: {share:.1%} of the photo")
    else:
        terminal.say(f"{output}: nothing was found, the mask is empty")
    return terminal.OK


def _corners(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
        raise ConfigError(
            f"expected a box as LEFT,TOP,RIGHT,BOTTOM, got {text!r:.80}",
            code="select.box_text",
            box=text[:80],
        )
    return tuple(int(part) for part in parts)
