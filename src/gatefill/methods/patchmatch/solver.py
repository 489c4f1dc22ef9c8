"""Search and vote at one level of PatchMatch's pyramid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import hole_pixels
from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask
from gatefill.methods.patchmatch import kernels, voting
from gatefill.methods.patchmatch.config import PatchMatchConfig
from gatefill.methods.patchmatch.distance import MARGIN
from gatefill.methods.patchmatch.edges import lay_in
from gatefill.methods.patchmatch.levels import Level, Planes
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

DOUBT = 30.0  # reduces detail whose match differs in smooth color: by half at 0.18
FLOOR = 6.5  # cost per pixel of a patch that is noise: lower costs weigh the same in a vote
UNKNOWN_COST = 255 * 255  # cost of each unusable pixel of a source patch: a last resort
LEAST_PIXELS = 2048  # smallest number of pixels worth another thread
LEAST_ROWS = 64  # smallest number of rows of whole-frame passes worth another thread
FINE_RADIUS = 32  # of the random search at full resolution; coarser levels search farther


def _folded(seed: int) -> int:
    """Fold a seed of any size to 40 bits: together with the kernels' counters it must fit 64."""
    while seed >> 40:
        seed = (seed >> 40) ^ (seed & (1 << 40) - 1)
    return seed


