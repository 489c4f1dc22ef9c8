"""The part of a frame that a hole's pixels depend on, so that the rest need not be computed."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Window:
    """A box of the frame, in cells of 8x8 pixels."""

    top: int
    bottom: int
    left: int
    right: int

    def slices(self, pixels: int) -> tuple[slice, slice]:
        """Rows and columns on a map whose places are `pixels` pixels wide."""
        scale = 8 // pixels
        return (
            slice(scale * self.top, scale * self.bottom),
            slice(scale * self.left, scale * self.right),
        )

    def cut(self, x: Tensor, pixels: int) -> Tensor:
        """The window's part of a map."""
        rows, columns = self.slices(pixels)
        return x[:, :, rows, columns]

    def paste(self, part: Tensor, frame: Tensor) -> Tensor:
        """`part` in the window, `frame` around it."""
        if part.shape == frame.shape:
            return part
        frame = frame.clone()
        rows, columns = self.slices(1)
        frame[:, :, rows, columns] = part
        return frame


def everywhere(mask: Tensor) -> Window:
    """The whole frame of masks ``B1HW``."""
    return Window(0, mask.shape[-2] // 8, 0, mask.shape[-1] // 8)


def around(mask: Tensor) -> Window:
    """The cells around all holes of a batch on which the holes' pixels depend after attention.

    From a pixel back, the decoder's seven layers and the two before them reach 3 pixels, 2 at half
    size and 4 at a quarter, which is 24 pixels or 3 cells; the cut's own border spoils no more
    than that.
    """
    reach = 4
    height, width = mask.shape[-2] // 8, mask.shape[-1] // 8
    cells = functional.max_pool2d(mask, 8).amax(dim=(0, 1)) > 0
    rows, columns = (cells.any(dim=side).nonzero() for side in (1, 0))
    if not len(rows):
        return Window(0, min(1, height), 0, min(1, width))
    return Window(
        max(int(rows[0]) - reach, 0),
        min(int(rows[-1]) + 1 + reach, height),
        max(int(columns[0]) - reach, 0),
        min(int(columns[-1]) + 1 + reach, width),
    )
