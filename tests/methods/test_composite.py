"""The one place where known pixels are put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gatefill.methods import composite


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, np.asfortranarray, lambda a: a[:, ::-1]])
def test_the_fill_is_in_the_hole_and_the_photo_elsewhere(
    kind: type, channels: int, lay: Callable[[Any], Any]
) -> None:
    dice = np.random.default_rng(0)
    for size in ((1, 1), (3, 7), (65, 64)):
        image, filled = (lay((dice.random((*size, channels)) * 255).astype(kind)) for _ in range(2))
        mask = lay(dice.random(size) < 0.4)
        before = image.copy()
        found = composite(filled, image, mask)
        np.testing.assert_array_equal(found, np.where(mask[..., None], filled, image))
        np.testing.assert_array_equal(image, before)
        assert found.dtype == kind
