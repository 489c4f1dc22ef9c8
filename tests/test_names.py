"""One name for one thing: mask kinds, sizes and public names."""

from __future__ import annotations

from typing import get_args

from gatefill.masks import MASK_KINDS, MASKS, OBJECT
from gatefill.training.config import MaskKind


def test_kinds_of_masks_have_one_set_of_names() -> None:
    assert set(get_args(MaskKind)) == set(MASKS)
    assert set(MASK_KINDS) == {*MASKS, OBJECT}
