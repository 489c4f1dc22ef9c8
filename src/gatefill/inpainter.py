"""A method, the strategy for large photos, and images in and out, behind one call."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from gatefill.checkpoints import find_weights, load_method, shipped_weights
from gatefill.errors import ConfigError, MaskError, Warning
from gatefill.extras import installed, require
from gatefill.geometry import Box, bounding_box
from gatefill.images import (
    DEFAULT_MAX_PIXELS,
    MaskOptions,
    Photo,
    Source,
    is_source,
    mask_warnings,
    read_drawing,
    read_hole,
    read_photo,
)
from gatefill.images.mask import hidden_pixels
from gatefill.images.mask_values import THRESHOLD
from gatefill.methods import create, info_of, steered_by
from gatefill.methods.base import (
    Attention,
    Fill,
    Image,
    Mask,
    Method,
    Progress,
    SharesBatches,
    composite,
)
from gatefill.photo_attention import in_photo, joined, moved_by, within
from gatefill.regions import regions
from gatefill.result import Result

logger = logging.getLogger(__name__)

Large = Literal["crop", "whole"]
DEFAULT_METHOD = "hybrid"
_NONE_LEFT: Any = object()
WITHOUT_TORCH = Warning(
    "method.without_torch",
    "hybrid needs torch, so PatchMatch fills alone: pip install 'gatefill[torch]'",
)


@dataclass(frozen=True)
class _Work:
    """One photo, read and checked."""

    photo: Photo
    mask: Mask
    sketch: Mask | None
    search: Mask | None
    hidden: Mask | None  # known pixels that alpha hides

    def unknown(self, box: Box) -> Mask:
        """What the method is to treat as missing in a box: the hole, and what alpha hides."""
        mask = self.mask[box.slices]
        return mask if self.hidden is None else mask | self.hidden[box.slices]


class Inpainter:
    """Fills holes in photos with one method. `load` makes it."""

    def __init__(
        self,
        method: Method,
        *,
        large: Large = "crop",
        context: float = 1.0,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        notes: Sequence[Warning] = (),
    ) -> None:
        """Raises ValueError for a `large` or `context` that is none.

        large: ``"crop"`` looks at a box around each hole, so that time and memory follow the hole;
            ``"whole"`` gives the method the whole photo.
        context: width of the margin around a hole with ``"crop"``, as a multiple of the side of a
            square of the hole's area; never below 128 pixels.
        max_pixels: larger files are refused before they are decoded.
        notes: What stands first in every result's warnings.
        """
        if large not in get_args(Large):
            raise ValueError(f"expected large as one of 'crop', 'whole', got {large!r}")
        if not 0 <= context < float("inf"):
            raise ValueError(f"expected a context of 0 or more, got {context}")
        self.method = method
        self.large = large
        self.context = context
        self.max_pixels = max_pixels
        self.notes = tuple(notes)

    def __call__(
        self,
        photo: Source | Photo,
        mask: Source | None = None,
        *,
        sketch: Source | None = None,
        search: Source | None = None,
        invert_mask: bool = False,
        grow: int = 0,
        resize_mask: bool = False,
        threshold: int = THRESHOLD,
        mask_as_stored: bool = False,
        allow_truncated: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """Fill the hole of one photo; every other pixel comes back bit-identical.

        photo: path, bytes, PIL image, array ``HW``, ``HW3``, ``HW4`` (uint8, uint16, or float in
            [0, 1]) or torch tensor ``CHW``.
        mask: the same kinds; white = hole. None takes the transparent part of the photo.
        sketch: white = edge, of which the part inside the hole guides methods that take one.
        search: white = where material may be taken from, for methods that copy.
        invert_mask: black = hole instead.
        grow: pixels by which the hole is widened on all sides.
        resize_mask: stretch mask, sketch and search region of another size to the photo's.
        threshold: of 255; what is brighter in the mask is the hole.
        mask_as_stored: mask, sketch and search region were made for the photo's file as it is
            stored, and are turned upright with it, as its EXIF data says.
        allow_truncated: take what there is of files that are cut off.
        progress: called with the share of the work done, in [0, 1].
        What looks wrong with the mask is logged as a warning before the work begins, and stands in
        the result.
        Raises ValueError (or FileNotFoundError) for what cannot be read or used.
        """
        started = time.perf_counter()
        options = MaskOptions(
            invert=invert_mask,
            grow=grow,
            resize=resize_mask,
            threshold=threshold,
            as_stored=mask_as_stored,
            allow_truncated=allow_truncated,
            max_pixels=self.max_pixels,
            seen_upright=isinstance(photo, Photo),
        )
        work, warnings = self._read(photo, mask, sketch, search, options)
        for warning in warnings:
            logger.warning(warning)
        fill, boxes = _Filled(work.photo.pixels), self._boxes(work)
        areas = np.array([np.count_nonzero(work.mask[box.slices]) for box in boxes])
        done = np.concatenate([[0.0], np.cumsum(areas) / max(areas.sum(), 1)])
        for number, box in enumerate(boxes):
            report = _share_of(progress, float(done[number]), float(done[number + 1]))
            fill.put(work, box, self._fill(work, box, report))
        if progress is not None:
            progress(1.0)
        opaque = work.mask if mask is None else None
        return Result(
            photo=work.photo.replaced(fill.pixels, opaque=opaque),
            mask=work.mask,
            coarse=None if fill.coarse is None else work.photo.replaced(fill.coarse, opaque=opaque),
            attention=in_photo(joined(fill.attention), work.photo, work.mask),
            method=self.method.info.name,
            seconds=time.perf_counter() - started,
            warnings=warnings,
            source=_file_of(photo),
        )

    def map(
        self,
        photos: Iterable[Source | Photo],
        masks: Source | Iterable[Source | None] | None = None,
        **options: Any,
    ) -> Iterator[Result]:
        """Fill photos one after the other, and read the next one while one is filled.

        `gatefill.batch` does so with all cores, and with failures as data.

        Args:
            photos: Of any kind that the call takes; they are asked for one by one.
            masks: One for each photo, or a single one for all, or None as for the call.
            **options: Those of the call.

        Yields:
            The results, in order. They are made when they are asked for.

        Raises:
            ConfigError: Where there are fewer masks than photos, or more.
            GatefillError, FileNotFoundError: As the call does, at that photo's turn.
        """
        pairs = _pairs(photos, masks)
        read = partial(self.read, allow_truncated=options.get("allow_truncated", False))
        ahead: deque[tuple[Future[Photo], Source | Photo, Source | None]] = deque()
        with ThreadPoolExecutor(1, "gatefill-reader") as reader:
            while True:
                for photo, mask in islice(pairs, 2 - len(ahead)):
                    ahead.append((reader.submit(read, photo), photo, mask))
                if not ahead:
                    return
                opened, photo, mask = ahead.popleft()
                yield replace(self(opened.result(), mask, **options), source=_file_of(photo))

    def read(self, photo: Source | Photo, *, allow_truncated: bool = False) -> Photo:
        """A photo as the call reads it: it may be read ahead, and then be given to the call.

        Raises ImageError (a ValueError) or FileNotFoundError for what cannot be read.
        """
        if isinstance(photo, Photo):
            return photo
        return read_photo(photo, max_pixels=self.max_pixels, allow_truncated=allow_truncated)

    def _read(
        self,
        photo: Source | Photo,
        mask: Source | None,
        sketch: Source | None,
        search: Source | None,
        options: MaskOptions,
    ) -> tuple[_Work, tuple[Warning, ...]]:
        """Everything the call was given, as planes of one size, and what looks odd about it."""
        info = self.method.info
        for name, given, takes in (
            ("sketch", sketch, info.takes_sketch),
            ("search", search, info.takes_search),
        ):
            if given is not None and not takes:
                raise ValueError(f"{info.name} takes no {name}: leave it out or use another method")
        photo = self.read(photo, allow_truncated=options.allow_truncated)
        hole, said = read_hole(mask, photo, options)
        drawings: list[Mask | None] = []
        for name, given in (("sketch", sketch), ("search region", search)):
            drawing = None
            if given is not None:
                drawing, more = read_drawing(given, photo, name, options)
                said = (*said, *more)
            drawings.append(drawing)
        hidden = None if mask is None else hidden_pixels(photo, hole)
        work = _Work(photo, hole, drawings[0], drawings[1], hidden)
        known = ~work.unknown(Box(0, 0, *hole.shape))
        if work.search is not None and not (work.search & known).any():
            raise MaskError("expected some of the search region outside the hole, got none")
        return work, (*self.notes, *photo.meta.warnings, *said, *mask_warnings(photo, hole))

    def _boxes(self, work: _Work) -> list[Box]:
        if not work.mask.any():
            return []
        if self.large == "whole":
            return [Box(0, 0, *work.mask.shape)]
        return regions(work.mask, self.context, work.search, work.hidden)

    def _fill(self, work: _Work, box: Box, progress: Progress | None) -> Fill:
        image, mask = work.photo.rgb(box), work.unknown(box)
        sketch = None if work.sketch is None else work.sketch[box.slices]
        search = None if work.search is None else work.search[box.slices]
        return self.method.fill(image, mask, sketch, progress, search=search)


class _Filled:
    """The photo's pixels while one box after the other is filled."""

    def __init__(self, pixels: Any) -> None:
        self.pixels = pixels
        self.coarse: Any = None
        self.attention: list[Attention] = []

    def put(self, work: _Work, box: Box, fill: Fill) -> None:
        if self.pixels is work.photo.pixels:
            self.pixels = self.pixels.copy()
        self._paste(self.pixels, work, box, fill.image)
        if fill.coarse is not None:
            if self.coarse is None:
                self.coarse = work.photo.pixels.copy()
            self._paste(self.coarse, work, box, fill.coarse)
        if fill.attention is not None:
            moved = moved_by(fill.attention, box.top, box.left)
            self.attention.append(moved if work.hidden is None else within(moved, work.mask))

    def _paste(self, pixels: Any, work: _Work, box: Box, image: Image) -> None:
        mask = work.mask[box.slices]
        hole = bounding_box(mask)
        assert hole is not None  # boxes are those of holes
        part: Any = pixels[box.slices][hole.slices]  # a view; the rest of the box stays as it is
        known: Any = work.photo.pixels[box.slices][hole.slices]
        filled: Any = work.photo.quantised(image[hole.slices])
        part[...] = composite(filled, known, mask[hole.slices])


