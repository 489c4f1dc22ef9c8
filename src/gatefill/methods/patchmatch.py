"""PatchMatch: fills a hole with patches of the same photo; needs no weights.

Multi-scale patch optimisation (Wexler et al., PAMI 2007) with the randomised search of Barnes et
al. (SIGGRAPH 2009) and the texture features of Newson et al. (IPOL 2017). At every level of a
pyramid two steps alternate: find for each patch that touches the hole its most similar patch of
known pixels; let the matches vote for the hole's pixels. Only patches that touch the hole are
matched, so the cost follows the hole.

What differs from the papers, and why (measured, see docs/patchmatch.md):
- Holes shrink from level to level, since a coarse pixel is known as soon as one pixel below it is.
  A thin hole is gone at the coarser levels: its surroundings give colour and structure.
- Coarse pixels that mix known and unknown are voted anew together with the hole.
- Votes average smooth parts only; detail comes from the single best match.
- Offsets that many matches share are offered to all: repeated structure is found everywhere.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.methods import patch_kernels as kernels
from gatefill.methods import pyramid
from gatefill.methods.base import Attention, Fill, Image, Mask, MethodInfo, Progress, check_frame
from gatefill.methods.infos import METHODS

log = logging.getLogger(__name__)

Planes = NDArray[np.uint8]
UNKNOWN_COST = 255 * 255  # what each unusable pixel of a source patch costs: a last resort
# numba's plainest threading layer must not be entered by two threads at once; nothing is lost by
# waiting, as each fill uses all cores.
_lock = threading.Lock()


@dataclass(frozen=True)
class PatchMatchConfig:
    """How PatchMatch fills.

    patch_size: side of the compared patches, odd pixels; larger ones keep larger structures.
    levels: how many times the photo is halved at most. rounds: searches and votes at full
    resolution; each coarser level does two more. passes: search passes a round.
    texture: weight of texture against colour. guide: weight of a guide image or sketch.
    sharpness: how much more the better matches count in a vote. finish: even out the colour step
    that is left at the hole's rim. seed: another number, another fill.
    """

    patch_size: int = 9
    levels: int = 8
    rounds: int = 1
    passes: int = 2
    texture: float = 1.0
    guide: float = 1.0
    sharpness: float = 1.0
    finish: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.patch_size % 2 == 0 or not 3 <= self.patch_size <= 31:
            raise ValueError(f"expected patch_size to be odd and in 3..31, got {self.patch_size}")
        for name, least in (("levels", 0), ("rounds", 1), ("passes", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"expected {name} >= {least}, got {getattr(self, name)}")
        for name in ("texture", "guide", "sharpness"):
            if not 0 <= getattr(self, name) <= 100:
                raise ValueError(f"expected {name} in 0..100, got {getattr(self, name)}")


@dataclass(frozen=True)
class _Level:
    """The photo at one resolution."""

    image: Image  # HW3, 0 where not usable
    usable: Mask  # material may be taken from here
    hole: Mask  # to be voted for
    features: Planes  # HWC: colour (of known pixels), texture, guide
    start: Image | None  # HW3, the initial guess if there is one


@dataclass
class _Field:
    """For each target patch the centre of its match and the cost, all ``HW``."""

    y: NDArray[np.int32]
    x: NDArray[np.int32]
    cost: NDArray[np.int32]
    targets: Mask


class PatchMatch:
    """The method behind the interface; holds its config only, so it can be shared by threads."""

    def __init__(self, config: PatchMatchConfig | None = None) -> None:
        self.config = PatchMatchConfig() if config is None else config

    @property
    def info(self) -> MethodInfo:
        return METHODS["patchmatch"]

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
        *,
        search: Mask | None = None,
        guess: Image | None = None,
        guide: Image | None = None,
    ) -> Fill:
        """Fill the hole; see `Method.fill` for image, mask, sketch, progress.

        search: ``HW`` bool, True = material may be taken from here (default: everywhere known).
        guess: ``HW3`` in [0, 1], what the hole may look like: where the optimisation starts.
        guide: ``HWC`` float32 in [0, 1], further channels that matching patches should agree in,
        given inside and outside the hole. The attention says for each hole pixel which pixel it
        took its detail from. Raises ValueError where sizes differ or `search` leaves nothing.
        """
        check_frame(image, mask, sketch)
        for name, plane in (("search", search), ("guess", guess), ("guide", guide)):
            if plane is not None and plane.shape[:2] != mask.shape:
                raise ValueError(f"expected a {name} of size {mask.shape}, got {plane.shape[:2]}")
        region = np.ones_like(mask) if search is None else search
        if not (region & ~mask).any():
            raise ValueError("expected a search region with known pixels, got none")
        guides = [] if guide is None else [guide]
        if sketch is not None:
            guides.append(_edge_guide(image, mask, sketch))
        with _lock:
            _tell_of_compiling()
            levels = _build_levels(self.config, image, mask, region, guess, guides)
            filled, copied_y, copied_x = _optimise(self.config, levels, progress)
        if self.config.finish:
            filled = _even_rim(filled, image, mask)
        ys, xs = np.nonzero(mask & (copied_y >= 0))
        source = np.stack([copied_y[ys, xs], copied_x[ys, xs]], axis=1)[:, None]
        attention = Attention(
            target=np.stack([ys, xs], axis=1).astype(np.int32),
            source=source.astype(np.int32),
            weight=np.ones((ys.size, 1), np.float32),
            stride=1,
        )
        return Fill(image=filled, attention=attention)


def _tell_of_compiling() -> None:
    """Say once that the kernels are compiled now; later runs take them from numba's cache."""
    path = kernels.vote.stats.cache_path
    if not kernels.vote.signatures and not any(Path(path).glob("patch_kernels.vote-*.nbi")):
        log.info("compiling the PatchMatch kernels, once on this machine (about half a minute)")


