"""PatchMatch: fills a hole with patches of the same photo; needs no weights.

Multi-scale patch optimization (Wexler et al., PAMI 2007) with the randomized search of Barnes et
al. (SIGGRAPH 2009) and the texture features of Newson et al. (IPOL 2017). At every level of a
pyramid two steps alternate: a search finds for each patch that touches the hole the most similar
    patch of known
pixels; a vote averages the matches for each pixel of the hole. Only patches that touch the hole are
matched, so the cost depends on the hole.

Differences from the papers (for measurements see docs/patchmatch.md):
- Holes shrink from level to level, since a coarse pixel is known if any pixel below it is. Thin
holes
  disappear at the coarser levels: their surroundings determine color and structure.
- Coarse pixels that mix known and unknown ones are voted for together with the hole.
- Votes average only the smooth part of patches; detail comes from the single best match.
- Offsets that many matches share are tried for all targets, so that repeated structure is found.
- Edges that end at the hole are extrapolated into it to initialize the search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError, MaskError
from gatefill.geometry import bounding_box, hole_pixels
from gatefill.methods.base import Attention, Fill, Image, Mask, MethodInfo, Progress, check_frame
from gatefill.methods.patchmatch import kernels, planes
from gatefill.methods.patchmatch.atlas import Atlas, lay_out
from gatefill.methods.patchmatch.config import PatchMatchConfig
from gatefill.methods.patchmatch.edges import with_edges
from gatefill.methods.patchmatch.levels import (
    Guide,
    Level,
    Prepared,
    build_levels,
    edge_guide,
    prepare_levels,
)
from gatefill.methods.patchmatch.reduced import fill_reduced, memory
from gatefill.methods.patchmatch.seams import seam_change
from gatefill.methods.patchmatch.solver import Solver
from gatefill.methods.registry import METHODS
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

__all__ = ["PatchMatch", "PatchMatchConfig"]

BYTES = 150  # per pixel of a frame that is filled at full size
LARGEST_STEP = 0.06  # limit of the color offset that is corrected at the boundary


@dataclass(frozen=True, eq=False)
class PreparedPhoto:
    """What `PatchMatch.prepare` computes, for `PatchMatch.fill`."""

    config: PatchMatchConfig
    atlas: Atlas | None  # in which image and mask are laid out, if there is one
    image: Image
    mask: Mask
    pyramid: Prepared

    def wait(self) -> None:
        """Wait for the work in other threads; afterwards these may end."""
        if self.pyramid.found is not None:
            self.pyramid.found()


class PatchMatch:
    """The PatchMatch method. It holds only its config, so that threads can share it."""

    def __init__(self, config: PatchMatchConfig | None = None) -> None:
        self.config = PatchMatchConfig() if config is None else config

    @property
    def info(self) -> MethodInfo:
        return METHODS["patchmatch"]

    @property
    def seed(self) -> int:
        """The random seed of the search."""
        return self.config.seed

    def seeded(self, seed: int) -> PatchMatch:
        """Return the same method with another random seed."""
        return PatchMatch(replace(self.config, seed=seed))

    def memory(self, pixels: int, hole: int) -> int:
        """See `TellsMemory`."""
        return memory(pixels, hole, BYTES)

    def prepare(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        *,
        search: Mask | None = None,
        threads: Threads | None = None,
        tick: Callable[[], None] = stop_point,
    ) -> PreparedPhoto:
        """Compute what `fill` needs of the photo before it needs a guess or a guide.

        Args:
            image, mask, sketch, search: See `fill`.
            threads: The threads to use; one may still work when this returns, see
                `PreparedPhoto.wait`. Default: the calling thread only.
            tick: Called frequently; an exception it raises cancels the work.
        """
        threads = Threads(1) if threads is None else threads
        region = np.ones_like(mask) if search is None else search
        config, atlas = self.config, lay_out(mask, region) if sketch is None else None
        if atlas is not None:
            config = _for_specks(config)
            image, mask, region = (atlas.packed(plane) for plane in (image, mask, region))
        pyramid = prepare_levels(config, image, mask, region, threads, tick)
        return PreparedPhoto(config, atlas, image, mask, pyramid)

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
        guide_at_last: float = 1.0,
        guide_yields: bool = False,
        prepared: PreparedPhoto | None = None,
    ) -> Fill:
        """Fill the hole with patches of the same photo.

        Args:
            image, mask, sketch, progress: See `Method.fill`.
            search: ``HW`` bool, True = may be copied from. Default: all known pixels.
            guess: ``HW3`` in [0, 1], the initial guess for the hole.
            guide: ``HWC`` float32 in [0, 1], additional channels in which matching patches should
                agree, inside and outside the hole.
            guide_at_last: Share of the guide's weight that remains at full resolution, in [0, 1];
                the weight decreases over the finest levels.
            guide_yields: Where the photo repeats itself, continue the repetition rather than follow
                the guide.
            prepared: What `prepare` returned for the same arrays; used with a guess or a guide.

        Returns:
            The filled image. The attention gives for each hole pixel the pixel that its detail was
            copied from. A large hole without guess and guide is filled at a reduced size, see
            `reduced`.

        Raises:
            GatefillError: If sizes differ, if `search` contains no known pixels, or for a
                `guide_at_last` out of range.
        """
        check_frame(self.info, image, mask, sketch, search)
        if guess is None and guide is None:
            return fill_reduced(self._fill, image, mask, sketch, progress, search)
        for name, plane in (("guess", guess), ("guide", guide)):
            if plane is not None and plane.shape[:2] != mask.shape:
                raise MaskError(
                    f"expected a {name} of size {mask.shape}, got {plane.shape[:2]}",
                    code="frame.plane",
                    plane=name,
                    shape=list(plane.shape),
                )
        if not 0 <= guide_at_last <= 1:
            raise ConfigError(
                f"expected guide_at_last in 0..1, got {guide_at_last}",
                code="config.range",
                name="guide_at_last",
                value=guide_at_last,
            )
        guides = [] if guide is None else [Guide(guide, guide_at_last, guide_yields)]
        return self._fill(image, mask, sketch, progress, search, guess, guides, prepared)

    def _fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None,
        progress: Progress | None,
        search: Mask | None,
        guess: Image | None = None,
        guides: Sequence[Guide] = (),
        prepared: PreparedPhoto | None = None,
    ) -> Fill:
        told = _Told(progress)
        with Threads() as threads:
            if prepared is None:
                prepared = self.prepare(
                    image, mask, sketch, search=search, threads=threads, tick=told
                )
            atlas, guides = prepared.atlas, [*guides]
            if atlas is not None:
                guess = None if guess is None else atlas.packed(guess)
                guides = [replace(guide, planes=atlas.packed(guide.planes)) for guide in guides]
            if sketch is not None:
                guides.append(edge_guide(image, mask, sketch))
            found = _fill_frame(prepared, guess, guides, threads, told)
        return found if atlas is None else atlas.unpacked(found, image)


def _fill_frame(
    prepared: PreparedPhoto,
    guess: Image | None,
    guides: list[Guide],
    threads: Threads,
    told: _Told,
) -> Fill:
    """Fill a frame, or an atlas."""
    config, mask = prepared.config, prepared.mask
    levels = build_levels(config, prepared.pyramid, guess, guides, threads, told)
    if config.edges and guess is None and not guides:
        levels = with_edges(levels)
    filled, rim, copied_y, copied_x = _optimize(config, levels, threads, told)
    ys, xs = hole_pixels(mask)
    if config.finish:
        _even(filled, *rim, mask, ys, xs, threads)
        told()
        change = seam_change(filled, mask, copied_y, copied_x, told, threads)
        filled[ys, xs] = np.clip(filled[ys, xs] + change, 0, 1)
    copied = copied_y[ys, xs] >= 0
    ys, xs = ys[copied], xs[copied]
    source = np.stack([copied_y[ys, xs], copied_x[ys, xs]], axis=1)[:, None]
    attention = Attention(
        target=np.stack([ys, xs], axis=1).astype(np.int32),
        source=source.astype(np.int32),
        weight=np.ones((ys.size, 1), np.float32),
        stride=1,
    )
    return Fill(image=filled, attention=attention)


def _even(
    filled: Image,
    step: Image,
    rim: Mask,
    mask: Mask,
    ys: NDArray[np.int32],
    xs: NDArray[np.int32],
    threads: Threads,
) -> None:
    """Apply `rim.even_step` to the hole pixels, in place."""
    box = bounding_box(rim | mask)
    if box is None or not rim.any():
        return
    shift = planes.pull_push(
        np.clip(step[box.slices], -LARGEST_STEP, LARGEST_STEP), rim[box.slices], threads
    )
    filled[ys, xs] = np.clip(filled[ys, xs] + shift[ys - box.top, xs - box.left], 0, 1)


def _for_specks(config: PatchMatchConfig) -> PatchMatchConfig:
    """Options for specks: their matches are close, and they are smaller than repeated content."""
    return replace(config, repeats=False, edges=False, passes=1)


class _Told:
    """Reports progress again at each call, so that the callback can cancel the work."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.share = progress, 0.0

    def __call__(self) -> None:
        if self.progress is not None:
            self.progress(self.share)


