"""The verbs for weights files: convert, info, hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, app


@app.command(help_epilogue="Example: `gatefill convert release_places2_256 -o w.safetensors`")
def convert(
    source: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    data: str = "not stated",
    license: str = "not stated",
    json: Json = False,
) -> int:
    """Convert weights of another program to a gatefill weights file.

    Parameters
    ----------
    source
        DeepFill v2: the official code's TensorFlow checkpoint (its folder), or a .pth of
        deepfillv2-pytorch or mmagic. DeepFill v1: a .pth of mmagic. Partial Convolution: of mmagic
        or pytorch-inpainting-with-partial-conv. Global & Local: of mmagic or GLCIC-PyTorch.
    output
        The file to write, ending in .safetensors.
    data
        Name of the training data, stored in the file.
    license
        License of the weights, stored in the file.
    """
    from gatefill import checkpoints

    _quiet_tensorflow()
    found = checkpoints.convert(source, output, data=data, license=license)
    if json:
        terminal.show_json({"output": str(output), "method": found.method, "config": found.config})
    else:
        terminal.say(f"{output}  ({found.method}, {found.parameters:,} numbers)")
    return terminal.OK


@app.command
def info(file: Path, /, *, json: Json = False) -> int:
    """Describe a weights file: method, config, size and provenance.

    Parameters
    ----------
    file
        A gatefill weights file, anything that `gatefill convert` reads, or `standard`,
        `compact` or `guide`, the weights that come with gatefill.
    """
    from gatefill.checkpoints import describe, find_weights

    _quiet_tensorflow()
    found = describe(find_weights(file))
    if json:
        terminal.show_json({"file": str(file), **found.as_dict()})
    for name, value in [] if json else found.rows():
        terminal.say(f"{name:<12}{value}")
    return terminal.OK


@app.command(help_epilogue="Example: `gatefill hub runs/mine/best.safetensors -o mine`")
def hub(
    weights: Path, /, *, output: Annotated[Path, Parameter(alias="-o")], json: Json = False
) -> int:
    """Write weights as a folder for the Hugging Face hub, with config.json and a model card.

    Parameters
    ----------
    weights
        A gatefill weights file, or `standard`, `compact` or `guide`, which come with gatefill.
    output
        A new folder. Complete its model card, then upload it with `huggingface-cli upload`.
    """
    from gatefill.checkpoints import find_weights, write_folder

    written = write_folder(find_weights(weights), output)
    names = sorted(each.name for each in written.iterdir())
    if json:
        terminal.show_json({"output": str(output), "files": names})
    else:
        terminal.say(f"{output}  ({', '.join(names)})")
    return terminal.OK


def _quiet_tensorflow() -> None:
    """Silence start-up messages of TensorFlow, which reads these variables when imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
