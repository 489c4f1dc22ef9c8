"""The verbs that fill photos: inpaint, methods."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, Switch, app
from gatefill.cli.pipes import PIPE, check_stdout, open_inputs, write_stdout
from gatefill.errors import ConfigError, OutputError


@app.command(
    usage="Usage: gatefill inpaint PHOTO [MASK] [-o OUTPUT] [OPTIONS]",
    help_epilogue="Example: `gatefill inpaint photo.jpg mask.png -o clean.jpg --grow 3`",
)
def inpaint(
    photo: Path,
    mask: Path | None = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    method: Annotated[str | None, Parameter(alias="-m")] = None,
    weights: Path | None = None,
    device: str = "cpu",
    runtime: Literal["auto", "torch", "onnxruntime"] = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32",
    sketch: Path | None = None,
    search: Path | None = None,
    invert_mask: Switch = False,
    grow: int = 0,
    feather: int = 0,
    resize_mask: Switch = False,
    threshold: int = 127,
    mask_as_stored: Switch = False,
    allow_truncated: Switch = False,
    large: Literal["auto", "whole", "crop", "resize"] = "auto",
    max_pixels: int | None = None,
    seed: int | None = None,
    set_: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", metavar="KEY=VALUE", show_default=False),
    ] = (),
    attention: Path | None = None,
    attention_lines: Path | None = None,
    quality: int | None = None,
    lossless: Annotated[bool | None, Parameter(negative="--lossy", show_default=False)] = None,
    overwrite: Switch = False,
    json: Json = False,
) -> int:
    """Fill the hole of a photo.

    All pixels outside the hole stay unchanged, in 8 or 16 bits, and metadata is kept. In a JPEG,
    all blocks of 8x8 pixels without hole pixels stay unchanged.

    Parameters
    ----------
    photo
        JPEG, PNG, WebP, TIFF, BMP, GIF, PNM, AVIF or HEIC, recognized by content. - reads standard
        input.
    mask
        An image of the photo's size: white = hole. A copy of the photo with a part erased to
        transparency works as well. Without a mask, the transparent part of the photo is the hole.
    output
        The file to write; its suffix selects the format. - writes to standard output, in the
        photo's format. An existing file is replaced. Default: PHOTO_filled beside the photo.
    method
        The method, see `gatefill methods`. Default: the one WEIGHTS are for, otherwise hybrid.
    weights
        Weights of a network, see `gatefill info` and `gatefill convert`. Default: those that come
        with gatefill, if the method has some.
    device
        Device for networks: cpu or cuda.
    runtime
        Library that runs networks. auto: torch for frames so large that its start-up time pays off,
        otherwise onnxruntime.
    precision
        Number format of networks. auto: the fastest one that reaches 45 dB PSNR against float32.
    sketch
        An image with white lines as edges that guide the fill, for methods that accept a sketch.
    search
        An image whose white pixels may be copied from, for methods that copy.
    invert_mask
        Black marks the hole.
    grow
        Grow the hole by this many pixels on all sides, to include an object's soft edges.
    feather
        Blend the fill into the photo over this many pixels around the hole; these pixels change.
        Where no known pixel would be left, the fill gets no soft edge, and a warning says so.
    resize_mask
        Stretch a mask of another size to the size of the photo.
    threshold
        Mask levels above this are hole, 0 to 254.
    mask_as_stored
        The mask fits the pixels as stored in the photo's file, before EXIF orientation is applied.
    allow_truncated
        Read the remaining part of a truncated photo or mask.
    large
        crop: use only the surroundings of each hole. whole: the whole photo. resize: the
        surroundings, downscaled until holes are as small as in training. auto: chosen by the sizes
        of photo and hole.
    max_pixels
        Refuse files with more pixels than this.
    seed
        Random seed of the fill.
    set_
        Set an option of the method, such as patchmatch.patch_size=9; may be repeated.
    attention
        Write the attention map in colors, see docs/attention.md.
    attention_lines
        Write the photo with lines from the hole to the positions attended to most.
    quality
        Encode JPEG, AVIF and lossy WebP with this quality, 1 to 100.
    lossless
        Write WebP lossless or lossy. Default: lossy only if the photo is a lossy WebP.
    overwrite
        Allow OUTPUT to be one of the input files.
    """
    from gatefill.images import DEFAULT_MAX_PIXELS, suffix_of
    from gatefill.loading import load

    if photo.is_dir():
        raise ConfigError(_use_batch(photo, mask, output), code="config.folder")
    target = _default_output(photo) if output is None else output
    inputs = [photo, mask, sketch, search]
    # Errors about the output come before anything is loaded.
    _check_targets(target, [attention, attention_lines], inputs, overwrite, quality, lossless)
    if target == PIPE:
        check_stdout(json=json)
    opened = open_inputs(inputs)
    inpainter = load(
        method,
        **settings_of(method, weights, seed, (*_runtime(method, weights, runtime), *set_)),
        weights=weights,
        device=device,
        dtype=precision,
        large=large,
        max_pixels=DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels,
    )
    with terminal.progress_bar("filling", quiet=json) as progress:
        result = inpainter(
            opened[0] or photo,
            opened[1],
            sketch=opened[2],
            search=opened[3],
            invert_mask=invert_mask,
            grow=grow,
            feather=feather,
            resize_mask=resize_mask,
            threshold=threshold,
            mask_as_stored=mask_as_stored,
            allow_truncated=allow_truncated,
            progress=progress,
        )
    if target == PIPE:
        kind = suffix_of(result.photo.meta.format)
        write_stdout(result.to_bytes(kind, quality=quality, lossless=lossless))
    else:
        result.save(target, overwrite=True, quality=quality, lossless=lossless)
    if (attention or attention_lines) and result.attention is None and result.mask.any():
        raise ConfigError(
            f"{result.method} has no attention to draw; {target} is written",
            code="attention.none",
            method=result.method,
        )
    if result.attention is not None and attention is not None:
        result.attention.save(attention, overwrite=True)
    if result.attention is not None and attention_lines is not None:
        result.attention.save_lines(attention_lines, overwrite=True)
    if json:
        terminal.show_json(
            {
                "output": str(target),
                "method": result.method,
                "width": result.photo.width,
                "height": result.photo.height,
                "hole_pixels": int(result.mask.sum()),
                "seconds": round(result.seconds, 3),
                "warnings": [warning.as_dict() for warning in result.warnings],
            }
        )
    else:
        console = terminal.err() if target == PIPE else None
        said = f"{target}  ({result.method}, {result.seconds:.1f} s)"
        terminal.say(said, console=console)
    return terminal.OK


def settings_of(
    method: str | None, weights: Path | None, seed: int | None, settings: tuple[str, ...]
) -> dict[str, Any]:
    """Translate ``--seed`` and ``--set`` to the argument of `load` that they set.

    That is the method's `config`; for a network, whose config is part of its weights, `options`.
    Raises ConfigError for settings that the method does not have.
    """
    from gatefill.loading import DEFAULT_METHOD
    from gatefill.methods import default_config, info_of
    from gatefill.settings import with_settings

    if seed is None and not settings:
        return {}
    name = DEFAULT_METHOD if method is None and weights is None else method
    if name == "hybrid" or (name is not None and not info_of(name).takes_weights):
        said = settings if seed is None else (_seed(name, seed), *settings)
        return {"config": with_settings(default_config(name), said)}
    from gatefill.methods.network import NetworkOptions

    if seed is not None:
        raise ConfigError(
            f"expected no random seed for {name or 'a network'}, which uses no random numbers",
            code="config.seed",
        )
    return {"options": with_settings(NetworkOptions(), settings)}


def _runtime(method: str | None, weights: Path | None, runtime: str) -> tuple[str, ...]:
    """Return the setting that selects the library that runs the network."""
    if runtime == "auto":
        return ()
    steered = method == "hybrid" or (method is None and weights is None)
    return (f"network.runtime={runtime}" if steered else f"runtime={runtime}",)


def _use_batch(photos: Path, mask: Path | None, output: Path | None) -> str:
    """Return the message with the command that fills all photos of a folder."""
    words = ["gatefill", "batch", str(photos)]
    if mask is not None:
        words += ["--masks" if mask.is_dir() else "--mask", str(mask)]
    named = photos if photos.name else photos.resolve()  # "." has no name
    words += ["-o", str(output or f"{named}_filled")]
    return f"expected a photo, got a folder; to fill all photos in it: {shlex.join(words)}"


def _seed(method: str, seed: int) -> str:
    """Return the setting that holds the method's random seed."""
    return f"patchmatch.seed={seed}" if method == "hybrid" else f"seed={seed}"


