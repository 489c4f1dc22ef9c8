"""The verb that writes random masks: masks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, Switch, app
from gatefill.errors import ConfigError, OutputError


@app.command(
    usage="Usage: gatefill masks OUT [OPTIONS]",
    help_epilogue="Example: `gatefill masks my_masks --kind brush --size 680x512 --bin 10-20`",
)
def masks(
    out: Path,
    /,
    *,
    kind: Annotated[str, Parameter(alias="-k")] = "brush",
    count: Annotated[int, Parameter(alias="-n")] = 16,
    size: Annotated[str, Parameter(metavar="WxH")] = "256x256",
    seed: int = 0,
    bin: Annotated[str | None, Parameter(metavar="LOW-HIGH")] = None,
    cutout: Annotated[tuple[Path, ...], Parameter(negative="", show_default=False)] = (),
    overwrite: Switch = False,
    json: Json = False,
) -> int:
    """Write a folder of masks and a contact sheet of them.

    White = hole. The same seed gives the same masks on every machine.

    Parameters
    ----------
    out
        The folder to write into; created if necessary.
    kind
        brush (strokes), box, box_or_brush (as DeepFill v2 is trained with), lama_thin, lama_medium,
        lama_thick (LaMa's evaluation), irregular (as for partial convolutions), center, or object
        (the shape of --cutout).
    count
        Number of masks.
    size
        Width x height in pixels.
    seed
        Random seed of the masks.
    bin
        Only masks whose hole covers this share of the frame, in percent, such as 10-20.
    cutout
        An image with alpha that gives the shape of object masks; may be repeated.
    overwrite
        Write to a folder that is not empty.
    """
    from gatefill.mask_files import (
        contact_sheet,
        draw,
        kind_named,
        read_bin,
        read_size,
        save_mask,
    )

    width, height = read_size(size)
    if count < 1:
        raise ConfigError(
            f"expected a count of 1 or more, got {count}",
            code="config.range",
            name="count",
            value=count,
            least=1,
        )
    generator = kind_named(kind, cutout)
    share = None if bin is None else read_bin(bin)
    if out.exists() and not out.is_dir():
        raise OutputError(
            f"expected a folder to write into, got a file: {out}",
            code="output.no_folder",
            file=str(out),
        )
    if not overwrite and out.is_dir() and any(out.iterdir()):
        raise OutputError(
            f"{out} is not empty: choose another folder, or allow it with --overwrite",
            code="output.folder_in_use",
            folder=str(out),
        )

    made, shares = [], []
    with terminal.progress_bar("drawing", quiet=json) as progress:
        for number, mask in enumerate(draw(generator, height, width, seed, count, share)):
            out.mkdir(parents=True, exist_ok=True)
            made.append(save_mask(mask, out, number))
            shares.append(float(mask.mean()))
            if progress is not None:
                progress((number + 1) / count)
    sheet = contact_sheet(made, out)
    mean = sum(shares) / count
    if json:
        terminal.show_json(
            {
                "folder": str(out),
                "masks": [path.name for path in made],
                "hole_shares": [round(value, 6) for value in shares],
                "contact_sheet": str(sheet),
            }
        )
    else:
        terminal.say(f"{count} masks in {out}, mean hole share {mean:.1%}")
        terminal.say(f"look at them: {sheet}")
    return terminal.OK
