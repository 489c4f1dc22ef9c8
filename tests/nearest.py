"""A simple method for tests of the call, and something for it to fill."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from gatefill.methods import Attention, Fill, MethodInfo


class Nearest:
    """Fills each hole pixel with the nearest known one, and tells which that was."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []  # of the frames it was given

    @property
    def info(self) -> MethodInfo:
        return MethodInfo(
            name="nearest",
            title="Nearest pixel",
            paper="none",
            semantic=False,
            non_local=False,
            free_form=True,
            user_guided=False,
            takes_search=True,
        )

    def fill(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        sketch: np.ndarray | None = None,
        progress: Any = None,
        *,
        search: np.ndarray | None = None,
    ) -> Fill:
        assert sketch is None
        assert mask.any()
        assert not mask.all()
        self.sizes.append(mask.shape)
        known = ~mask if search is None else search & ~mask
        _, labels = cv2.distanceTransformWithLabels(
            (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        sources = np.zeros((labels.max() + 1, 2), np.int32)
        sources[labels[known]] = np.argwhere(known)
        target = np.argwhere(mask).astype(np.int32)
        source = sources[labels[mask]]
        filled = image.copy()
        filled[mask] = image[source[:, 0], source[:, 1]]
        coarse = np.full_like(image, image[known].mean(axis=0))
        for share in (0.0, 0.5, 1.0):
            if progress is not None:
                progress(share)
        weight = np.ones((len(target), 1), np.float32)
        return Fill(filled, coarse, Attention(target, source[:, None], weight, 1))


def photo_and_mask() -> tuple[np.ndarray, np.ndarray]:
    photo = np.random.default_rng(1).integers(0, 200, (30, 40, 3)).astype(np.uint8)
    mask = np.zeros((30, 40), bool)
    mask[10:14, 20:29] = True
    return photo, mask
