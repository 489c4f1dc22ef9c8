"""Runs a network with torch, computing only what its holes depend on.

The plan (`gatefill.runtime.plan`) gives the boxes of the steps to compute; a step is computed on a
box from its inputs on the boxes that it depends on. The result equals that of the whole frame.
Every run has its own state, so that threads may share a runtime.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from gatefill.errors import ConfigError
from gatefill.geometry import Box
from gatefill.layers.contextual_attention import exact
from gatefill.layers.gated import Convolution
from gatefill.runtime.base import (
    CELL,
    Found,
    Image,
    Mask,
    Places,
    Progress,
    hole_cells,
    near_holes,
)
from gatefill.runtime.execution import Computed, Execution
from gatefill.runtime.graph import trace
from gatefill.runtime.plan import Plan, Size, best_plan
from gatefill.runtime.seeded import seeded

log = logging.getLogger(__name__)

MEMORY_LIMIT = 2 << 30  # bytes, in addition to weights and frames
BYTES = 260  # bytes of features per pixel
FIXED_BYTES = 100 << 20
KEPT_PLANS = 32
FORMATS = ("float32", "bfloat16", "float16")

Network = TypeVar("Network", bound=nn.Module)
Order = Literal["rgb", "bgr"]


class TorchRuntime:
    """A network in torch, ready to run on a device in a number format.

    Args:
        network: The network, which the runtime takes over.
        device: The torch device.
        dtype: The number format of weights and features; attention scores are always float32.
        memory_limit: Bytes that features and attention may take together, approximately.

    Raises:
        ConfigError: For a device that torch cannot use here.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self.device = usable_device(device)
        self.dtype = dtype
        self.memory_limit = memory_limit
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.to(self.device, dtype)
        self.network = network.eval().requires_grad_(False)
        config: Any = network.config
        self.channel_order: Order = config.channel_order
        self.takes_sketch: bool = getattr(config, "guided", False)
        self.multiple = cast(int, network.multiple)
        self._graph = trace(self.network)
        self._plans: dict[tuple[Size, tuple[Box, ...]], Plan] = {}

    def memory(self, pixels: int) -> int:
        """See `Runtime.memory`."""
        return FIXED_BYTES + min(BYTES * pixels, self.memory_limit)

    def run(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
    ) -> Found:
        """Fill the holes of one frame; see `Runtime.run`."""
        plan = self.plan(mask)
        pixels = self._reordered(self._tensor(image)) * 2.0 - 1.0
        drawing = np.zeros_like(mask) if sketch is None else sketch
        frame = {"image": pixels, "mask": self._tensor(mask[..., None])}
        if self.takes_sketch:
            frame["sketch"] = self._tensor(drawing[..., None])
        with torch.inference_mode():
            run = Execution(self._graph, plan, frame, self.memory_limit, progress)
            found = {name: run.frame(step) for name, step in self._graph.outputs.items()}
            run.finish()
        coarse = self._pasted(image, found["coarse"]) if "coarse" in found else None
        places = _places(found["attention"], mask) if "attention" in found else None
        return Found(self._pasted(image, found["image"]), coarse, places)

    def run_batch(self, frames: Sequence[tuple[Image, Mask, Mask | None]]) -> list[Found]:
        """Fill the holes of several frames of one size as a batch, each computed as a whole.

        Results equal those of `run` up to rounding; attention is not reported.
        """
        pixels = torch.cat([self._tensor(image) for image, _, _ in frames])
        masks = torch.cat([self._tensor(mask[..., None]) for _, mask, _ in frames])
        given = [self._reordered(pixels) * 2.0 - 1.0, masks]
        if self.takes_sketch:
            drawn = [np.zeros_like(mask) if it is None else it for _, mask, it in frames]
            given.append(torch.cat([self._tensor(sketch[..., None]) for sketch in drawn]))
        with torch.inference_mode():
            outputs = self.network(*given)
        refined, coarse = (outputs, None) if isinstance(outputs, Tensor) else outputs[1::-1]
        return [
            Found(
                self._pasted(image, self._regions(refined[[number]], mask)),
                None
                if coarse is None
                else self._pasted(image, self._regions(coarse[[number]], mask)),
            )
            for number, (image, mask, _) in enumerate(frames)
        ]

    def _regions(self, frame: Tensor, mask: Mask) -> list[Computed]:
        """Return the valid part of a whole frame ``13HW``."""
        return [Computed(box, frame[:, :, *box.slices]) for box in near_holes(mask)]

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """Move the network; None leaves device or number format unchanged.

        Args:
            device: Such as ``"cuda"``.
            dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``; ``"auto"`` selects the fastest
                one that reaches 45 dB PSNR in holes against float32, as measured on this machine.

        Raises:
            ConfigError: If torch cannot use the device, or for another number format.
        """
        place = self.device if device is None else usable_device(device)
        if dtype == "auto":
            dtype = fastest_format(place)
        if dtype is not None and dtype not in FORMATS:
            raise ConfigError(
                f"expected dtype as one of {', '.join(FORMATS)}, got {dtype!r:.80}",
                code="dtype.unknown",
                dtype=str(dtype)[:80],
            )
        self.dtype = self.dtype if dtype is None else getattr(torch, dtype)
        self.device = place
        self.network.to(self.device, self.dtype)

    def plan(self, mask: Mask) -> Plan:
        """Return the plan for a mask; plans are cached for further photos with the same mask."""
        height, width = mask.shape
        boxes = near_holes(mask)
        key = (mask.shape[:2], boxes)
        found = self._plans.get(key)
        if found is None:
            outputs = [name for kind, name in self._graph.outputs.items() if kind != "attention"]
            found = best_plan(self._graph.steps, outputs, (height, width), boxes)
            if len(self._plans) >= KEPT_PLANS:
                self._plans = {}
            self._plans[key] = found
        return found

    def _tensor(self, array: np.ndarray) -> Tensor:
        """Convert ``HWC`` to ``1CHW``, channels last, on the device in the number format."""
        plane = torch.from_numpy(np.ascontiguousarray(array))[None].permute(0, 3, 1, 2)
        return plane.to(self.device, self.dtype)

    def _reordered(self, frame: Tensor) -> Tensor:
        """Convert between RGB and the network's channel order."""
        return frame.flip(1) if self.channel_order == "bgr" else frame

    def _pasted(self, image: Image, regions: list[Computed]) -> Image:
        """Paste the network's results into the photo, in their boxes."""
        frame = image.copy()
        for box, value in regions:
            part = self._reordered(exact(value)).clamp(-1.0, 1.0) / 2.0 + 0.5
            frame[box.slices] = part[0].permute(1, 2, 0).cpu().numpy()
        return frame


