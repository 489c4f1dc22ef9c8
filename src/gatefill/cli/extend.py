"""The verb that extends photos: extend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, Switch, app
from gatefill.cli.fill import settings_of
from gatefill.errors import ConfigError

_Margin = Parameter(metavar="PIXELS|PERCENT%", show_default=False)


@app.command(
    usage="Usage: gatefill extend PHOTO [-o OUTPUT] [--left N] [--top N] [--right N] [--bottom N]",
    help_epilogue="Example: `gatefill extend photo.jpg --left 25% --right 25% -o wide.jpg`",
)
def extend(
    photo: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    left: Annotated[str, _Margin] = "0",
    top: Annotated[str, _Margin] = "0",
    right: Annotated[str, _Margin] = "0",
    bottom: Annotated[str, _Margin] = "0",
    method: Annotated[str | None, Parameter(alias="-m")] = None,
    weights: Path | None = None,
    device: str = "cpu",
    seed: int | None = None,
    quality: int | None = None,
    overwrite: Switch = False,
    json: Json = False,
) -> int:
    """Extend a photo beyond its edges: the new margins are filled like holes.

    All pixels of the photo stay unchanged. A JPEG is encoded again.

    Parameters
    ----------
    photo
        The photo.
    output
        The file to write; its suffix selects the format. Default: PHOTO_extended beside the photo.
    left
        Margin to add on this side: pixels, or percent of the photo's width such as 25%.
    top
        Margin to add, in pixels or percent of the photo's height.
    right
        Margin to add, in pixels or percent of the photo's width.
    bottom
        Margin to add, in pixels or percent of the photo's height.
    method
        The method, see `gatefill methods`. Default: the one WEIGHTS are for, otherwise hybrid.
    weights
        Weights of a network. Default: those that come with gatefill.
    device
        Device for networks: cpu or cuda.
    seed
        Random seed of the fill.
    quality
        Encode JPEG, AVIF and lossy WebP with this quality, 1 to 100.
    overwrite
        Replace an existing file.
    """
    from gatefill.images import OUTPUT_SUFFIXES, check_output, read_photo, suffix_of
    from gatefill.loading import load

    opened = read_photo(photo)
    margins = {
        "left": _pixels("left", left, opened.width),
        "top": _pixels("top", top, opened.height),
        "right": _pixels("right", right, opened.width),
        "bottom": _pixels("bottom", bottom, opened.height),
    }
    suffix = suffix_of(opened.meta.format)
    if OUTPUT_SUFFIXES.get(photo.suffix.lower()) == OUTPUT_SUFFIXES[suffix]:
        suffix = photo.suffix
    target = output or photo.with_name(f"{photo.stem}_extended{suffix}")
    check_output(target, overwrite=overwrite)
    settings = settings_of(method, weights, seed, ())
    inpainter = load(method, **settings, weights=weights, device=device)
    with terminal.progress_bar("filling", quiet=json) as progress:
        result = inpainter.extend(opened, **margins, progress=progress)
    result.save(target, overwrite=overwrite, quality=quality)
    if json:
        terminal.show_json(
            {
                "output": str(target),
                "method": result.method,
                "width": result.photo.width,
                "height": result.photo.height,
                "seconds": round(result.seconds, 3),
                "warnings": [warning.as_dict() for warning in result.warnings],
            }
        )
    else:
        size = f"{result.photo.width} x {result.photo.height}"
        terminal.say(f"{target}  {size}  ({result.method}, {result.seconds:.1f} s)")
    return terminal.OK


def _pixels(name: str, text: str, side: int) -> int:
    """Parse a margin such as 100 or 25% to pixels."""
    found = re.fullmatch(r"\s*(\d{1,6}(?:\.\d+)?)(%?)\s*", text)
    if found is None or ("." in found[1] and not found[2]):
        raise ConfigError(
            f"expected --{name} as pixels, or as percent such as 25%, got {text!r:.80}",
            code="extend.margin_text",
            name=name,
            value=text[:80],
        )
    return round(float(found[1]) * side / 100) if found[2] else int(found[1])
