"""The verb that writes a network for other programs: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Json, app


@app.command(help_epilogue="Example: `gatefill export compact -o compact.onnx`")
def export(
    weights: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    interface: Literal["photo", "frame"] = "photo",
    storage: Literal["float32", "float16", "int8"] = "float32",
    json: Json = False,
) -> int:
    """Export a network as ONNX and check its pixels against those of torch.

    Parameters
    ----------
    weights
        A gatefill weights file, or `standard`, `compact` or `guide`, which come with gatefill.
    output
        The file to write, ending in .onnx.
    interface
        photo: a uint8 photo and mask of any size in, the filled photo out. frame: for gatefill
        itself, as WEIGHTS of an installation without torch.
    storage
        Number format of the weights in the file. The file is written only if no pixel differs by
        one level of 255 or more.
    """
    from gatefill.export import export as write

    found = write(weights, output, interface=interface, storage=storage)
    if json:
        sizes = [
            {"width": each.width, "height": each.height, "levels": each.levels}
            for each in found.comparisons
        ]
        terminal.show_json({"output": str(output), "bytes": found.file_bytes, "differences": sizes})
        return terminal.OK
    terminal.say("largest difference to torch in the holes, in levels of 255:")
    for each in found.comparisons:
        terminal.say(f"  {each.width} x {each.height}".ljust(14) + f"{each.levels:.4f}")
    terminal.say(f"{output}  ({found.method}, {found.file_bytes:,} bytes)")
    return terminal.OK