class Solver:
    """Search and vote at one level, with its own estimate of the photo."""

    def __init__(
        self,
        config: PatchMatchConfig,
        level: Level,
        number: int,
        threads: Threads,
        tick: Callable[[], None],
    ) -> None:
        """Allocate what a level needs; this reads no other level and may run in another thread.

        number: of the level, 0 the finest. tick: see `build_levels`; not called from here.
        """
        self.config, self.level, self.number = config, level, number
        self.threads, self.tick = threads, tick
        self.seed = _folded(config.seed)
        shape = height, width = level.hole.shape
        self.estimate = level.image.copy()
        self.copied_y, self.copied_x = np.full(shape, -1, np.int32), np.full(shape, -1, np.int32)
        self.active = bool(level.hole.any() and level.usable.any())
        if not self.active:
            return
        side, radius = config.patch_size, config.patch_size // 2
        stop_point()
        self.hole_y, self.hole_x = hole_pixels(level.hole)
        square = np.ones((side, side), np.uint8)
        self.targets = cv2.dilate(level.hole.view(np.uint8), square).view(np.bool_)
        self.ys, self.xs, self.block_start = _blocks(self.targets)
        stop_point()
        # guides must not make a patch inside the hole look cheap
        unknown_cost = UNKNOWN_COST * max(level.features.shape[2] - 3, 1)
        usable = cv2.boxFilter(
            level.usable.view(np.uint8), cv2.CV_32S, (side, side), normalize=False,
            borderType=cv2.BORDER_CONSTANT,
        )  # fmt: skip
        self.penalty = np.int32(unknown_cost) * (np.int32(side**2) - np.asarray(usable, np.int32))
        stop_point()
        self.features = _Features(level, radius)
        shape_of_patches = *self.features.strides, side
        self.patches = kernels.Patches(
            self.features.flat, shape_of_patches, self.ys, self.xs, self.penalty
        )
        self.spans = _spans(self.targets)
        self.rows = slice(int(self.ys.min()), int(self.ys.max()) + 1)
        self.before = np.empty(shape, np.int32), np.empty(shape, np.int32)
        self.proposals = voting.Proposals.none(height * width)
        stop_point()
        self.material = self._material()

    def begin(self, coarse: Image | None) -> None:
        """Put the initial estimate into the hole. coarse: that of the next coarser level."""
        level = self.level
        height, width = level.hole.shape
        keep = ~level.hole if self.number == 0 else level.usable
        if coarse is not None:
            first = pyramid.enlarge(coarse, height, width)
        elif level.start is not None:
            first = level.start
        else:
            first = pyramid.pull_push(level.image, level.usable)
        stop_point()
        cv2.copyTo(np.asarray(first, np.float32), (~keep).view(np.uint8), self.estimate)
        if not self.active:
            return
        if coarse is None:
            lay_in(self.estimate, level)
        self._predict()
        self.features.take(self.estimate, self.hole_y, self.hole_x)

    def _material(self) -> voting.Material:
        level, radius = self.level, self.config.patch_size // 2
        height, width = level.hole.shape
        image, known = level.image, level.usable
        if level.predicted is not None and level.sure is not None:
            image, known = level.predicted, level.usable | level.sure
        smooth = np.zeros((height + 2 * radius) * (width + 2 * radius) * 4, np.float32)
        self.threads.run(
            voting.smooth_rows, height, image, known, level.usable, radius, smooth,
            least=LEAST_ROWS, tick=stop_point,
        )  # fmt: skip
        return voting.Material(level.image, smooth)

    def start(self, coarse: kernels.Field | None) -> kernels.Field:
        """Return a field of random matches, or that of the coarser level."""
        height, width = self.targets.shape
        field = kernels.Field(
            np.full((height, width), kernels.NOWHERE, np.int32),
            np.zeros((height, width), np.int32),
            np.full((height, width), kernels.NEVER, np.int32),
        )
        matched = np.zeros(self.ys.shape, bool)
        if coarse is not None:
            self._over(kernels.inherit, self.ys.size, self.patches, field, coarse, matched)
        stop_point()
        if not matched.all():
            best = np.nonzero(self.penalty == self.penalty.min())
            source_y, source_x = (axis.astype(np.int32) for axis in best)
            alone = self.patches._replace(ys=self.ys[~matched], xs=self.xs[~matched])
            seed = self.seed * 64 + self.number
            self._over(kernels.scatter, alone.ys.size, alone, field, source_y, source_x, 8, seed)
        if coarse is None:
            return field
        self._measure(field)
        self.vote(field)  # the coarser level's matches at this resolution
        laid_in = lay_in(self.estimate, self.level)
        if self._predict():
            self._match_predicted(field)
        elif laid_in:
            self.features.take(self.estimate, self.hole_y, self.hole_x)
            self._measure(field)
        return field

    def _predict(self) -> bool:
        """Write repeated content into the estimate; return False if there is none."""
        level = self.level
        if level.predicted is None or level.sure is None:
            return False
        self.estimate[level.sure] = level.predicted[level.sure]
        return bool(level.sure.any())

    def _match_predicted(self, field: kernels.Field) -> None:
        """Match repeated content with its sources."""
        if self.level.repetition is not None:
            targets = self.level.repetition.targets
            field.y[targets], field.x[targets] = self.level.repetition.sources
        self.features.take(self.estimate, self.hole_y, self.hole_x)
        self._measure(field)

    def search(self, field: kernels.Field, turn: int) -> None:
        """Improve the matches by propagation and random search."""
        # at full resolution the first pass finds nearly all improvements
        for number in range(self.config.passes if self.number else 1):
            for axis, before in zip((field.y, field.x), self.before, strict=True):
                np.copyto(before[self.rows], axis[self.rows])
            self.threads.run(
                kernels.sweep,
                self.block_start.size - 1,
                self.patches,
                field,
                *self.before,
                self.targets,
                self.block_start,
                number % 2 == 0,
                FINE_RADIUS if self.number == 0 else max(self.targets.shape),
                ((self.seed * 64 + self.number) * 64 + turn) * 64 + number,
                tick=self.tick,
            )
        if turn == 0:
            offsets = self._shared_offsets(field)
            self._over(kernels.try_offsets, self.ys.size, self.patches, field, *offsets)
            if self.level.offsets is not None:
                offsets = tuple(np.ascontiguousarray(self.level.offsets.T))
                self._over(kernels.try_offsets, self.ys.size, self.patches, field, *offsets)

    def vote(self, field: kernels.Field, *, last: bool = False) -> None:
        """Set the hole's pixels by voting and, except the last time, recompute the costs."""
        self._vote(field, self.hole_y, self.hole_x, self.estimate, self.features)
        if not last:
            self._measure(field)

    def rim_step(self, field: kernels.Field) -> tuple[Image, Mask]:
        """Measure by how much the votes for known pixels around the hole differ from them.

        Returns ``HW3`` known minus proposed color, 0 elsewhere, and where it was measured.
        """
        hole, image = self.level.hole, self.level.image
        rim = cv2.dilate(hole.view(np.uint8), np.ones((5, 5), np.uint8)).view(np.bool_) & ~hole
        ys, xs = hole_pixels(rim)
        stop_point()
        step = np.zeros_like(image)
        known = step[ys, xs] = image[ys, xs]  # unchanged without votes
        self._vote(field, ys, xs, step)
        stop_point()
        step[ys, xs] = known - step[ys, xs]
        return step, rim

    def _vote(
        self,
        field: kernels.Field,
        ys: NDArray[np.int32],
        xs: NDArray[np.int32],
        out: Image,
        features: _Features | None = None,
    ) -> None:
        """Vote for some pixels; features: updated with the same colors."""
        side = self.config.patch_size
        self.threads.run(
            voting.propose, len(self.spans), self.spans, field, side, self.proposals,
            least=LEAST_ROWS, tick=self.tick,
        )  # fmt: skip
        self._over(
            voting.vote, ys.size, self.material, field, self.proposals, ys, xs, side,
            np.float32(self.config.sharpness), np.float32(FLOOR * side**2), np.float32(DOUBT), out,
            self.features.flat, self.features.strides[1] if features is not None else 0,
            self.copied_y, self.copied_x,
        )  # fmt: skip
        if features is not None:
            features.reflect()

    def _measure(self, field: kernels.Field) -> None:
        self._over(kernels.measure, self.ys.size, self.patches, field)

    def _over(self, kernel: Callable[..., None], pixels: int, *arguments: Any) -> None:
        """Run a kernel on all threads over that many pixels."""
        self.threads.run(kernel, pixels, *arguments, least=LEAST_PIXELS, tick=self.tick)

    def _shared_offsets(self, field: kernels.Field) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the 16 most frequent offsets among the better half of the matches."""
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


class _Features:
    """The features of patches, padded by the patch radius with reflections at the border."""

    def __init__(self, level: Level, radius: int) -> None:
        height, width, channels = level.features.shape
        rows, columns = height + 2 * radius, width + 2 * radius
        self.flat = np.zeros(rows * columns * channels + MARGIN, np.uint8)
        self.strides = columns * channels, channels
        self._padded: Planes = self.flat[:-MARGIN].reshape(rows, columns, channels)
        cv2.copyMakeBorder(
            level.features, radius, radius, radius, radius, cv2.BORDER_REFLECT_101, self._padded
        )
        self._inside: Planes = self._padded[radius : radius + height, radius : radius + width]
        self._reflected = [
            _reflections(length, radius) if _near_edge(level.hole, axis, radius) else None
            for axis, length in enumerate((height, width))
        ]

    def take(self, estimate: Image, ys: NDArray[np.int32], xs: NDArray[np.int32]) -> None:
        """Copy the colors of some pixels from an estimate."""
        self._inside[ys, xs, :3] = estimate[ys, xs] * 255 + 0.5
        self.reflect()

    def reflect(self) -> None:
        """Update the reflections at borders close to the hole."""
        rows, columns = self._reflected
        if rows is not None:
            self._padded[rows[0]] = self._padded[rows[1]]
        if columns is not None:
            self._padded[:, columns[0]] = self._padded[:, columns[1]]


def _near_edge(hole: Mask, axis: int, radius: int) -> bool:
    """Return whether the reflection along an axis contains hole pixels."""
    lines = np.asarray(hole.any(axis=1 - axis))
    return bool(lines[: radius + 1].any() or lines[-radius - 1 :].any())


def _reflections(length: int, radius: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the padded lines at both borders, and the lines they reflect."""
    lines = [*range(-radius, 0), *range(length, length + radius)]
    shown = [cv2.borderInterpolate(line, length, cv2.BORDER_REFLECT_101) for line in lines]
    return np.array(lines) + radius, np.array(shown) + radius


def _spans(targets: Mask) -> NDArray[np.int32]:
    """Return first and last column of the targets of each row; both 0 without targets."""
    some, first = targets.any(axis=1), targets.argmax(axis=1)
    end = targets.shape[1] - targets[:, ::-1].argmax(axis=1)
    return np.asarray(np.stack([first * some, end * some], axis=1), np.int32)


def _blocks(targets: Mask) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return the targets block by block, in scan order within each, and the start of each block."""
    ys, xs = hole_pixels(targets)
    block = ys // kernels.BLOCK * (targets.shape[1] // kernels.BLOCK + 1) + xs // kernels.BLOCK
    # 16-bit numbers are sorted in one pass
    order = np.argsort(block.astype(np.uint16) if block.max() < 2**16 else block, kind="stable")
    block = block[order]
    starts = np.flatnonzero(np.r_[True, block[1:] != block[:-1], True])
    return ys[order], xs[order], starts
