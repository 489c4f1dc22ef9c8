"""Initializes the search with edges that are extrapolated into the hole.

At coarse levels a hole starts as a smooth mixture of its surroundings. Where an edge between two
materials ends at the hole, the search finds matches for that mixture: a smudge, or one material
that covers the other. The extrapolated edge is a better start (see `extrapolation`). It is written
into the estimate once per coarse level, before the search; search and votes then refine it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatefill.geometry import bounding_box
from gatefill.methods import pyramid
from gatefill.methods.base import Image
from gatefill.methods.extrapolation import Extrapolated, extrapolate
from gatefill.methods.patchmatch.levels import Level

LARGEST_SIDE = 40  # longest side of the hole for extrapolation, pixels; coarser levels scale it
STILL_SMALL = 160  # the same for the coarsest level


def with_edges(levels: list[Level]) -> list[Level]:
    """Add extrapolated edges to the coarse levels; levels: finest first."""
    found: Extrapolated | None = None
    extended: list[Level] = []
    for level in levels:
        if found is not None:
            found = _shrunk(found, *level.hole.shape)
        else:
            box = bounding_box(level.hole)
            side = 0 if box is None else max(box.height, box.width)
            last = level is levels[-1]
            if 0 < side <= (STILL_SMALL if last else LARGEST_SIDE):
                found = extrapolate(level.image, level.usable & ~level.hole, level.hole)
        extended.append(level if found is None else replace(level, edges=found))
    return extended


def lay_in(estimate: Image, level: Level) -> bool:
    """Write the extrapolated edges into the hole of an estimate, weighted by their reliability.

    Returns whether anything changed.
    """
    if level.edges is None:
        return False
    there = (level.edges.trust > 0) & level.hole
    share = level.edges.trust[there][:, None]
    estimate[there] += share * (level.edges.colors[there] - estimate[there])
    return bool(there.any())


def _shrunk(edges: Extrapolated, height: int, width: int) -> Extrapolated:
    trust = pyramid.shrink(edges.trust, height, width).reshape(height, width)
    sums = pyramid.shrink(edges.colors * edges.trust[..., None], height, width)
    colors = sums.reshape(height, width, 3) / np.maximum(trust, 1e-6)[..., None]
    return Extrapolated(np.asarray(colors, np.float32), trust)