def _pairs(
    photos: Iterable[Source | Photo], masks: Source | Iterable[Source | None] | None
) -> Iterator[tuple[Source | Photo, Source | None]]:
    """Each photo with its mask. Raises ConfigError where their numbers differ."""
    if masks is None or is_source(masks):
        single: Any = masks
        yield from ((photo, single) for photo in photos)
        return
    several: Any = masks
    for photo, mask in zip_longest(photos, several, fillvalue=_NONE_LEFT):
        if photo is _NONE_LEFT or mask is _NONE_LEFT:
            which = "masks" if photo is _NONE_LEFT else "photos"
            raise ConfigError(
                f"expected a mask for each photo, got more {which}", code="mask.count"
            )
        yield photo, mask


def _file_of(photo: object) -> Path | None:
    """The file a photo came from: given as a path, or opened from one by PIL."""
    name = photo if isinstance(photo, (str, os.PathLike)) else getattr(photo, "filename", None)
    return Path(name) if name and isinstance(name, (str, os.PathLike)) else None


def _share_of(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Progress of one box as progress of the whole."""
    if progress is None:
        return None
    return lambda share: progress(start + (stop - start) * share)


def load(
    method: str | Method | None = None,
    *,
    config: object | None = None,
    weights: str | Path | None = None,
    device: str = "cpu",
    large: Large = "crop",
    context: float = 1.0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    batch_size: int = 1,
) -> Inpainter:
    """An inpainter for a method, by name or ready made; the default comes with its weights.

    method: None takes the one that the weights are for, or ``"hybrid"`` without weights.
    config: the method's config dataclass, such as ``PatchMatchConfig(patch_size=9)``.
    weights: a gatefill weights file, which holds the network's config too, or the name of weights
    that come with the package, such as ``"compact"``. None takes those for ``"hybrid"`` and
    ``"deepfill_v2"``; other networks, and one with a config of its own, get random weights, to be
    trained.
    device: where torch runs networks, such as ``"cuda"``.
    large, context, max_pixels: see `Inpainter`.
    batch_size: how many photos, filled by several threads at once, a network may take together,
    where what it sees of them has one size; attention is then not reported. Pays on a GPU.
    Raises ValueError for an unknown name, and for weights that are damaged, that are another
    method's or that the method does not take; MissingExtra (an ImportError) where packages of an
    extra are missing. Only ``"hybrid"`` without torch goes on as ``"patchmatch"``, which every
    result's warnings then say.
    """
    notes: list[Warning] = []
    if not isinstance(method, str | None):
        if config is not None or weights is not None:
            raise ValueError(
                "expected config and weights together with a method's name, "
                f"got them with a ready {method.info.name}"
            )
        found = method
    elif weights is not None:
        found = _with_weights(method, config, weights, device)
    elif (name := method or DEFAULT_METHOD) == "hybrid" and not installed("torch"):
        found, notes = steered_by(None, config), [WITHOUT_TORCH]
    elif (shipped := default_weights(name)) and (config is None or name == "hybrid"):
        for extra in info_of(name).needs:
            require(extra, name)
        found = _with_weights(name, config, shipped, device)
    else:
        found = create(name, config, device=device)
    if batch_size < 1:
        raise ConfigError(f"expected a batch size of 1 or more, got {batch_size}")
    if batch_size > 1 and found is not method and isinstance(found, SharesBatches):
        found.share_batches(batch_size)
    return Inpainter(found, large=large, context=context, max_pixels=max_pixels, notes=notes)


def default_weights(name: str) -> Path | None:
    """The weights that `load` takes for a method when it is given none; None where none ship."""
    shipped = info_of(name).shipped
    return None if shipped is None else shipped_weights(shipped)


def _with_weights(
    name: str | None, config: object | None, weights: str | Path, device: str
) -> Method:
    """The method in a weights file, once nothing that was asked for contradicts it."""
    if name is not None and not info_of(name).takes_weights:
        raise ValueError(f"expected no weights for {name}, which needs none, got {weights}")
    weights = find_weights(weights)
    if name == "hybrid":
        return steered_by(load_method(weights, device=device), config)
    if config is not None:
        raise ValueError("expected no config beside weights: the weights file holds it")
    method = load_method(weights, device=device)
    if name is not None and method.info.name != name:
        raise ValueError(f"expected weights of {name}, got {weights}, of {method.info.name}")
    return method