def _places(regions: list[Computed], mask: Mask) -> Places:
    """Collect the cells attended to by cells of the hole from the regions of attention."""
    cells, sources, weights = hole_cells(mask), [], []
    columns = mask.shape[1] // CELL
    taken = np.zeros(len(cells), np.int64)
    for number, (box, _) in enumerate(regions):  # boxes of features, two per cell
        inside = (2 * cells >= (box.top, box.left)) & (2 * cells < (box.bottom, box.right))
        taken[inside.all(axis=1)] = number
    for number, (box, found) in enumerate(regions):
        rows, lines = (cells[taken == number] - (box.top // 2, box.left // 2)).T
        sources.append(found.sources.numpy()[rows, lines])
        weights.append(found.weights.numpy()[rows, lines])
    order = np.argsort(np.argsort(taken, kind="stable"), kind="stable")
    flat = np.concatenate(sources)[order]
    return Places(
        cells,
        np.stack((flat // columns, flat % columns), axis=-1),
        np.concatenate(weights)[order].astype(np.float32),
    )


@lru_cache(maxsize=8)
def fastest_format(device: torch.device) -> str:
    """Return the number format in which the networks' layers run fastest on a device.

    GPUs use float32: on an H200 float16 was slower at 512x512, as fast at 1024x1024, and less
        exact. A
    CPU uses bfloat16 only if a layer is measured to take less than two thirds of the time: without
    instructions for it, bfloat16 takes many times as long.
    """
    if device.type != "cpu":
        return "float32"
    taken = {}
    for name in ("float32", "bfloat16"):
        layer = seeded(lambda _: Convolution(48, 48), None).to(getattr(torch, name))
        x = torch.full((1, 48, 96, 96), 0.5, dtype=getattr(torch, name))
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            taken[name] = min(_seconds(lambda: layer(x)) for _ in range(4))  # noqa: B023
    return "bfloat16" if taken["bfloat16"] < 2 / 3 * taken["float32"] else "float32"


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _after_fork() -> None:
    """Use one thread after a fork, since torch's other threads do not exist in the child.

    Work given to torch's pool would never end, and loading a network already uses the pool. So this
    is set at the fork, and not at a fill.
    """
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)


def untrained(build: Callable[[Any], Network], config: object, title: str) -> Network:
    """Build a network with random weights from a fixed seed, and log a warning."""
    log.warning("%s: no trained weights are loaded, the result will be meaningless", title)
    return seeded(build, config)


def usable_device(device: str | torch.device) -> torch.device:
    """Return the device of that name. Raises ConfigError if torch cannot compute on it."""
    try:
        ones = torch.zeros(1, device=device).add(1)
        ones.cpu()  # fails for devices without data, such as "meta"
        return ones.device
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        reason = str(problem).partition("\n")[0][:200]
        raise ConfigError(
            f"expected a device that torch can use here, such as 'cpu' or 'cuda', "
            f"got {str(device)[:80]!r}: {reason}",
            code="device.unusable",
            device=str(device)[:80],
            reason=reason,
        ) from None