def _edge_guide(image: Image, mask: Mask, sketch: Mask) -> Image:
    """``HW1``: the photo's own edges outside the hole, the sketch's inside, blurred a little."""
    grey = (pyramid.pull_push(image, ~mask).mean(axis=2) * 255).astype(np.uint8)
    edges = np.where(mask, sketch, cv2.Canny(grey, 60, 150) > 0).astype(np.float32)
    blurred = cv2.GaussianBlur(edges, (0, 0), 1.5)
    return np.asarray(np.minimum(blurred * 3, 1))[..., None]


def _build_levels(
    config: PatchMatchConfig,
    image: Image,
    mask: Mask,
    region: Mask,
    guess: Image | None,
    guides: list[Image],
) -> list[_Level]:
    """The pyramid, finest first, halved until the hole has shrunk to nothing."""
    known, share = ~mask, (~mask).astype(np.float32)
    texture = pyramid.texture_energy(image, known) if config.texture else None
    guide = np.concatenate(guides, axis=2).astype(np.float32) if guides else None
    image = np.where(known[..., None], image, np.float32(0))
    levels: list[_Level] = []
    while True:
        height, width = known.shape
        planes = [image]
        if texture is not None:
            texture = pyramid.shrink(texture, height, width) if levels else texture
            planes.append(config.texture * texture[..., None])
        if guide is not None:
            guide = pyramid.shrink(guide, height, width).reshape(height, width, -1)
            planes.append(config.guide**0.5 * guide)
        if guess is not None and levels:
            guess = pyramid.shrink(guess, height, width)
        # mixed pixels are voted for like the hole, but may serve as material
        hole = mask if not levels else share < 0.95
        levels.append(_Level(image, region & known, hole, _to_bytes(planes), guess))
        if known.all() or min(height, width) < 48 or len(levels) > config.levels:
            return levels
        image, known, share = pyramid.halve(image, known)
        region = pyramid.shrink(region.astype(np.float32), *known.shape) > 0.25


def _to_bytes(planes: list[Image]) -> Planes:
    stack = np.concatenate(planes, axis=2)
    return np.ascontiguousarray(np.clip(stack * 255 + 0.5, 0, 255).astype(np.uint8))


