"""The verbs for training data: data pack, data check."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gatefill import terminal
from gatefill.cli.app import Json, app
from gatefill.cli.shared import side_of
from gatefill.errors import ConfigError
from gatefill.extras import require

data = App(name="data", help="Check training data, and pack it into shards.")
app.command(data)

SHOWN = 10  # names to print of each kind; --json lists all


@data.command(help_epilogue="Example: `gatefill data pack photos -o shards`")
def pack(
    source: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    per_shard: int = 1000,
    seed: int = 0,
    json: Json = False,
) -> int:
    """Pack images into WebDataset shards, in random order and with their bytes unchanged.

    Run the same command again to resume after an interruption.

    Parameters
    ----------
    source
        A folder of images, or a text file with one path per line.
    output
        The folder for the shards.
    per_shard
        Images per shard.
    seed
        Random seed of the order.
    """
    require("train", "packing data")
    from gatefill.training.data import open_source
    from gatefill.training.data.pack import pack as run

    with terminal.progress_bar("packing", quiet=json) as progress:
        packed = run(open_source(source), output, per_shard=per_shard, seed=seed, progress=progress)
    if json:
        terminal.show_json(asdict(packed))
        return terminal.OK
    terminal.say(f"{packed.images:,} images in {packed.shards} shards")
    _list("broken, left out", packed.broken)
    terminal.say(f"train on them: --data '{packed.pattern}'")
    return terminal.OK


@data.command(help_epilogue="Example: `gatefill data check photos --size 256x256`")
def check(
    source: str,
    /,
    *,
    size: Annotated[str, Parameter(metavar="WxH")] = "256x256",
    against: str | None = None,
    json: Json = False,
) -> int:
    """Check training data: image sizes, broken files, near-duplicates.

    Parameters
    ----------
    source
        A folder of images, a text file with one path per line, or shards.
    size
        Size of the training crops, such as 256x256.
    against
        Other images, such as those kept for validation: list which of them are also in the training
        data, even scaled or saved again.
    """
    side = side_of(size)
    if side is None:
        raise ConfigError(
            f"expected a square's size such as 256x256, got {size!r:.80}",
            code="data.size",
            value=size[:80],
        )
    require("train", "checking data")
    from gatefill.training.data import open_source
    from gatefill.training.data.check import check as run

    with terminal.progress_bar("checking", quiet=json) as progress:
        other = None if against is None else open_source(against)
        found = run(open_source(source), side, progress, other)
    if json:
        terminal.show_json(asdict(found))
        return terminal.OK
    terminal.say(f"{found.images:,} images, {found.gray} of them gray")
    for name, sides in (("shorter", found.shorter_side), ("longer", found.longer_side)):
        least, median, most = sides
        terminal.say(f"{name} side: {least} to {most} pixels, half of them over {median}")
    if found.too_small:
        terminal.say(f"{found.too_small} are smaller than {side} pixels and will be enlarged")
    _list("listed, but not there", found.missing)
    _list("broken", found.broken)
    _list("groups that look alike", tuple(" = ".join(group) for group in found.duplicates))
    _list(f"groups with images of {against}", tuple(" = ".join(each) for each in found.shared))
    return terminal.OK


def _list(what: str, names: tuple[str, ...]) -> None:
    if names:
        terminal.say(f"{len(names)} {what}:")
    for name in names[:SHOWN]:
        terminal.say(f"  {name}")
    if len(names) > SHOWN:
        terminal.say(f"  and {len(names) - SHOWN} more (--json names all)")
