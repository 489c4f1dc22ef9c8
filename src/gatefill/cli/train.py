"""The verbs that train: train, data pack, data check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, Switch, app
from gatefill.extras import require


@app.command(
    usage="Usage: gatefill train RECIPE --data DIR [-o DIR] [--set KEY=VALUE ...] [OPTIONS]",
    help_epilogue=(
        "Example: `gatefill train deepfill-v2-laptop --data photos --set images=50000`\n\n"
        "To go on after an interruption, run the same command again."
    ),
)
def train(
    recipe: str,
    /,
    *,
    data: str,
    validate: str | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    set_: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", metavar="KEY=VALUE", show_default=False),
    ] = (),
    devices: str = "auto",
    strategy: str = "auto",
    nodes: int = 1,
    data_name: str = "not stated",
    licence: str = "not stated",
    dry_run: Switch = False,  # noqa: ARG001
    json: Json = False,  # noqa: ARG001
) -> int:
    """Train a network, or go on training it.

    Parameters
    ----------
    recipe
        deepfill-v2-256, deepfill-v2-guided-256, deepfill-v1-256, partial-conv-512 or
        global-local-256; or deepfill-v2-laptop and its like, for two cores.
    data
        A folder of images, a text file with one path a line, or shards such as
        shards-{000..099}.tar, also as a URL.
    validate
        Images to measure on, likewise. Default: a part of the data is held out.
    output
        Folder of the run. Default: runs/RECIPE.
    set_
        Change a value of the recipe, such as batch_size=8 or data.size=128; may be repeated.
    devices
        auto, cpu, cuda, or a number of them: cuda:4, cpu:2.
    strategy
        How several processes share the work, as Lightning Fabric names it: auto, ddp, fsdp.
    nodes
        How many machines take part.
    data_name
        What the data is, to be kept in the weights.
    licence
        What the weights may be used for, likewise.
    dry_run
        Only say what would be trained, and how fast.
    """
    require("train", "training")
    from gatefill.settings import with_settings
    from gatefill.training.data import open_source
    from gatefill.training.loop import train as run
    from gatefill.training.recipes import recipe as recipe_named

    config = with_settings(recipe_named(recipe), set_)
    source = open_source(data)
    if source.missing:
        terminal.warn(f"{len(source.missing)} listed images are not there: {source.missing[0]} ...")
    kept_apart = None if validate is None else open_source(validate)
    folder = Path("runs") / config.recipe if output is None else output
    outcome = run(
        config,
        source,
        folder,
        validation=kept_apart,
        devices=devices,
        strategy=strategy,
        nodes=nodes,
        provenance={"data": data_name, "licence": licence},
    )
    terminal.say(str(outcome))
    return terminal.OK
