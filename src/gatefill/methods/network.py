"""The adapter between photos and networks, shared by all methods that run a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from gatefill.geometry import pad_to_multiple
from gatefill.methods.base import (
    Attention,
    Fill,
    Image,
    Mask,
    MethodInfo,
    Progress,
    check_frame,
)
from gatefill.runtime.together import BatchRuntime, TogetherRuntime
from gatefill.settings import check_fields
from gatefill.stopping import stop_point

if TYPE_CHECKING:
    from gatefill.runtime.base import Places, Runtime

FRAME_BYTES = 60  # per pixel of a frame, in addition to the runtime's memory
CELL = 8  # side of an attention cell, pixels

Finish = Callable[[Image, Image, Mask], Image]
"""Post-processing after a network: (its frame, the photo, the mask) -> the final frame."""


@dataclass(frozen=True)
class NetworkOptions:
    """How a network is used. None of these options belongs to its architecture or weights.

    Attributes:
        finish: Whether to apply the method's post-processing: DeepFill v2 corrects the color offset
            at the hole's boundary, Global & Local blends the fill into the photo. None: as stored
            in the weights file.
        runtime: The library that runs the network. ``"auto"`` selects torch for large frames, and
            onnxruntime if torch is not installed or if importing it would take longer than the
            fill.
        memory_limit: Bytes that features and attention may take together in torch.
    """

    finish: bool | None = None
    runtime: Literal["auto", "torch", "onnxruntime"] = "auto"
    memory_limit: int = 2 << 30

    def __post_init__(self) -> None:
        check_fields(self, memory_limit=(1 << 20, 1 << 50))


class NetworkMethod:
    """A `Method` that fills photos with a network.

    It pads photos to the network's multiple, and crops the result; the runtime does the rest.

    Args:
        info: The entry in the table of methods; the runtime says whether a sketch is accepted.
        runtime: The network, ready to run.
        finish: Post-processing; None for none. With post-processing, the network's own output
            becomes the fill's `coarse`, unless the network has a coarse output.
    """

    def __init__(self, info: MethodInfo, runtime: Runtime, finish: Finish | None = None) -> None:
        self._info = replace(info, takes_sketch=runtime.takes_sketch)
        self.runtime = runtime
        self.finish = finish

    @property
    def info(self) -> MethodInfo:
        return self._info

    def share_batches(self, most: int) -> None:
        """Let threads that fill at the same time share batches of at most `most` frames."""
        if isinstance(self.runtime, BatchRuntime):
            self.runtime = TogetherRuntime(self.runtime, most)

    @property
    def device(self) -> str:
        """The device of the network."""
        return str(self.runtime.device)

    @property
    def dtype(self) -> str:
        """The number format of the network, such as ``"float32"``."""
        return str(self.runtime.dtype).removeprefix("torch.")

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """Move the network; None keeps device or number format. Raises ConfigError."""
        self.runtime.to(device, dtype)

    def memory(self, pixels: int, hole: int) -> int:  # noqa: ARG002 - the runtime takes whole frames
        """See `TellsMemory`."""
        return FRAME_BYTES * pixels + self.runtime.memory(pixels)

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
        *,
        search: Mask | None = None,
    ) -> Fill:
        """Fill the hole; see `Method.fill`."""
        check_frame(self.info, image, mask, sketch, search)
        height, width = mask.shape
        multiple = self.runtime.multiple

        # The reflected part of a hole is as unknown as the hole.
        frame, hole = (pad_to_multiple(plane, multiple) for plane in (image, mask))
        drawing = None if sketch is None else pad_to_multiple(sketch, multiple)
        stop_point()
        found = self.runtime.run(frame, hole, drawing, progress)

        fill = Fill(
            image=found.image[:height, :width],
            coarse=None if found.coarse is None else found.coarse[:height, :width],
            attention=None if found.places is None else _to_attention(found.places, mask),
        )
        if self.finish is None:
            return fill
        finished = self.finish(fill.image, image, mask)
        coarse = fill.image if fill.coarse is None else fill.coarse
        return replace(fill, image=finished, coarse=coarse)


def _to_attention(places: Places, mask: Mask) -> Attention:
    """Convert positions of cells to pixels of the photo.

    The photo may be smaller than the network's frame. Cells at the right and lower border may lie
    partly in the padding: those without hole pixels of the photo are dropped, and the centers of
    the others are clipped to the photo.
    """
    tall, wide = (-(-side // CELL) for side in mask.shape)
    frame = np.zeros((tall * CELL, wide * CELL), dtype=bool)
    frame[: mask.shape[0], : mask.shape[1]] = mask
    rows, columns = places.cells.T
    touched = np.asarray(frame.reshape(tall, CELL, wide, CELL).any(axis=(1, 3)))
    held = touched[rows, columns]
    last = np.array(mask.shape) - 1
    return Attention(
        target=np.minimum(places.cells[held] * CELL + CELL // 2, last).astype(np.int32),
        source=np.minimum(places.sources[held] * CELL + CELL // 2, last).astype(np.int32),
        weight=places.weights[held],
        stride=CELL,
    )
