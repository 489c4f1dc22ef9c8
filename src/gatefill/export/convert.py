"""Converts a weights file to an ONNX file, and verifies that it gives the same pixels."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatefill.checkpoints import find_weights, load_network
from gatefill.checkpoints.native import FORMAT
from gatefill.errors import OutputError, WeightsError
from gatefill.extras import import_onnxruntime, need
from gatefill.geometry import pad_to_multiple
from gatefill.methods.base import Method, composite
from gatefill.methods.registry import network_entry, with_network
from gatefill.runtime.base import Image, Mask
from gatefill.runtime.torch import TorchRuntime

SIZES = ((64, 64), (96, 160), (200, 152), (256, 256), (243, 371))  # height, width
EXACT: tuple[tuple[str, ...], ...] = ((), ("conv",), ("conv", "pm"))  # layers that stay float32
LARGEST_ERROR = 1.0  # levels of 255 in the holes, before rounding
FITTING = "gatefill.methods.rim:even_miss"  # the post-processing that a graph can contain


@dataclass(frozen=True)
class Comparison:
    """Largest difference in the holes between the file and torch, for one photo."""

    height: int
    width: int
    levels: float  # of 255, before rounding


@dataclass(frozen=True)
class Exported:
    """The result of `export`."""

    path: Path
    method: str
    file_bytes: int
    comparisons: tuple[Comparison, ...]

    @property
    def largest(self) -> float:
        """The largest difference of all comparisons, in levels of 255."""
        return max(each.levels for each in self.comparisons)


def export(
    weights: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    interface: str = "photo",
    storage: str = "float32",
) -> Exported:
    """Export the network of a weights file as ONNX, if its pixels agree with those of torch.

    Args:
        weights: A gatefill weights file, or the name of weights that come with gatefill.
        target: The file to write, ending in ``.onnx``.
        interface: ``"photo"``: uint8 photo and mask of any size in, the filled photo out.
            ``"frame"``: the form that gatefill itself runs, see `gatefill.export.model`.
        storage: Number format of weights in the file: ``"float32"``, ``"float16"`` or ``"int8"``.

    Returns:
        The file, and the differences to torch.

    Raises:
        WeightsError: If the weights cannot be read, or if the file would differ by a level of 255
            or more; it is not written then.
        OutputError: If `target` has another suffix.
        MissingExtra: (an ImportError) If torch or onnx is not installed.
    """
    onnx = need("onnx", "export", "exporting a network")
    need("torch", "export", "exporting a network")
    from gatefill.export.model import onnx_model

    target = Path(target)
    if target.suffix != ".onnx":
        raise OutputError(
            f"expected an output name ending in .onnx, got {target}",
            code="output.name",
            name=str(target),
        )
    info, network = load_network(find_weights(weights))
    metadata = {
        "gatefill_format": FORMAT,
        "method": info.method,
        "config": json.dumps(info.config),
        "finish": json.dumps(info.finish),
        "provenance": json.dumps(asdict(info.provenance)),
        "storage": storage,
    }
    # Global & Local's post-processing uses OpenCV, which a graph cannot contain.
    finish = info.finish and network_entry(info.method).finish == FITTING
    method = with_network(info.method, network, finish=finish)
    # Later layers amplify errors of the first stage, and attention may select other cells.
    for exact in EXACT if storage != "float32" else EXACT[:1]:
        how: Any = {"storage": storage, "exact": exact}
        model = onnx_model(network, metadata, interface="frame", **how)
        compared = tuple(_compared(network, model.SerializeToString()))
        worst = max(each.levels for each in compared)
        if interface == "photo" and worst < LARGEST_ERROR:
            model = onnx_model(network, metadata, interface="photo", finish=finish, **how)
            worst = max(worst, _off_by(model.SerializeToString(), method) - 1.0)
        if worst < LARGEST_ERROR:
            break
    else:
        raise WeightsError(
            f"expected weights stored as {storage} to be off by less than {LARGEST_ERROR:g} level, "
            f"got {worst:.2f}",
            code="weights.storage",
            storage=storage,
            levels=worst,
        )
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        onnx.save_model(model, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return Exported(target, info.method, target.stat().st_size, compared)


def _compared(network: Any, model: bytes) -> Iterator[Comparison]:
    """Compare frames of the file with those of torch, for photos of several sizes."""
    onnxruntime = import_onnxruntime()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    torch_runtime = TorchRuntime(network)
    for number, (height, width) in enumerate(SIZES):
        photo, hole = example(height, width, number)
        image: Image = pad_to_multiple(photo, torch_runtime.multiple)
        mask: Mask = pad_to_multiple(hole, torch_runtime.multiple)
        feeds: dict[str, Any] = {"image": image, "mask": mask}
        if torch_runtime.takes_sketch:
            feeds["sketch"] = _drawing(image)
        filled = dict(zip(names, session.run(names, feeds), strict=True))["filled"]
        wanted = torch_runtime.run(image, mask, feeds.get("sketch")).image
        levels = 255.0 * float(np.abs(filled - wanted)[mask].max())
        yield Comparison(height, width, levels)


def _off_by(model: bytes, method: Method) -> float:
    """Return the largest difference of whole photos between a file and the call, in levels of 255.

    Both are rounded, so that the smallest difference may become one level.
    """
    onnxruntime = import_onnxruntime()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    largest = 0.0
    for number, (height, width) in enumerate(SIZES):
        image, mask = example(height, width, number)
        photo = np.rint(255.0 * image).astype(np.uint8)
        image = (photo / 255.0).astype(np.float32)
        feeds = {"photo": photo, "mask": np.where(mask, 255, 0).astype(np.uint8)}
        sketch = None
        if method.info.takes_sketch:
            sketch = _drawing(image)
            feeds["sketch"] = np.where(sketch, 255, 0).astype(np.uint8)
        (filled,) = session.run(["filled"], feeds)
        wanted = composite(method.fill(image, mask, sketch).image, image, mask)
        largest = max(largest, float(np.abs(filled - np.rint(255.0 * wanted)).max()))
    return largest


def _drawing(image: Image) -> Mask:
    """Make a drawing to test the sketch input."""
    drawn: Mask = (image[..., 0] > image[..., 1]) & (image[..., 1] > image[..., 2])
    return drawn


def example(height: int, width: int, seed: int) -> tuple[Image, Mask]:
    """Make a smooth photo of waves with grain, and two holes, one of them at the border."""
    dice = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    waves = []
    for _ in range(3):
        a, b, phase = dice.uniform(0.02, 0.3), dice.uniform(0.02, 0.3), dice.uniform(0, 6)
        waves.append(0.5 + 0.35 * np.sin(a * rows + b * columns + phase))
    grain = dice.normal(0, 0.05, (height, width, 3))
    image = np.clip(np.stack(waves, axis=-1) + grain, 0, 1).astype(np.float32)
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height // 2, width // 3 : width // 2] = True
    mask[-height // 8 :, : width // 5] = True
    return image, mask
