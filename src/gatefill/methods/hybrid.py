"""Hybrid: a network predicts the structure of the hole, PatchMatch copies texture from the photo.

The network fills the photo at the scale it was trained at. Its fill, enlarged, initializes
PatchMatch; blurred, it is a guide: patches are matched by the guide as well as by color. All colors
are still copied from the photo. Guiding patches by a coarse prediction was proposed by Yang et al.,
CVPR 2017 (arXiv 1611.09969); the matching is that of `PatchMatch`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import cv2
import numpy as np

from gatefill.geometry import Box, bounding_box, longest_side
from gatefill.methods import pyramid
from gatefill.methods.base import (
    Fill,
    Image,
    Mask,
    Method,
    MethodInfo,
    Progress,
    check_frame,
    composite,
)
from gatefill.methods.extrapolation import Extrapolated, extrapolate
from gatefill.methods.network import NetworkMethod, NetworkOptions
from gatefill.methods.patchmatch import PatchMatch, PatchMatchConfig
from gatefill.methods.patchmatch.reduced import fill_reduced, memory
from gatefill.methods.registry import METHODS
from gatefill.parallel import Threads
from gatefill.settings import check_fields
from gatefill.stopping import stop_point

HALF = 0.5  # smallest known share of a downscaled pixel that counts as known
SPECK = 3.0  # size of a hole, in the network's pixels, below which the network adds no structure
EDGES_SIDE = 48  # longest side of the hole for extrapolating edges, pixels
BYTES = 200  # per pixel of a frame that is filled at full size
NETWORK_BYTES = 40 << 20
NETWORK_SHARE = 0.3  # share of the network in the reported progress


@dataclass(frozen=True)
class HybridConfig:
    """How the network's fill guides PatchMatch. docs/hybrid.md says how the defaults were chosen.

    Attributes:
        side: Longest side of the network's input, in pixels.
        context: Side of the network's view as a multiple of the hole's longest side, as far as the
            photo reaches.
        blur: Standard deviation of the guide's blur, in the network's pixels.
        weight: Weight of the guide relative to color.
        weight_at_last: Share of `weight` that remains at full resolution, where texture matters.
        network: How the network is used.
        patchmatch: Config of PatchMatch; its `guide` scales both the network's fill and a sketch.
    """

    side: int = 144
    context: float = 3.0
    blur: float = 3.6
    weight: float = 0.5
    weight_at_last: float = 1.0
    network: NetworkOptions = field(default_factory=NetworkOptions)
    # The guide keeps structure in place, so that smaller patches and sharper votes can keep
    # texture.
    patchmatch: PatchMatchConfig = field(
        default_factory=lambda: PatchMatchConfig(patch_size=7, sharpness=32.0)
    )

    def __post_init__(self) -> None:
        check_fields(
            self,
            side=(64, 4096),
            context=(1, 100),
            blur=(0, 100),
            weight=(0, 1),
            weight_at_last=(0, 1),
        )


class Hybrid:
    """A method that combines a network and PatchMatch; a sketch reaches those that accept one."""

    def __init__(self, network: Method, config: HybridConfig | None = None) -> None:
        """network: any method; its fill at a reduced size is used."""
        self.network = network
        self.config = HybridConfig() if config is None else config
        self._patches = PatchMatch(self.config.patchmatch)

    @property
    def info(self) -> MethodInfo:
        return METHODS["hybrid"]

    @property
    def seed(self) -> int:
        """The random seed of PatchMatch's search."""
        return self.config.patchmatch.seed

    def seeded(self, seed: int) -> Hybrid:
        """Return the same method with another random seed; the network is shared."""
        patchmatch = replace(self.config.patchmatch, seed=seed)
        return Hybrid(self.network, replace(self.config, patchmatch=patchmatch))

    def share_batches(self, most: int) -> None:
        """Let threads that fill at the same time share batches of at most `most` frames."""
        if isinstance(self.network, NetworkMethod):
            self.network.share_batches(most)

    @property
    def device(self) -> str:
        """The device of the network; PatchMatch runs on the CPU."""
        return str(getattr(self.network, "device", "cpu"))

    @property
    def dtype(self) -> str:
        """The number format of the network."""
        return str(getattr(self.network, "dtype", "float32"))

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """Move the network, if it can be moved; see `NetworkMethod.to`."""
        move: Any = getattr(self.network, "to", None)
        if move is not None:
            move(device, dtype)

    def memory(self, pixels: int, hole: int) -> int:
        """See `TellsMemory`."""
        return NETWORK_BYTES + memory(pixels, hole, BYTES)

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
        *,
        search: Mask | None = None,
    ) -> Fill:
        """Fill the hole; a large hole is filled at a reduced size, see `reduced`.

        Args:
            image, mask, sketch, progress: See `Method.fill`.
            search: ``HW`` bool, True = may be copied from. Default: all known pixels.

        Returns:
            The filled image. Its coarse image is the network's fill, enlarged (None for a large
            hole); its attention is that of PatchMatch.

        Raises:
            GatefillError: If sizes differ, or if `search` contains no known pixels.
        """
        check_frame(self.info, image, mask, sketch, search)
        return fill_reduced(self._fill, image, mask, sketch, progress, search)

    def _fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None,
        progress: Progress | None,
        search: Mask | None,
    ) -> Fill:
        first = None if progress is None else lambda share: progress(NETWORK_SHARE * share)
        with Threads() as threads:
            prepare = partial(self._patches.prepare, search=search, threads=threads)
            preparing = threads.begin(prepare, image, mask, sketch)
            small = self._structure(image, mask, sketch, first, threads)
            guess = composite(_enlarged(small, mask.shape), image, mask)
            blurred = small
            if self.config.blur:
                blurred = np.asarray(cv2.GaussianBlur(small, (0, 0), self.config.blur), np.float32)
            # costs are squared differences
            guide = _enlarged(blurred, mask.shape) * np.float32(self.config.weight**0.5)
            prepared = preparing()
            prepared.wait()
        rest = 1 - NETWORK_SHARE
        second = None if progress is None else lambda share: progress(1 - rest * (1 - share))
        found = self._patches.fill(
            image,
            mask,
            sketch,
            second,
            search=search,
            guess=guess,
            guide=guide,
            guide_at_last=self.config.weight_at_last,
            guide_yields=True,
            prepared=prepared,
        )
        return Fill(image=found.image, coarse=guess, attention=found.attention)

    def _structure(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None,
        progress: Progress | None,
        threads: Threads,
    ) -> Image:
        """Return the frame at the network's scale, with its fill in the hole."""
        height, width = mask.shape
        view = _view(mask, self.config)
        scale = min(1.0, self.config.side / max(view.height, view.width))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        small, hole = _shrunk(image, mask, size)
        part = Box(
            int(view.top * scale),
            int(view.left * scale),
            min(size[0], max(round(view.bottom * scale), int(view.top * scale) + 1)),
            min(size[1], max(round(view.right * scale), int(view.left * scale) + 1)),
        ).slices
        if not hole[part].any() or hole[part].all():
            return small
        if sketch is None and _only_specks(mask, scale):
            return pyramid.pull_push(small, ~hole)
        drawing = None
        if sketch is not None and self.network.info.takes_sketch:
            drawing = np.asarray(pyramid.shrink(sketch.astype(np.float32), *size) > 0.1)[part]
        edges = None
        if sketch is None and self.config.patchmatch.edges:
            edges = threads.begin(_edges, small.copy(), hole)  # while the network runs
        cut, gap = np.ascontiguousarray(small[part]), np.ascontiguousarray(hole[part])
        filled = self.network.fill(cut, gap, drawing, progress)
        small[part] = composite(filled.image, cut, gap)
        return small if edges is None else _with_edges(small, hole, edges())


