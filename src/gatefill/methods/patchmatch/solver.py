"""Search and vote at one level of PatchMatch's pyramid: what patchmatch.py runs coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask
from gatefill.methods.patchmatch import kernels
from gatefill.methods.patchmatch.config import PatchMatchConfig
from gatefill.methods.patchmatch.levels import Level, Planes
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

DOUBT = 30.0  # of detail whose match differs in smooth color: half of it counts at 0.18
FLOOR = 6.5  # a pixel of a patch: costs below it are noise, and count alike in a vote
UNKNOWN_COST = 255 * 255  # what each unusable pixel of a source patch costs: a last resort
LEAST_PIXELS = 2048  # that are worth handing to another thread
FINE_RADIUS = 32  # of the random search at full resolution: the coarser levels have looked further


def _folded(seed: int) -> int:
    """A seed of any size as one of 40 bits: with the kernels' counters it must fit 64."""
    while seed >> 40:
        seed = (seed >> 40) ^ (seed & (1 << 40) - 1)
    return seed


class Solver:
    """Search and vote at one level, on its own estimate of the photo."""

    def __init__(
        self,
        config: PatchMatchConfig,
        level: Level,
        number: int,
        coarse: Image | None,
        threads: Threads,
        tick: Callable[[], None],
    ) -> None:
        """coarse: the next coarser estimate. tick: called often, so that it can stop the work."""
        self.config, self.level, self.number = config, level, number
        self.threads, self.tick = threads, tick
        self.seed = _folded(config.seed)
        shape = height, width = level.hole.shape
        if coarse is not None:
            begin = pyramid.enlarge(coarse, height, width)
        elif level.start is not None:
            begin = level.start
        else:
            begin = pyramid.pull_push(level.image, level.usable)
        stop_point()
        keep = ~level.hole if number == 0 else level.usable
        self.estimate = np.where(keep[..., None], level.image, begin).astype(np.float32)
        self.copied_y, self.copied_x = np.full(shape, -1, np.int32), np.full(shape, -1, np.int32)
        self.active = bool(level.hole.any() and level.usable.any())
        if not self.active:
            return
        side, radius = config.patch_size, config.patch_size // 2
        stop_point()
        self.planes = level.features.copy()
        self.hole_y, self.hole_x = (axis.astype(np.int32) for axis in np.nonzero(level.hole))
        stop_point()
        smooth = pyramid.smoothed(level.image, level.usable)
        if level.predicted is not None and level.sure is not None:
            smooth = pyramid.smoothed(level.predicted, level.usable | level.sure)
        self.material = kernels.Material(level.image, smooth, level.usable)
        stop_point()
        square = np.ones((side, side), np.uint8)
        self.targets = cv2.dilate(level.hole.view(np.uint8), square).view(np.bool_)
        self.ys, self.xs, self.block_start = _blocks(self.targets)
        stop_point()
        unusable = np.pad(~level.usable, radius, constant_values=True).astype(np.float32)
        missing = cv2.boxFilter(unusable, -1, (side, side), normalize=False)
        missing = missing[radius : radius + height, radius : radius + width]
        # guides must not make a patch of the hole itself look cheap
        unknown_cost = UNKNOWN_COST * max(self.planes.shape[2] - 3, 1)
        self.penalty = (np.round(missing) * unknown_cost).astype(np.int32)
        stop_point()
        self._predict()
        self.patches = self._patches()

    def start(self, coarse: kernels.Field | None) -> kernels.Field:
        """A field of random matches or, better, of the coarser level's."""
        height, width = self.targets.shape
        field = kernels.Field(*(np.zeros((height, width), np.int32) for _ in range(3)))
        field.y[:], field.cost[:] = kernels.NOWHERE, kernels.NEVER
        matched = np.zeros(self.ys.shape, bool)
        if coarse is not None:
            cy = np.minimum(self.ys // 2, coarse.cost.shape[0] - 1)
            cx = np.minimum(self.xs // 2, coarse.cost.shape[1] - 1)
            matched = coarse.cost[cy, cx] < kernels.NEVER
            ys, xs, cy, cx = self.ys[matched], self.xs[matched], cy[matched], cx[matched]
            field.y[ys, xs] = np.minimum(2 * coarse.y[cy, cx] + ys % 2, height - 1)
            field.x[ys, xs] = np.minimum(2 * coarse.x[cy, cx] + xs % 2, width - 1)
        stop_point()
        best = np.nonzero(self.penalty == self.penalty.min())
        source_y, source_x = (axis.astype(np.int32) for axis in best)
        alone = self.patches._replace(ys=self.ys[~matched], xs=self.xs[~matched])
        seed = self.seed * 64 + self.number
        self._over(kernels.scatter, alone.ys.size, alone, field, source_y, source_x, 8, seed)
        if coarse is None:
            return field
        self._measure(field)
        self.vote(field)  # the coarser level's matches, seen at this resolution
        if self._predict():
            self._match_predicted(field)
        return field

    def _predict(self) -> bool:
        """Put what repeats into the estimate; False if nothing does."""
        level = self.level
        if level.predicted is None or level.sure is None:
            return False
        self.estimate[level.sure] = level.predicted[level.sure]
        return bool(level.sure.any())

    def _match_predicted(self, field: kernels.Field) -> None:
        """Match what repeats with what it was copied from."""
        if self.level.repetition is not None:
            targets = self.level.repetition.targets
            field.y[targets], field.x[targets] = self.level.repetition.sources
        self.patches = self._patches()
        self._measure(field)

    def search(self, field: kernels.Field, turn: int) -> None:
        """Improve the matches."""
        # at full resolution the first pass finds what there is to be found
        for number in range(self.config.passes if self.number else 1):
            self.threads.run(
                kernels.sweep,
                self.block_start.size - 1,
                self.patches,
                field,
                field.y.copy(),
                field.x.copy(),
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
        """Let the matches say what the hole holds and, but for the last time, measure them anew."""
        self._vote(field, self.hole_y, self.hole_x, self.estimate)
        if not last:
            self.patches = self._patches()
            self._measure(field)

    def rim_step(self, field: kernels.Field) -> tuple[Image, Mask]:
        """What the matches propose for the known pixels around the hole differs by how much?

        Returns ``HW3`` known minus proposed color, and where it was measured.
        """
        hole = self.level.hole
        rim = cv2.dilate(hole.view(np.uint8), np.ones((5, 5), np.uint8)).view(np.bool_) & ~hole
        ys, xs = (axis.astype(np.int32) for axis in np.nonzero(rim))
        stop_point()
        proposed = self.level.image.copy()
        self._vote(field, ys, xs, proposed)
        stop_point()
        return self.level.image - proposed, rim

    def _vote(
        self, field: kernels.Field, ys: NDArray[np.int32], xs: NDArray[np.int32], out: Image
    ) -> None:
        side = self.config.patch_size
        stop_point()
        least = cv2.erode(field.cost.astype(np.float32), np.ones((side, side), np.uint8))
        self._over(
            kernels.vote, ys.size, self.material, field, least, ys, xs, side,
            np.float32(self.config.sharpness), np.float32(FLOOR * side**2), np.float32(DOUBT),
            out, self.copied_y, self.copied_x,
        )  # fmt: skip

    def _measure(self, field: kernels.Field) -> None:
        self._over(kernels.measure, self.ys.size, self.patches, field)

    def _over(self, kernel: Callable[..., None], pixels: int, *arguments: Any) -> None:
        """Run a kernel over so many pixels, on all threads."""
        self.threads.run(kernel, pixels, *arguments, least=LEAST_PIXELS, tick=self.tick)

    def _patches(self) -> kernels.Patches:
        """The patches of the present estimate."""
        ys, xs, side = self.hole_y, self.hole_x, self.config.patch_size
        self.planes[ys, xs, :3] = self.estimate[ys, xs] * 255 + 0.5
        around = (side // 2,) * 4
        padded: Planes = np.asarray(
            cv2.copyMakeBorder(self.planes, *around, cv2.BORDER_REFLECT_101), np.uint8
        )
        _, width, channels = padded.shape
        shape = (width * channels, channels, side)
        return kernels.Patches(padded.reshape(-1), shape, self.ys, self.xs, self.penalty)

    def _shared_offsets(self, field: kernels.Field) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
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
