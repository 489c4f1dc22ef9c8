"""The interface of all methods: a photo with a hole in, a `Fill` out.

A *mask* is True in the hole; the other pixels are *known*. Images are float32 ``HW3``, RGB in
[0, 1]; masks and sketches are bool ``HW``.
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
"""Called with the completed fraction, in [0, 1]; an exception it raises cancels the work."""
COPIED = (np.uint8, np.uint16, np.float32)  # dtypes that OpenCV can copy with a mask


@dataclass(frozen=True)
class Attention:
    """For each of N hole positions, the K positions it attends to, strongest first.

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
    """The interface of all methods; any object with `info` and `fill` can be used as a method."""

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
            image: ``HW3`` float32 RGB in [0, 1], any size from 1x1; its values in the hole are
                ignored.
            mask: ``HW`` bool, True = hole; at least one pixel is hole and one is known.
            sketch: ``HW`` bool, True = edge; only the part in the hole is used.
            progress: Called with the completed fraction of the work.
            search: ``HW`` bool, True = may be copied from, where known; None: everywhere.

        Returns:
            The whole frame; only its hole is used.

        Raises:
            GatefillError: If an array is not as described, or if the method does not accept the
                sketch or the search region it is given.
        """
        ...


@runtime_checkable
class Seeded(Protocol):
    """A method whose fills depend on a random seed."""

    @property
    def seed(self) -> int:
        """The random seed, 0 to 2**64 - 1."""
        ...

    def seeded(self, seed: int) -> Method:
        """Return the same method with another random seed; weights are shared."""
        ...


@runtime_checkable
class TellsMemory(Protocol):
    """A method that can estimate how much memory it takes."""

    def memory(self, pixels: int, hole: int) -> int:
        """Return the bytes that a fill takes at most, including the given frame.

        Args:
            pixels: Number of pixels of the frame.
            hole: Number of hole pixels.
        """
        ...


@runtime_checkable
class SharesBatches(Protocol):
    """A method with a network that can process several photos as one batch."""

    def share_batches(self, most: int) -> None:
        """Let threads that fill at the same time share batches of at most `most` frames."""
        ...


def copied(plane: Any) -> Any:
    """Copy an array ``HW...`` in strips, so that copying a large one can be cancelled."""
    copy = np.empty_like(plane)
    for rows in strips(*plane.shape[:2]):
        copy[rows] = plane[rows]
    return copy


def composite(filled: Image, image: Image, mask: Mask) -> Image:
    """Return `filled` in the hole and `image` elsewhere.

    This is the only place where known pixels are put back.

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
    whole = np.empty(image.shape, image.dtype)  # C order, otherwise OpenCV writes to a copy
    # OpenCV takes a tenth of numpy's time.
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
    """Raise GatefillError unless the arrays are valid arguments of `Method.fill`.

    info: Description of the method, which says whether it accepts a sketch and a search region.
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
    """Return the error for a sketch or search region that the method does not accept."""
    return MaskError(
        f"{info.name} takes no {what}: leave it out or use another method",
        code="method.input_not_taken",
        method=info.name,
        plane=what,
    )
