"""The levels of PatchMatch's pyramid: image, features, and what is known before the search.

A level holds all data of its solver: the photo at one resolution, the uint8 features of patches
(color, texture, guides), and initial data for the hole (a guess, and repeated content, see
`repetition`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError
from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask
from gatefill.methods.extrapolation import Extrapolated
from gatefill.methods.patchmatch import planes
from gatefill.methods.patchmatch.config import PatchMatchConfig
from gatefill.methods.patchmatch.repetition import Repetition, find_repetition, search_area
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

Planes = NDArray[np.uint8]
FALL = 3  # number of levels over which the weight of a guide decreases
LARGEST = 2**20  # largest area searched for repetition, pixels; larger ones are halved
MIXED = 0.95  # pixels with a smaller known share are voted for like the hole
DARKER = 0.12  # by how much mixed pixels may be darker than the guess and still be copied from


@dataclass(frozen=True)
class Level:
    """The photo at one resolution."""

    image: Image  # HW3, 0 unless usable
    usable: Mask  # HW, may be copied from
    hole: Mask  # HW, pixels to vote for
    features: Planes  # HWC uint8: color (of known pixels), texture, guide
    start: Image | None = None  # HW3, the initial guess, if any
    predicted: Image | None = None  # HW3, with repeated content copied into the hole
    sure: Mask | None = None  # HW, the part of the hole with repeated content
    repetition: Repetition | None = None  # the sources of repeated content, at the finest level
    offsets: NDArray[np.int32] | None = None  # K2, offsets at which the photo repeats itself
    edges: Extrapolated | None = None  # edges extrapolated into the hole, see `edges`


@dataclass(frozen=True)
class Guide:
    """Channels in which matching patches should agree, at one resolution."""

    planes: Image  # HWC
    at_last: float = 1.0  # share of the weight that remains at full resolution
    yields: bool = False  # repeated content takes precedence over the guide

    def shrunk(self, height: int, width: int) -> Guide:
        """Downscale the guide."""
        planes = pyramid.shrink(self.planes.astype(np.float32), height, width)
        return replace(self, planes=planes.reshape(height, width, -1))

    def share_at(self, level: int) -> float:
        """Return the share of the weight at a level, 0 the finest; it is 1 from level FALL on."""
        share: float = self.at_last ** max(1 - level / FALL, 0)
        return share


def edge_guide(image: Image, mask: Mask, sketch: Mask) -> Guide:
    """Make a guide of the photo's edges outside and the sketch inside the hole, blurred."""
    gray = (pyramid.pull_push(image, ~mask).mean(axis=2) * 255).astype(np.uint8)
    edges = np.where(mask, sketch, cv2.Canny(gray, 60, 150) > 0).astype(np.float32)
    blurred = cv2.GaussianBlur(edges, (0, 0), 1.5)
    return Guide(np.asarray(np.minimum(blurred * 3, 1))[..., None])


@dataclass(frozen=True)
class _Photo:
    """The planes that are halved from level to level."""

    image: Image
    known: Mask
    region: Mask  # HW, may be copied from, where known
    hole: Mask

    @property
    def usable(self) -> Mask:
        return self.region & self.known


@dataclass(frozen=True)
class Prepared:
    """The part of the pyramid that does not depend on a guess or a guide."""

    photos: list[_Photo]  # finest first
    texture: NDArray[np.float32] | None  # HW, of the finest
    found: Callable[[], Repetition | None] | None  # waits for the search; None: not yet started


def prepare_levels(
    config: PatchMatchConfig,
    image: Image,
    mask: Mask,
    region: Mask,
    threads: Threads,
    tick: Callable[[], None],
) -> Prepared:
    """Halve the photo until the hole has disappeared, and search it for repetition.

    Args:
        config: Options of PatchMatch.
        image: ``HW3`` in [0, 1].
        mask: ``HW``, True = hole.
        region: ``HW``, True = may be copied from.
        threads: The threads to use; one may still be searching when this returns.
        tick: Called frequently; an exception it raises cancels the work.
    """
    searched = config.repeats and search_area(mask) <= LARGEST
    found = threads.begin(find_repetition, image, region & ~mask, mask) if searched else None
    photos = _halved(config, image, mask, region, threads, tick)
    texture = None
    if config.texture:
        texture = planes.texture_energy(photos[0].image, photos[0].known, threads)
    return Prepared(photos, texture, found)


def build_levels(
    config: PatchMatchConfig,
    prepared: Prepared,
    guess: Image | None,
    guides: list[Guide],
    threads: Threads,
    tick: Callable[[], None],
) -> list[Level]:
    """Build the pyramid, finest level first.

    Args:
        config: Options of PatchMatch.
        prepared: The part of the pyramid that depends on the photo and its mask only.
        guess: ``HW3``, the initial guess of the optimization.
        guides: Guides of the photo's size.
        threads: The threads to use.
        tick: Called frequently; an exception it raises cancels the work.
    """
    photos, texture = prepared.photos, prepared.texture
    # done in advance, since few photos repeat themselves
    levels = _levels(config, photos, texture, guess, guides, None, threads, tick)
    if not config.repeats:
        return levels
    found = prepared.found
    repetition = _repetition(photos, threads) if found is None else found()
    if repetition is None:
        return levels
    yields = all(guide.yields for guide in guides)
    if yields:
        levels = _levels(config, photos, texture, guess, guides, repetition, threads, tick)
    offsets = [repetition.offsets]
    while len(offsets) < len(levels):
        offsets.append(_halves(offsets[-1]))
    levels = [replace(level, offsets=each) for level, each in zip(levels, offsets, strict=True)]
    return [replace(levels[0], repetition=repetition if yields else None), *levels[1:]]