def _edges(small: Image, hole: Mask) -> Extrapolated:
    """Extrapolate edges around the hole into it, at a size of their own."""
    height, width = hole.shape
    box = bounding_box(hole)
    assert box is not None
    scale = min(1.0, EDGES_SIDE / max(box.height, box.width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    tiny, gap = _shrunk(small, hole, size)
    return extrapolate(tiny, ~gap, gap)


def _with_edges(filled: Image, hole: Mask, edges: Extrapolated) -> Image:
    """Put edges into a network's fill where their direction is clear.

    Networks tend to blur the ends of edges, and have no target for them at the photo's border.
    """
    height, width = hole.shape
    trust = pyramid.enlarge(edges.trust, height, width) * hole
    colors = pyramid.enlarge(edges.colors, height, width)
    return np.asarray(filled + trust[..., None] * (colors - filled), np.float32)


def _only_specks(mask: Mask, scale: float) -> bool:
    """Return whether all holes are too small for the network to add structure."""
    return longest_side(mask) * scale < SPECK


def _view(mask: Mask, config: HybridConfig) -> Box:
    """Return the part of the frame for the network: the hole with a wide margin."""
    hole = bounding_box(mask)
    assert hole is not None
    reach = max(config.context * max(hole.height, hole.width), config.side)
    spans = []
    for start, stop, end in (
        (hole.top, hole.bottom, mask.shape[0]),
        (hole.left, hole.right, mask.shape[1]),
    ):
        length = min(round(reach), end)
        first = min(max((start + stop - length) // 2, 0), end - length)
        spans.append((first, first + length))
    (top, bottom), (left, right) = spans
    return Box(top, left, bottom, right)


def _shrunk(image: Image, mask: Mask, size: tuple[int, int]) -> tuple[Image, Mask]:
    """Downscale the photo, averaging known pixels only; its size never grows."""
    stop_point()
    known = ~mask
    share = pyramid.shrink(known, *size).reshape(size)
    stop_point()
    sums = pyramid.shrink(image, *size, known).reshape(*size, 3)
    small = sums / np.maximum(share, 1e-6)[..., None]
    hole = share < HALF
    return np.where(hole[..., None], 0, np.clip(small, 0, 1)).astype(np.float32), hole


def _enlarged(small: Image, size: tuple[int, int]) -> Image:
    height, width = size
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32).reshape(height, width, 3)
