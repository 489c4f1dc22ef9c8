"""Between a photo and a network: what all methods that run a network share."""

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

FRAME_BYTES = 60  # for each pixel of a frame, beside what the runtime takes
CELL = 8  # pixels of a side of an attention cell

Finish = Callable[[Image, Image, Mask], Image]
"""What comes after a network: its frame, the photo, the mask -> a better frame."""


@dataclass(frozen=True)
class NetworkOptions:
    """How a network is used. Nothing of it is architecture, so it goes with any weights.

    finish: whether what the method has to come after its network comes: DeepFill v2's fill is
    fitted to the colors at the hole's boundary, Global & Local's is blended into the photo. None
    does what the weights file says, which is how its network was meant to be used.
    runtime: what runs the network. "auto" takes torch for large frames and onnxruntime where torch
    is not installed or where its import would take longer than the fill.
    memory_limit: bytes that features and attention may take together when torch runs it.
    """

    finish: bool | None = None
    runtime: Literal["auto", "torch", "onnxruntime"] = "auto"
    memory_limit: int = 2 << 30

    def __post_init__(self) -> None:
        check_fields(self, memory_limit=(1 << 20, 1 << 50))


class NetworkMethod:
    """A network behind the interface `Method`: one photo in, one `Fill` out.

    It pads to the network's multiple and cuts the result; the runtime does the rest.

    Args:
        info: What the table of methods says; whether it takes a sketch, the runtime knows.
        runtime: The network, ready to run.
        finish: What comes after the network; None leaves its frame as it is. Once finished, the
            network's own frame is the fill's `coarse`, where it has no other.
    """

    def __init__(self, info: MethodInfo, runtime: Runtime, finish: Finish | None = None) -> None:
        self._info = replace(info, takes_sketch=runtime.takes_sketch)
        self.runtime = runtime
        self.finish = finish

    @property
    def info(self) -> MethodInfo:
        return self._info

    def share_batches(self, most: int) -> None:
        """Let threads that fill at the same moment share batches of at most so many frames."""
        if isinstance(self.runtime, BatchRuntime):
            self.runtime = TogetherRuntime(self.runtime, most)

    @property
    def device(self) -> str:
        """Where the network runs."""
        return str(self.runtime.device)

    @property
    def dtype(self) -> str:
        """The number format it runs in, such as ``"float32"``."""
        return str(self.runtime.dtype).removeprefix("torch.")

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """Move the network; None leaves device or number format. Raises ConfigError."""
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

        # The mirrored part of a hole is as unknown as the hole.
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
    """Cells as pixels of the photo, whose size may be smaller than the network's frame.

    Cells at the right and lower border may reach into what was padded: those without a hole pixel
    of the photo are left out, and the others' centers lie on the photo.
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