def _levels(
    config: PatchMatchConfig,
    photos: list[_Photo],
    texture: NDArray[np.float32] | None,
    guess: Image | None,
    guides: list[Guide],
    repetition: Repetition | None,
    threads: Threads,
    tick: Callable[[], None],
) -> list[Level]:
    """Build levels from the halved photos.

    texture: of the finest level. repetition: content to copy into the hole beforehand.
    """
    image, mask = photos[0].image, photos[0].hole
    known, predicted, sure = ~mask, image, np.zeros_like(mask)
    if repetition is not None:
        sure = repetition.predicted
        known = known | sure
        predicted = repetition.copied(image)
        guides = [replace(guide, planes=repetition.copied(guide.planes)) for guide in guides]
        if texture is not None:
            texture = planes.texture_energy(predicted, known, threads)
    levels: list[Level] = []
    for number, photo in enumerate(photos):
        tick()
        height, width = photo.known.shape
        if levels:
            guides = [guide.shrunk(height, width) for guide in guides]
            stop_point()
            texture = None if texture is None else pyramid.shrink(texture, height, width)
            guess = None if guess is None else pyramid.shrink(guess, height, width)
            if repetition is not None:
                predicted, known, share = planes.halve(predicted, known, threads)
                sure = photo.hole & (share >= MIXED)
        stop_point()
        compared = [(photo.image, 1.0)]
        if texture is not None:
            compared.append((texture[..., None], config.texture))
        for guide in guides:
            compared += _weighted(guide.planes, config.guide * guide.share_at(number))
        features = _to_bytes(compared, threads)
        _check_cost(config, features)
        usable = photo.usable
        if guess is not None and levels:
            mixed = photo.hole & usable if repetition is None else photo.hole & usable & ~sure
            usable[mixed] = ~_overshadowed(photo.image[mixed], guess[mixed])
        level = Level(photo.image, usable, photo.hole, features, guess)
        if repetition is not None:
            level = replace(level, predicted=predicted, sure=sure)
        levels.append(level)
    return levels


def _overshadowed(colors: NDArray[np.float32], guess: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which mixed pixels are darker than the guess; both ``N3``.

    A mixed pixel has the mean color of what is known below it. Beside a dark object that is the
    object, even where nearly all below the pixel is hole; as a source, it would let the object grow
    into the hole from level to level, in spite of a guess that knows where it ends.
    """
    return np.asarray(colors.mean(axis=1) < guess.mean(axis=1) - DARKER)


def _check_cost(config: PatchMatchConfig, features: Planes) -> None:
    """Raise ConfigError if costs could exceed int32: patches times guide channels are limited."""
    if config.patch_size**2 * features.shape[2] * 255**2 >= 2**30:
        raise ConfigError(
            "expected smaller patches or fewer guide channels, got patches of side "
            f"{config.patch_size} with {features.shape[2]} channels",
            code="config.patch_channels",
            patch_size=config.patch_size,
            channels=features.shape[2],
        )


def _halved(
    config: PatchMatchConfig,
    image: Image,
    mask: Mask,
    region: Mask,
    threads: Threads,
    tick: Callable[[], None],
) -> list[_Photo]:
    known, share = ~mask, (~mask).astype(np.float32)
    stop_point()
    image = np.array(image, np.float32, order="C")
    image[mask] = 0
    photos: list[_Photo] = []
    while True:
        # mixed pixels are voted for like the hole, but may be copied from
        photos.append(_Photo(image, known, region, mask if not photos else share < MIXED))
        if known.all() or min(known.shape) < 48 or len(photos) > config.levels:
            return photos
        image, known, share = planes.halve(image, known, threads, tick)
        if region.all():
            region = np.ones_like(known)
        else:
            region = pyramid.shrink(region.astype(np.float32), *known.shape) > 0.25


def _repetition(photos: list[_Photo], threads: Threads) -> Repetition | None:
    """Find repetition at the first level that is small enough, and refine it for finer levels."""
    sizes = [search_area(photo.hole) for photo in photos]
    first = next((number for number, size in enumerate(sizes) if size <= LARGEST), None)
    if first is None:
        return None
    found = find_repetition(photos[first].image, photos[first].usable, photos[first].hole, threads)
    for photo in reversed(photos[:first]):
        found = None if found is None else found.finer(photo.image, photo.usable, photo.hole)
    return found


def _halves(offsets: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the offsets at half the size, without duplicates and zero offsets."""
    halves = np.unique(np.round(offsets / 2).astype(np.int32), axis=0)
    return np.asarray(halves[(halves != 0).any(axis=1)])


def _weighted(guide: Image, weight: float) -> list[tuple[Image, float]]:
    """Return planes and factors so that squared differences are scaled by `weight`.

    Each product fits into uint8.
    """
    copies = max(math.ceil(weight), 1)
    return [(guide, (weight / copies) ** 0.5)] * copies


def _to_bytes(compared: list[tuple[Image, float]], threads: Threads) -> Planes:
    """Convert planes ``HWC``, times their factors, to uint8."""
    channels = sum(plane.shape[2] for plane, _ in compared)
    features = np.empty((*compared[0][0].shape[:2], channels), np.uint8)
    first = 0
    for plane, factor in compared:
        planes.put_bytes(plane, factor, features, first, threads)
        first += plane.shape[2]
    return features
