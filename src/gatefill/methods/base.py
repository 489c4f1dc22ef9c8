"""The interface of all methods: a photo with a hole goes in, a `Fill` comes out.

Words: a *mask* is True where the hole is; *known* pixels are the others. Images here are float32
``HW3``, RGB in [0, 1]; masks and sketches are bool ``HW``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import GatefillError, MaskError
from gatefill.methods.registry import MethodInfo
from gatefill.stopping import strips

__all__ = [
    "Attention",
    "Fill",
    "Image",
    "Mask",
    "Method",
    "MethodInfo",
    "Progress",
    "SharesBatches",
    "check_frame",
    "composite",
    "not_taken",
]

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Progress = Callable[[float], None]
"""Called with the share of the work done, in [0, 1]; what it raises stops the work."""
COPIED = (np.uint8, np.uint16, np.float32)  # what OpenCV copies by a mask


@dataclass(frozen=True)
class Attention:
    """For each of N hole positions, the K places where it looked, strongest first.

    Positions are (row, column) in pixels of the whole frame, at the center of a cell of
    `stride` x `stride` pixels.
    """

    target: NDArray[np.int32]  # N2
    source: NDArray[np.int32]  # NK2
    weight: NDArray[np.float32]  # NK, in [0, 1]
    stride: int


@dataclass(frozen=True)
class Fill:
    """The result of a method: the whole frame before the known pixels are put back."""

    image: Image
    coarse: Image | None = None
    attention: Attention | None = None


class Method(Protocol):
    """The interface of all methods."""

    @property
    def info(self) -> MethodInfo: ...

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
        *,
        search: Mask | None = None,
    ) -> Fill:
        """Fill the hole.

        Args:
            image: ``HW3`` float32 RGB in [0, 1], any size from 1x1; what stands in the hole is
                ignored.
            mask: ``HW`` bool, True = hole; at least one pixel is hole and one is known.
            sketch: ``HW`` bool, True = edge; only its part inside the hole is used.
            progress: Called with the share of the work done.
            search: ``HW`` bool, True = material may be taken from here, which holds known pixels;
                None means everywhere.

        Raises:
            GatefillError: Where an array is not as above, or where the method takes no sketch or
                no search region and is given one.
        """
        ...


@runtime_checkable
class Seeded(Protocol):
    """A method whose fills follow from a random seed, too."""

    @property
    def seed(self) -> int:
        """The random seed, 0 to 2**64 - 1."""
        ...

    def seeded(self, seed: int) -> Method:
        """The same method with another random seed; it shares the weights."""
        ...


@runtime_checkable
class TellsMemory(Protocol):
    """A method that knows how much memory it takes."""

    def memory(self, pixels: int, hole: int) -> int:
        """Bytes that a fill takes at most, the given frame included.

        Args:
            pixels: Of the frame.
            hole: Of them, those of the hole.
        """
        ...


@runtime_checkable
class SharesBatches(Protocol):
    """A method with a network that can take several photos at once."""

    def share_batches(self, most: int) -> None:
        """Let threads that fill at the same moment share batches of at most so many frames."""
        ...


def copied(plane: Any) -> Any:
    """A copy of an array ``HW...``, however large, made in strips so that it can be stopped."""
    copy = np.empty_like(plane)
    for rows in strips(*plane.shape[:2]):
        copy[rows] = plane[rows]
    return copy


def composite(filled: Image, image: Image, mask: Mask) -> Image:
    """`filled` in the hole, `image` elsewhere: the only place where known pixels are put back.

    Args:
        filled: ``HWC`` of any dtype.
        image: ``HWC`` of the same dtype.
        mask: Bool ``HW``, True = hole.

    Returns:
        A new array; known pixels are bit-identical to those of `image`.
    """
    if filled.shape != image.shape or mask.shape != image.shape[:2]:
        raise MaskError(
            f"expected a fill and a mask of the photo's size {image.shape[:2]}, "
            f"got fill {filled.shape[:2]} and mask {mask.shape}",
            code="frame.sizes",
            image=list(image.shape),
            fill=list(filled.shape),
            mask=list(mask.shape),
        )
    whole = np.empty(image.shape, image.dtype)  # in C order, else OpenCV would write to a copy
    # OpenCV takes a tenth of the time.
    by_opencv = filled.dtype == image.dtype and image.dtype in COPIED and image.shape[2] in (3, 4)
    for rows in strips(*mask.shape):
        whole[rows] = image[rows]
        if by_opencv:
            cv2.copyTo(filled[rows], mask[rows].view(np.uint8), whole[rows])
        else:
            np.copyto(whole[rows], filled[rows], casting="unsafe", where=mask[rows, :, None])
    return whole


def check_frame(
    info: MethodInfo,
    image: Image,
    mask: Mask,
    sketch: Mask | None = None,
    search: Mask | None = None,
) -> None:
    """Raise GatefillError unless the arrays are what `Method.fill` says it takes.

    info: what the method says of itself, which decides whether it takes a sketch and a region.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.float32:
        raise GatefillError(
            f"expected a float32 image HW3, got {image.dtype} {image.shape}",
            code="frame.image",
            dtype=str(image.dtype),
            shape=list(image.shape),
        )
    for name, plane in (("mask", mask), ("sketch", sketch), ("search region", search)):
        if plane is None:
            continue
        if plane.dtype != np.bool_ or plane.shape != image.shape[:2]:
            raise MaskError(
                f"expected a bool {name} of size {image.shape[:2]}, "
                f"got {plane.dtype} {plane.shape}",
                code="frame.plane",
                plane=name,
                dtype=str(plane.dtype),
                shape=list(plane.shape),
            )
    for name, plane, takes in (
        ("sketch", sketch, info.takes_sketch),
        ("search region", search, info.takes_search),
    ):
        if plane is not None and not takes:
            raise not_taken(info, name)
    if not mask.any():
        raise MaskError("expected a mask with a hole, got an empty one", code="frame.no_hole")
    if mask.all():
        raise MaskError(
            "expected some known pixels, got a mask that covers the whole image",
            code="mask.all_hole",
        )
    if search is not None and not (search & ~mask).any():
        raise MaskError(
            "expected some of the search region outside the hole, got none",
            code="search.no_known_pixels",
        )


def not_taken(info: MethodInfo, what: str) -> MaskError:
    """What to raise where a method is given a sketch or a search region and takes none."""
    return MaskError(
        f"{info.name} takes no {what}: leave it out or use another method",
        code="method.input_not_taken",
        method=info.name,
        plane=what,
    )
