"""Batches: images, masks, sketches, and the names of unreadable images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatefill.masks import Mask

Pixels = NDArray[np.uint8]  # HW3 RGB


class Sample(NamedTuple):
    """One training example, in the compact form that is sent between processes."""

    image: Pixels
    mask: Mask
    sketch: Mask | None
    broken: tuple[str, ...] = ()  # names of images that were skipped before this one


class Failure(NamedTuple):
    """Sent instead of a sample when loading cannot continue, with the reason.

    The training process reports it and ends; an exception in a loading process would be shown with
    a traceback, as a bug.
    """

    reason: str


class Batch(NamedTuple):
    """Samples as tensors for a network."""

    image: Tensor  # B3HW float32 in [-1, 1], channels in the network's order
    mask: Tensor  # B1HW float32, 1 = hole
    sketch: Tensor | None = None  # B1HW float32, 1 = edge

    @property
    def size(self) -> int:
        return self.image.shape[0]

    @property
    def known(self) -> Tensor:
        """The image with 0 in the hole."""
        return self.image * (1.0 - self.mask)

    def composite(self, filled: Tensor) -> Tensor:
        """`filled` in the hole, the image elsewhere."""
        return filled * self.mask + self.known


class Stored(NamedTuple):
    """A batch as loaded: uint8 tensors, and the names of broken images."""

    image: Tensor  # BHW3 uint8
    mask: Tensor  # BHW bool
    sketch: Tensor | None
    broken: tuple[str, ...]

    def to_batch(
        self, device: torch.device, order: Literal["bgr", "rgb"], channels_last: bool
    ) -> Batch:
        """Convert to float tensors on a device."""
        image = self.image.to(device, non_blocking=True).permute(0, 3, 1, 2)
        image = (image.flip(1) if order == "bgr" else image).float() / 127.5 - 1.0
        layout = torch.channels_last if channels_last else torch.contiguous_format
        planes = [
            None if plane is None else plane.to(device, non_blocking=True)[:, None].float()
            for plane in (self.mask, self.sketch)
        ]
        assert planes[0] is not None
        return Batch(image.contiguous(memory_format=layout), planes[0], planes[1])


def collate(samples: Sequence[Sample | Failure]) -> Stored | Failure:
    """Stack samples into a batch, or return the first failure among them."""
    for sample in samples:
        if isinstance(sample, Failure):
            return sample
    return stack([sample for sample in samples if isinstance(sample, Sample)])


def stack(samples: Sequence[Sample]) -> Stored:
    """Stack samples into a batch."""
    sketches = [sample.sketch for sample in samples if sample.sketch is not None]
    return Stored(
        image=torch.from_numpy(np.stack([sample.image for sample in samples])),
        mask=torch.from_numpy(np.stack([sample.mask for sample in samples])),
        sketch=torch.from_numpy(np.stack(sketches)) if sketches else None,
        broken=tuple(name for sample in samples for name in sample.broken),
    )
