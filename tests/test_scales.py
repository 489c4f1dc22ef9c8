"""What a method is shown of a large photo, and at which scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gatefill.errors import ConfigError
from gatefill.inpainter import Inpainter
from gatefill.methods import METHODS
from gatefill.methods.base import Attention, Fill
from gatefill.scales import choose


class Painter:
    """Stands for a network of 512 pixels: paints the mean of what it sees, and keeps that."""

    def __init__(self, max_side: int | None = 512) -> None:
        self.info = replace(METHODS["global_local"], name="painter", max_side=max_side)
        self.seen: list[tuple[Any, Any]] = []

    def fill(self, image: Any, mask: Any, *_: Any, **__: Any) -> Fill:
        self.seen.append((image.copy(), mask.copy()))
        cells = np.argwhere(mask)[:1].astype(np.int32)
        attention = Attention(cells, cells[:, None], np.ones((1, 1), np.float32), 8)
        painted = np.broadcast_to(image[~mask].mean(axis=0), image.shape)
        return Fill(painted.astype(np.float32), attention=attention)


def case(height: int, width: int, side: int) -> tuple[Any, Any]:
    rows = np.linspace(50, 200, height, dtype=np.float32)[:, None, None]
    photo = np.broadcast_to(rows, (height, width, 3)).astype(np.uint8).copy()
    mask = np.zeros((height, width), bool)
    top, left = (height - side) // 2, (width - side) // 2
    mask[top : top + side, left : left + side] = True
    return photo, mask


@pytest.mark.parametrize(
    ("size", "hole", "wanted"),
    [
        ((512, 680), 100, "whole"),
        ((512, 680), 256, "whole"),
        ((512, 680), 257, "resize"),
        ((900, 1200), 100, "crop"),
        ((900, 1200), 300, "resize"),
    ],
)
def test_auto_goes_by_the_sizes_of_photo_and_hole(
    size: tuple[int, int], hole: int, wanted: str
) -> None:
    photo, mask = case(*size, hole)
    method = Painter()
    result = Inpainter(method)(photo, mask)  # type: ignore[arg-type]
    assert result.large == wanted
    seen, gap = method.seen[0]
    assert (seen.shape[:2] == size) == (wanted == "whole")
    longest = int(gap.any(axis=0).sum())
    assert longest == hole if wanted != "resize" else abs(longest - 256) <= 2
    np.testing.assert_array_equal(np.asarray(result)[~mask], photo[~mask])


def test_auto_crops_for_methods_without_a_network() -> None:
    _, mask = case(300, 300, 200)
    assert choose("auto", METHODS["hybrid"], mask) == "crop"
    assert choose("auto", METHODS["patchmatch"], mask) == "crop"


def test_a_resized_fill_lies_where_the_hole_is_and_attention_in_the_photo() -> None:
    photo, mask = case(1000, 1400, 600)

    class Echo(Painter):
        """Paints the rows it sees, hole or not, as a perfect network would."""

        def fill(self, image: Any, mask: Any, *_: Any, **__: Any) -> Fill:
            found = super().fill(image, mask)
            height = image.shape[0]
            known = ~mask.any(axis=1)
            rows = np.interp(np.arange(height), np.flatnonzero(known), image[known, 0, 0])
            painted = np.broadcast_to(rows[:, None, None], image.shape)
            return replace(found, image=painted.astype(np.float32))

    result = Inpainter(Echo(), large="resize")(photo, mask)  # type: ignore[arg-type]
    error = np.abs(np.asarray(result)[mask].astype(int) - photo[mask])
    assert error.max() <= 3
    assert result.attention is not None
    target = result.attention.target[0]
    assert np.abs(target - np.argwhere(mask)[0]).max() <= 6


def test_small_holes_are_not_resized() -> None:
    photo, mask = case(400, 400, 64)
    method = Painter()
    Inpainter(method, large="resize")(photo, mask)  # type: ignore[arg-type]
    assert method.seen[0][1].sum() == mask.sum()


def test_other_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="auto, whole, crop, resize, got 'half'"):
        Inpainter(Painter(), large="half")  # type: ignore[arg-type]