def _optimise(
    config: PatchMatchConfig, levels: list[_Level], progress: Progress | None
) -> tuple[Image, NDArray[np.int32], NDArray[np.int32]]:
    """Coarse to fine; the filled image and, for each hole pixel, where its detail came from."""
    rounds = [config.rounds + 2 * number for number in range(len(levels))]
    work = [level.hole.sum() * count for level, count in zip(levels, rounds, strict=True)]
    total, done = max(float(sum(work)), 1.0), 0.0
    estimate: Image | None = None
    field: _Field | None = None
    for number in reversed(range(len(levels))):
        level = levels[number]
        solver = _Solver(config, level, number, estimate)
        if solver.active:
            field = solver.start(field)
            for turn in range(rounds[number]):
                solver.search(field, turn)
                solver.vote(field)
                done += work[number] / rounds[number]
                if progress is not None:
                    progress(min(done / total, 1.0))
        estimate = solver.estimate
    assert estimate is not None
    return estimate, solver.copied_y, solver.copied_x


class _Solver:
    """Search and vote at one level, on its own copy of the photo."""

    def __init__(
        self, config: PatchMatchConfig, level: _Level, number: int, coarse: Image | None
    ) -> None:
        self.config, self.level, self.number = config, level, number
        self.side = config.patch_size
        height, width = level.hole.shape
        if coarse is not None:
            begin = pyramid.enlarge(coarse, height, width)
        elif level.start is not None:
            begin = level.start
        else:
            begin = pyramid.pull_push(level.image, level.usable)
        keep = ~level.hole if number == 0 else level.usable
        self.estimate = np.where(keep[..., None], level.image, begin).astype(np.float32)
        self.active = bool(level.hole.any() and level.usable.any())
        shape = level.hole.shape
        self.copied_y, self.copied_x = np.full(shape, -1, np.int32), np.full(shape, -1, np.int32)
        if not self.active:
            return
        self.planes = level.features.copy()
        self.hole_y, self.hole_x = (axis.astype(np.int32) for axis in np.nonzero(level.hole))
        self.smooth = pyramid.smoothed(level.image, level.usable)
        square = np.ones((self.side, self.side), np.uint8)
        self.targets = cv2.dilate(level.hole.view(np.uint8), square).view(np.bool_)
        self.ys, self.xs, self.block_start = _blocks(self.targets)
        unusable = 1 - level.usable.astype(np.float32)
        missing = cv2.boxFilter(
            cv2.copyMakeBorder(unusable, *4 * [self.side // 2], cv2.BORDER_CONSTANT, value=1),
            -1, (self.side, self.side), normalize=False,
        )[self.side // 2 :, self.side // 2 :][:height, :width]  # fmt: skip
        self.penalty = (np.round(missing) * UNKNOWN_COST).astype(np.int32)
        self._refresh()

    def start(self, coarse: _Field | None) -> _Field:
        """A field of random matches or, better, of the coarser level's."""
        height, width = self.targets.shape
        best = np.nonzero(self.penalty == self.penalty.min())
        sources = [axis.astype(np.int32) for axis in best]
        field = _Field(
            np.zeros((height, width), np.int32),
            np.zeros((height, width), np.int32),
            np.full((height, width), 2**31 - 1, np.int32),
            self.targets,
        )
        tries = 8 if coarse is None else 1
        kernels.scatter(
            *self._patches(), *sources, self.penalty, field.y, field.x, field.cost, tries,
            self.config.seed * 64 + self.number,
        )  # fmt: skip
        if coarse is None:
            return field
        cy = np.minimum(self.ys // 2, coarse.targets.shape[0] - 1)
        cx = np.minimum(self.xs // 2, coarse.targets.shape[1] - 1)
        matched = coarse.targets[cy, cx]
        ys, xs, cy, cx = self.ys[matched], self.xs[matched], cy[matched], cx[matched]
        field.y[ys, xs] = np.minimum(2 * coarse.y[cy, cx] + ys % 2, height - 1)
        field.x[ys, xs] = np.minimum(2 * coarse.x[cy, cx] + xs % 2, width - 1)
        self._measure(field)
        self.vote(field)  # the coarser level's matches, seen at this resolution
        return field

    def search(self, field: _Field, turn: int) -> None:
        """Improve the matches."""
        for number in range(self.config.passes):
            kernels.sweep(
                *self._patches(), self.block_start, self.targets, self.penalty,
                field.y, field.x, field.cost, field.y.copy(), field.x.copy(),
                number % 2 == 0, max(self.targets.shape),
                ((self.config.seed * 64 + self.number) * 64 + turn) * 64 + number,
            )  # fmt: skip
        kernels.try_offsets(
            *self._patches(), *self._shared_offsets(field), self.penalty,
            field.y, field.x, field.cost,
        )  # fmt: skip

    def vote(self, field: _Field) -> None:
        """Let the matches say what the hole holds, and measure them against it."""
        cost = np.where(self.targets, field.cost, np.int32(2**31 - 1))
        least = cv2.erode(
            cost.astype(np.float32), np.ones((self.side, self.side), np.uint8), borderValue=3e38
        )
        kernels.vote(
            self.level.image, self.smooth, self.level.usable, self.side, self.hole_y, self.hole_x,
            self.targets, field.y, field.x, field.cost, least,
            np.float32(self.config.sharpness), np.float32(6.5 * self.side**2), True,
            self.estimate, self.copied_y, self.copied_x,
        )  # fmt: skip
        self._refresh()
        self._measure(field)

    def _refresh(self) -> None:
        """Take the estimate over into the features."""
        ys, xs = self.hole_y, self.hole_x
        self.planes[ys, xs, :3] = self.estimate[ys, xs] * 255 + 0.5
        padded = cv2.copyMakeBorder(self.planes, *4 * [self.side // 2], cv2.BORDER_REFLECT_101)
        self.stride = padded.shape[1] * self.planes.shape[2]
        self.features = padded.reshape(-1)

    def _patches(self) -> tuple[Planes, int, int, int, NDArray[np.int32], NDArray[np.int32]]:
        return self.features, self.stride, self.planes.shape[2], self.side, self.ys, self.xs

    def _measure(self, field: _Field) -> None:
        kernels.measure(*self._patches(), self.penalty, field.y, field.x, field.cost)

    def _shared_offsets(self, field: _Field) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The 16 offsets that most of the better half of the matches have."""
        height, width = self.targets.shape
        cost = field.cost[self.ys, self.xs]
        good = cost <= np.median(cost)
        ys, xs = self.ys[good], self.xs[good]
        code = (field.y[ys, xs] - ys + height).astype(np.int64) * (2 * width + 1)
        code += field.x[ys, xs] - xs + width
        offsets, count = np.unique(code, return_counts=True)
        offsets = offsets[np.argsort(-count, kind="stable")[:16]]
        down, right = np.divmod(offsets, 2 * width + 1)
        return (down - height).astype(np.int32), (right - width).astype(np.int32)


def _blocks(targets: Mask) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """The targets block by block, in scan order inside each, and where each block starts."""
    ys, xs = np.nonzero(targets)
    block = ys // kernels.BLOCK * (targets.shape[1] // kernels.BLOCK + 1) + xs // kernels.BLOCK
    order = np.argsort(block, kind="stable")
    block = block[order]
    starts = np.flatnonzero(np.r_[True, block[1:] != block[:-1], True])
    return ys[order].astype(np.int32), xs[order].astype(np.int32), starts


def _even_rim(filled: Image, image: Image, mask: Mask, width: int = 4) -> Image:
    """Shift the hole's pixels near its rim by the colour step that is left there.

    The step is the mean of the known pixels around a rim pixel less that of the filled ones; it
    is averaged along the rim and fades out over `width` pixels.
    """
    whole = np.where(mask[..., None], filled, image)
    depth = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_C, 3)
    known, hole = (~mask).astype(np.float32), mask.astype(np.float32)
    rim = ((depth > 0) & (depth < 1.5)).astype(np.float32)
    step = (_mean_around(whole, known, 3) - _mean_around(whole, hole, 3)) * rim[..., None]
    fade = np.clip((width + 1 - depth) / width, 0, 1) * hole
    shifted = whole + _mean_around(step, rim, 9) * fade[..., None]
    return np.clip(shifted, 0, 1).astype(np.float32)


def _mean_around(image: Image, weight: NDArray[np.float32], side: int) -> Image:
    sums = cv2.boxFilter(
        image * weight[..., None], -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    share = cv2.boxFilter(weight, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(sums / np.maximum(share, 1e-6)[..., None])