def _default_output(photo: Path) -> Path:
    """Return ``photo_filled.jpg`` beside ``photo.jpg``, in the format of the photo's content.

    Formats that can only be read become PNG. Standard input gives standard output.
    """
    from gatefill.images import OUTPUT_SUFFIXES, ImageError, format_of, suffix_of

    if photo == PIPE:
        return PIPE
    try:
        with photo.open("rb") as file:
            suffix = suffix_of(format_of(file.read(64), str(photo)))
    except (OSError, ImageError):  # reading it will say what is wrong
        suffix = ".png"
    if OUTPUT_SUFFIXES.get(photo.suffix.lower()) == OUTPUT_SUFFIXES[suffix]:
        suffix = photo.suffix
    return photo.parent / f"{photo.stem}_filled{suffix}"


def _check_targets(
    target: Path,
    pictures: list[Path | None],
    inputs: list[Path | None],
    overwrite: bool,
    quality: int | None,
    lossless: bool | None,
) -> None:
    """Raise GatefillError for an output that cannot be written, or that is one of the inputs."""
    from gatefill.images import check_options, check_output

    for path in (target, *pictures):
        if path is None or path == PIPE:
            continue
        _protect_inputs(path, inputs, overwrite)
        photo = inputs[0]
        if photo == PIPE or (photo is not None and photo.is_file()):
            format = check_output(path)  # a missing input is reported when it is read, more clearly
            if path is target:
                check_options(format, quality, lossless)
    if PIPE in pictures:
        raise ConfigError("expected a file for a picture of attention, got '-'", code="cli.pipe")


