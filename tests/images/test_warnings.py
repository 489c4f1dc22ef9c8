"""What reading had to say about a photo reaches whoever asked for the fill."""

from __future__ import annotations

import numpy as np

import gatefill
from gatefill.errors import Warning
from gatefill.images import Meta, Photo


def test_what_reading_says_is_in_the_result() -> None:
    said = Warning("file.frames", "only the first of 3 frames is filled", {"frames": 3})
    grains = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    mask = np.zeros((24, 24), np.bool_)
    mask[8:12, 8:12] = True
    result = gatefill.load("patchmatch")(Photo(grains, None, Meta(warnings=(said,))), mask)
    assert "only the first of 3 frames is filled" in [str(warning) for warning in result.warnings]
