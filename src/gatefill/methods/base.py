"""What every method is: it gets a photo with a hole and returns what it found.

Words: a *mask* is True where the hole is; *known* pixels are the others. Images here are float32
``HW3``, RGB in [0, 1]; masks and sketches are bool ``HW``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Progress = Callable[[float], None]
"""Called with the share of the work done, in [0, 1]; what it raises stops the work."""


@dataclass(frozen=True)
class MethodInfo:
    """What one can know about a method without loading it."""

    name: str
    title: str
    paper: str
    semantic: bool  # the four properties of the paper's first table
    non_local: bool
    free_form: bool
    user_guided: bool
    needs: tuple[str, ...] = ()  # extras of the package, such as "torch"
    trainable: bool = True
    takes_weights: bool = True
    shipped: str | None = None  # name of the weights that come with the package
    takes_sketch: bool = False
    takes_search: bool = False  # `fill` has the keyword `search`: where to take material from
    multiple: int = 1  # sides of the image are padded to a multiple of this by the method
    max_side: int | None = None  # longest side it is meant for; larger photos are filled by crops


@dataclass(frozen=True)
class Attention:
    """For each of N hole positions, the K places where it looked, strongest first.

    Positions are (row, column) in pixels of the whole frame, at the centre of a cell of
    `stride` x `stride` pixels.
    """

    target: NDArray[np.int32]  # N2
    source: NDArray[np.int32]  # NK2
    weight: NDArray[np.float32]  # NK, in [0, 1]
    stride: int


@dataclass(frozen=True)
class Fill:
    """What a method found: the whole frame before the known pixels are put back."""

    image: Image
    coarse: Image | None = None
    attention: Attention | None = None


class Method(Protocol):
    """The one small interface behind which all methods stand."""

    @property
    def info(self) -> MethodInfo: ...

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
    ) -> Fill:
        """Fill the hole.

        image: ``HW3`` float32 RGB in [0, 1], any size from 1x1; what stands in the hole is ignored.
        mask: ``HW`` bool, True = hole; at least one pixel is hole and one is known.
        sketch: ``HW`` bool, True = edge; only its part inside the hole is used.
        Raises ValueError where the sizes differ or the method cannot take the sketch.
        """
        ...


def composite(filled: Image, image: Image, mask: Mask) -> Image:
    """`filled` in the hole, `image` elsewhere: the only place where known pixels are put back.

    All arrays may have any dtype as long as `filled` and `image` agree; known pixels come back
    bit-identical.
    """
    if filled.shape != image.shape or mask.shape != image.shape[:2]:
        raise ValueError(
            f"expected a fill and a mask of the photo's size {image.shape[:2]}, "
            f"got fill {filled.shape[:2]} and mask {mask.shape}"
        )
    return np.where(mask[..., None] if image.ndim == 3 else mask, filled, image)


def check_frame(image: Image, mask: Mask, sketch: Mask | None = None) -> None:
    """Raise ValueError unless the arrays are what `Method.fill` says it takes."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.float32:
        raise ValueError(f"expected a float32 image HW3, got {image.dtype} {image.shape}")
    for name, plane in (("mask", mask), ("sketch", sketch)):
        if plane is None:
            continue
        if plane.dtype != np.bool_ or plane.shape != image.shape[:2]:
            raise ValueError(
                f"expected a bool {name} of size {image.shape[:2]}, got {plane.dtype} {plane.shape}"
            )
    if not mask.any():
        raise ValueError("expected a mask with a hole, got an empty one")
    if mask.all():
        raise ValueError("expected some known pixels, got a mask that covers the whole image")
