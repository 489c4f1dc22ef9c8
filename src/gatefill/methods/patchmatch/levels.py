"""The levels of PatchMatch's pyramid: the photo, what patches are compared by, what is known ahead.

A level holds all that its solver reads: the photo at one resolution, the bytes that patches are
compared by (color, texture, guides), and what is known of the hole before the search begins (a
guess, and what repeats, see `repetition`).
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
FALL = 3  # levels over which the weight of a guide falls
LARGEST = 2**20  # pixels that are searched for repetitions; larger parts are halved first
MIXED = 0.95  # a pixel of which less is known is voted for like the hole


@dataclass(frozen=True)
class Level:
    """The photo at one resolution."""

    image: Image  # HW3, 0 where not usable
    usable: Mask  # material may be taken from here
    hole: Mask  # to be voted for
    features: Planes  # HWC: color (of known pixels), texture, guide
    start: Image | None = None  # HW3, the initial guess if there is one
    predicted: Image | None = None  # HW3, what repeats, copied into the hole
    sure: Mask | None = None  # HW, the part of the hole where it is
    repetition: Repetition | None = None  # where it was copied from, at the finest level
    offsets: NDArray[np.int32] | None = None  # K2, at which the photo repeats itself
    edges: Extrapolated | None = None  # where edges would go on, see `edges`


@dataclass(frozen=True)
class Guide:
    """Channels that matches should agree in at one resolution."""

    planes: Image  # HWC
    at_last: float = 1.0  # share of the weight that is left at full resolution
    yields: bool = False  # to what repeats: it then guides to where that was copied from

    def shrunk(self, height: int, width: int) -> Guide:
        """The same at a smaller size."""
        planes = pyramid.shrink(self.planes.astype(np.float32), height, width)
        return replace(self, planes=planes.reshape(height, width, -1))

    def share_at(self, level: int) -> float:
        """Of the weight at a level of the pyramid, 0 the finest: all of it from FALL on."""
        share: float = self.at_last ** max(1 - level / FALL, 0)
        return share


def edge_guide(image: Image, mask: Mask, sketch: Mask) -> Guide:
    """The photo's own edges outside the hole, the sketch's inside, blurred a little."""
    gray = (pyramid.pull_push(image, ~mask).mean(axis=2) * 255).astype(np.uint8)
    edges = np.where(mask, sketch, cv2.Canny(gray, 60, 150) > 0).astype(np.float32)
    blurred = cv2.GaussianBlur(edges, (0, 0), 1.5)
    return Guide(np.asarray(np.minimum(blurred * 3, 1))[..., None])


@dataclass(frozen=True)
class _Photo:
    """What is halved from level to level."""

    image: Image
    known: Mask
    region: Mask  # material may come from here, as far as it is known
    hole: Mask

    @property
    def usable(self) -> Mask:
        return self.region & self.known


def build_levels(
    config: PatchMatchConfig,
    image: Image,
    mask: Mask,
    region: Mask,
    guess: Image | None,
    guides: list[Guide],
    threads: Threads,
    tick: Callable[[], None],
) -> list[Level]:
    """The pyramid, finest first, halved until the hole has shrunk to nothing.

    Args:
        config: How PatchMatch fills.
        image: ``HW3`` in [0, 1].
        mask: ``HW``, True = hole.
        region: ``HW``, True = material may be taken from here.
        guess: ``HW3``, where the optimization starts.
        guides: Of the photo's size.
        threads: That do the work.
        tick: Called often, so that it can stop the work.
    """
    searched = config.repeats and search_area(mask) <= LARGEST
    found = threads.begin(find_repetition, image, region & ~mask, mask) if searched else None
    photos = _halved(config, image, mask, region, threads, tick)
    # few photos repeat themselves, so this is done before it is known
    levels = _levels(config, photos, guess, guides, None, threads, tick)
    if not config.repeats:
        return levels
    repetition = _repetition(photos, threads) if found is None else found()
    if repetition is None:
        return levels
    yields = all(guide.yields for guide in guides)
    if yields:
        levels = _levels(config, photos, guess, guides, repetition, threads, tick)
    offsets = [repetition.offsets]
    while len(offsets) < len(levels):
        offsets.append(_halves(offsets[-1]))
    levels = [replace(level, offsets=each) for level, each in zip(levels, offsets, strict=True)]
    return [replace(levels[0], repetition=repetition if yields else None), *levels[1:]]


def _levels(
    config: PatchMatchConfig,
    photos: list[_Photo],
    guess: Image | None,
    guides: list[Guide],
    repetition: Repetition | None,
    threads: Threads,
    tick: Callable[[], None],
) -> list[Level]:
    """The levels of photos; repetition: what is copied into the hole ahead."""
    image, mask = photos[0].image, photos[0].hole
    known, predicted, sure = ~mask, image, np.zeros_like(mask)
    if repetition is not None:
        sure = repetition.predicted
        known = known | sure
        predicted = repetition.copied(image)
        guides = [replace(guide, planes=repetition.copied(guide.planes)) for guide in guides]
    texture = planes.texture_energy(predicted, known, threads) if config.texture else None
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
        level = Level(photo.image, photo.usable, photo.hole, features, guess)
        if repetition is not None:
            level = replace(level, predicted=predicted, sure=sure)
        levels.append(level)
    return levels


def _check_cost(config: PatchMatchConfig, features: Planes) -> None:
    """Costs are int32, so patches and guides have a bound."""
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
        # mixed pixels are voted for like the hole, but may serve as material
        photos.append(_Photo(image, known, region, mask if not photos else share < MIXED))
        if known.all() or min(known.shape) < 48 or len(photos) > config.levels:
            return photos
        image, known, share = planes.halve(image, known, threads, tick)
        if region.all():
            region = np.ones_like(known)
        else:
            region = pyramid.shrink(region.astype(np.float32), *known.shape) > 0.25


def _repetition(photos: list[_Photo], threads: Threads) -> Repetition | None:
    """How the photo repeats itself: searched where it is small enough, refined from there on."""
    sizes = [search_area(photo.hole) for photo in photos]
    first = next((number for number, size in enumerate(sizes) if size <= LARGEST), None)
    if first is None:
        return None
    found = find_repetition(photos[first].image, photos[first].usable, photos[first].hole, threads)
    for photo in reversed(photos[:first]):
        found = None if found is None else found.finer(photo.image, photo.usable, photo.hole)
    return found


def _halves(offsets: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same offsets at half the size; those that coincide once, those that are gone left out."""
    halves = np.unique(np.round(offsets / 2).astype(np.int32), axis=0)
    return np.asarray(halves[(halves != 0).any(axis=1)])


def _weighted(guide: Image, weight: float) -> list[tuple[Image, float]]:
    """Planes and factors, so that squared differences are `weight` times the guide's.

    Each product fits into uint8.
    """
    copies = max(math.ceil(weight), 1)
    return [(guide, (weight / copies) ** 0.5)] * copies


def _to_bytes(compared: list[tuple[Image, float]], threads: Threads) -> Planes:
    """Planes ``HWC``, times their factors, as bytes."""
    channels = sum(plane.shape[2] for plane, _ in compared)
    features = np.empty((*compared[0][0].shape[:2], channels), np.uint8)
    first = 0
    for plane, factor in compared:
        planes.put_bytes(plane, factor, features, first, threads)
        first += plane.shape[2]
    return features