def _optimize(
    config: PatchMatchConfig, levels: list[Level], threads: Threads, told: _Told
) -> tuple[Image, tuple[Image, Mask], NDArray[np.int32], NDArray[np.int32]]:
    """Solve all levels from coarse to fine; see `Solver` for the outputs of the finest level."""
    rounds = [config.rounds + 2 * number for number in range(len(levels))]
    work = [level.hole.sum() * count for level, count in zip(levels, rounds, strict=True)]
    total, done = max(float(sum(work)), 1.0), 0.0
    estimate: Image | None = None
    field: kernels.Field | None = None

    def prepared(number: int) -> Callable[[], Solver]:
        return threads.begin(Solver, config, levels[number], number, threads, told)

    preparing = prepared(len(levels) - 1)
    for number in reversed(range(len(levels))):
        solver = preparing()
        if number:
            preparing = prepared(number - 1)  # while this level is solved
        solver.begin(estimate)
        if solver.active:
            field = solver.start(field)
            for turn in range(rounds[number]):
                solver.search(field, turn)
                solver.vote(field, last=turn + 1 == rounds[number])
                done += work[number] / rounds[number]
                told.share = min(float(done / total), 1.0)
                told()
        estimate = solver.estimate
    assert field is not None
    return solver.estimate, solver.rim_step(field), solver.copied_y, solver.copied_x