def _protect_inputs(target: Path, inputs: list[Path | None], overwrite: bool) -> None:
    from gatefill.result import same_file

    if overwrite:
        return
    for given in inputs:
        if same_file(given, target):
            raise OutputError(
                f"{target} is one of the input files: choose another output, "
                "or replace it with --overwrite",
                code="output.input",
                file=str(target),
            )


@app.command(usage="Usage: gatefill methods [--json]", help_epilogue="")
def methods(*, json: Json = False) -> int:
    """List the methods, with their properties and what they need.

    semantic: recognizes what photos show. non-local: uses material far from the hole. free-form:
    fills holes of any shape. guided: accepts a sketch. (The four properties of arXiv 1806.03589.)
    """
    from gatefill.extras import installed
    from gatefill.methods import METHODS

    if json:
        from dataclasses import asdict

        rows = [
            asdict(info) | {"installed": all(map(installed, info.needs))}
            for info in METHODS.values()
        ]
        terminal.show_json({"methods": rows})
        return terminal.OK

    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("method", "semantic", "non-local", "free-form", "guided", "needs", "weights"):
        table.add_column(heading, no_wrap=True)
    table.add_column("paper", overflow="fold")
    for info in METHODS.values():
        table.add_row(
            info.name,
            *("yes" if has else "no" for has in _four_properties(info)),
            ", ".join(f"gatefill[{extra}]" for extra in info.needs).replace("[", r"\[") or "-",
            _weights_of(info),
            info.paper,
        )
    terminal.out().print(table)
    return terminal.OK


def _weights_of(info: Any) -> str:
    if info.shipped:
        return f"{info.shipped}, or a file"
    return "a file" if info.takes_weights else "none"


def _four_properties(info: Any) -> tuple[bool, bool, bool, bool]:
    return info.semantic, info.non_local, info.free_form, info.user_guided
