"""`Inpainter`: reads a photo and its mask, fills the hole with one method, returns a `Result`."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Self, Unpack, overload

import numpy as np

from gatefill.canvas import Canvas
from gatefill.errors import ConfigError, Warning
from gatefill.extending import with_margins
from gatefill.geometry import Box
from gatefill.given import FillOptions, Given, ReadOptions, file_of, own_photo, pairs, read_given
from gatefill.images import DEFAULT_MAX_PIXELS, Photo, Source, is_source
from gatefill.images.mask_values import THRESHOLD
from gatefill.memory import bound, check_memory
from gatefill.methods.base import Fill, Method, Progress, Seeded
from gatefill.photo_attention import in_photo
from gatefill.regions import Region, regions
from gatefill.result import Result
from gatefill.scales import Chosen, Large, check_large, choose, fill_resized
from gatefill.settings import expect_whole, fits
from gatefill.soft_edge import widened
from gatefill.stopping import retold, share_of, stop_point

logger = logging.getLogger(__name__)

Photos = Iterable[Source | Photo]
Masks = Source | Iterable[Source | None] | None


class Inpainter:
    """Fills holes in photos with one method. Created by `load`.

    Any number of threads can use one inpainter at the same time, each with its own progress.
    """

    def __init__(
        self,
        method: Method,
        *,
        large: Large = "auto",
        context: float = 1.0,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        notes: Sequence[Warning] = (),
        memory_limit: int | None = None,
    ) -> None:
        """Create an inpainter for a loaded method.

        Args:
            method: One of gatefill's methods, or any object with the `info` and `fill` of `Method`.
            large: ``"crop"`` gives the method a box around each hole, so that time and memory
                depend on the size of the hole; ``"whole"`` gives it the whole photo; ``"resize"``
                gives it the same boxes as ``"crop"``, downscaled where a hole is larger than the
                holes of the method's training. ``"auto"`` is ``"crop"`` for methods without a
                network. For networks it is ``"resize"`` if a hole is larger than half of
                `MethodInfo.max_side`, ``"whole"`` if the photo is no larger than about that side,
                and ``"crop"`` otherwise. `Result.large` is the choice.
            context: Width of the margin around a hole with ``"crop"``, as a multiple of the side
                of a square with the area of the hole; at least 128 pixels, or 64 around small
                scattered holes.
            max_pixels: Files with more pixels are refused before they are decoded.
            notes: Warnings to put first in the warnings of every result.
            memory_limit: Bytes of memory that a fill may take, estimated from the sizes of photo
                and hole; fills that need more are refused before they start. None: no limit.

        Raises:
            ConfigError: If `large` is unknown, or if one of the numbers is out of its range.
        """
        check_large(large)
        if not fits(context, float) or context < 0:
            raise ConfigError(
                f"expected a context of 0 or more, got {context!r:.80}", code="config.context"
            )
        expect_whole(1, max_pixels=max_pixels)
        if memory_limit is not None:
            expect_whole(1, memory_limit=memory_limit)
        self.method = method
        self.large: Large = large
        self.context = context
        self.max_pixels = max_pixels
        self.notes = tuple(notes)
        self.memory_limit = memory_limit

    def __repr__(self) -> str:
        return f"<Inpainter {self.method.info.name} on {self.device}, {self.dtype}>"

    @property
    def device(self) -> str:
        """The device of the method, such as ``"cpu"`` or ``"cuda:0"``."""
        return str(getattr(self.method, "device", "cpu"))

    @property
    def dtype(self) -> str:
        """The number format of its computations, such as ``"float32"`` or ``"bfloat16"``."""
        return str(getattr(self.method, "dtype", "float32")).removeprefix("torch.")

    def to(self, device: str | None = None, dtype: str | None = None) -> Self:
        """Move the network to another device or number format; not while a fill is running.

        Args:
            device: Such as ``"cuda"``; None leaves it where it is.
            dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``; None leaves it as it is.

        Returns:
            This inpainter.

        Raises:
            ConfigError: If the device is not available, or if the method has no network and so
                always computes on the CPU in float32.
        """
        move: Callable[..., object] | None = getattr(self.method, "to", None)
        if move is not None:
            move(device, dtype)
        elif (device or "cpu", dtype or "float32") != ("cpu", "float32"):
            raise ConfigError(
                f"expected device 'cpu' and dtype 'float32' for {self.method.info.name}, "
                f"got {device or 'cpu'!r:.80} and {dtype or 'float32'!r:.80}",
                code="device.cpu_only",
                method=self.method.info.name,
            )
        return self

    def seeded(self, seed: int) -> Self:
        """The same inpainter with another random seed; weights are shared.

        Args:
            seed: 0 to 2**64 - 1. A method without a random seed stays as it is.

        Raises:
            ConfigError: If `seed` is out of range.
        """
        if not isinstance(self.method, Seeded):
            return self
        found = copy(self)
        found.method = self.method.seeded(seed)
        return found

    @overload  # a path and bytes are iterable, too, but stand for one photo
    def __call__(  # type: ignore[overload-overlap]
        self, photo: Source | Photo, mask: Source | None = None, **options: Unpack[FillOptions]
    ) -> Result: ...

    @overload
    def __call__(
        self, photo: Photos, mask: Masks = None, **options: Unpack[FillOptions]
    ) -> list[Result]: ...

    def __call__(
        self,
        photo: Source | Photo | Photos,
        mask: Masks = None,
        *,
        sketch: Source | None = None,
        search: Source | None = None,
        invert_mask: bool = False,
        grow: int = 0,
        feather: int = 0,
        resize_mask: bool = False,
        threshold: int = THRESHOLD,
        mask_as_stored: bool = False,
        allow_truncated: bool = False,
        progress: Progress | None = None,
    ) -> Result | list[Result]:
        """Fill the hole of one photo; all other pixels stay bit-identical.

        Possible mistakes in the mask are logged as warnings before the fill starts, and are in the
        warnings of the result.

        Args:
            photo: Path, bytes, PIL image, array ``HW``, ``HW3``, ``HW4`` (uint8, uint16, or float
                in [0, 1]) or torch tensor ``CHW``; or several of these: a list, or any other
                iterable. `map` gives their results one by one and keeps none.
            mask: The same types; white = hole. None: the transparent part of the photo is the
                hole. For several photos, one mask for all, or as many masks as photos.
            sketch: White = edge; the part inside the hole guides methods that accept a sketch.
            search: White = region to copy from, for methods that copy pixels.
            invert_mask: Black = hole instead.
            grow: Number of pixels by which the hole is dilated on all sides.
            feather: Width in pixels of a soft edge around the hole, where the fill blends into the
                photo: pixels change there, too, and `Result.mask` holds them. A width that would
                leave no known pixel gives no edge, and a warning.
            resize_mask: Stretch mask, sketch and search region to the photo's size if they differ.
            threshold: Mask pixels above this level are hole, 0 to 254.
            mask_as_stored: Mask, sketch and search region fit the photo as stored in its file;
                its EXIF orientation is applied to them as well.
            allow_truncated: Read what is left of truncated files.
            progress: Called with the completed fraction of the work, in [0, 1]. An exception that
                it raises stops this fill only. It may itself call the inpainter.

        Returns:
            The result; for several photos a list of results.

        Raises:
            GatefillError: If an input cannot be read or used.
            FileNotFoundError: If a file does not exist.
        """
        options = ReadOptions(
            sketch=sketch,
            search=search,
            invert_mask=invert_mask,
            grow=grow,
            feather=feather,
            resize_mask=resize_mask,
            threshold=threshold,
            mask_as_stored=mask_as_stored,
            allow_truncated=allow_truncated,
        )
        given: Any = photo
        if isinstance(photo, Iterable) and not is_source(photo):
            return list(self.map(given, mask, **options, progress=progress))
        single: Any = mask
        return self._fill_one(given, single, progress, options)

    def map(
        self,
        photos: Iterable[Source | Photo],
        masks: Source | Iterable[Source | None] | None = None,
        progress: Progress | None = None,
        **options: Unpack[ReadOptions],
    ) -> Iterator[Result]:
        """Fill photos one after the other; each is read while the previous one is filled.

        `gatefill.batch` uses all cores instead, and continues after errors.

        Args:
            photos: Photos of any type that `__call__` accepts; the iterable is consumed lazily.
            masks: One for each photo, or a single one for all, or None as in `__call__`.
            progress: Called with the completed fraction, in [0, 1]: of all photos if `photos` is a
                sequence, of each photo otherwise.
            **options: The other options of `__call__`.

        Yields:
            The results, in order; each is computed when it is requested.

        Raises:
            ConfigError: If the number of masks is not that of the photos.
            GatefillError, FileNotFoundError: As `__call__`, when the photo is reached.
        """
        if unknown := options.keys() - ReadOptions.__annotations__.keys():
            raise TypeError(f"map() got an unexpected keyword argument {min(unknown)!r}")
        count = len(photos) if isinstance(photos, Sequence) else None
        waiting = pairs(photos, masks)
        read = partial(self.read, allow_truncated=options.get("allow_truncated", False))
        ahead: deque[tuple[Future[Photo], Source | Photo, Source | None]] = deque()
        with ThreadPoolExecutor(1, "gatefill-reader") as reader:
            done = 0
            while True:
                for photo, mask in islice(waiting, 2 - len(ahead)):
                    ahead.append((reader.submit(read, photo), photo, mask))
                if not ahead:
                    return
                opened, photo, mask = ahead.popleft()
                report = progress
                if count is not None:
                    report = share_of(progress, done / count, (done + 1) / count)
                yield self._fill_one(photo, mask, report, options, opened.result())
                done += 1

    def extend(
        self,
        photo: Source | Photo,
        *,
        left: int = 0,
        top: int = 0,
        right: int = 0,
        bottom: int = 0,
        progress: Progress | None = None,
    ) -> Result:
        """Extend a photo beyond its edges; what was there stays bit-identical.

        Args:
            photo: As for `__call__`; transparent parts stay so.
            left: Pixels to add on that side of the upright photo; likewise on the others.
            top: See `left`.
            right: See `left`.
            bottom: See `left`.
            progress: As for `__call__`.

        Returns:
            The result, with the larger photo; its mask is the margins.

        Raises:
            GatefillError: If the photo cannot be read, or a margin cannot be used.
        """
        margins = {"left": left, "top": top, "right": right, "bottom": bottom}
        larger, hole = with_margins(self.read(photo), **margins, max_pixels=self.max_pixels)
        result = self(larger.replaced(larger.pixels, opaque=hole), hole, progress=progress)
        return replace(result, source=file_of(photo))

    def read(self, photo: Source | Photo, *, allow_truncated: bool = False) -> Photo:
        """Read a photo as `__call__` does; the result can be passed to `__call__` later.

        Args:
            photo: As for `__call__`; a `Photo` is returned as it is.
            allow_truncated: Accept what can be read of a file that is cut off.

        Returns:
            The photo, upright, with at most `max_pixels` pixels.

        Raises:
            ImageError, FileNotFoundError: If it cannot be read.
        """
        return own_photo(photo, self.max_pixels, allow_truncated=allow_truncated)

    def _fill_one(
        self,
        photo: Source | Photo,
        mask: Source | None,
        progress: Progress | None,
        options: ReadOptions,
        opened: Photo | None = None,
    ) -> Result:
        """Fill one photo. opened: the photo, if it has been read already."""
        with retold(progress) as told:
            return self._filled(photo, mask, told, options, opened)

    def _filled(
        self,
        photo: Source | Photo,
        mask: Source | None,
        progress: Progress | None,
        options: ReadOptions,
        opened: Photo | None,
    ) -> Result:
        started = time.perf_counter()
        truncated, feather = options.get("allow_truncated", False), options.get("feather", 0)
        expect_whole(0, feather=feather)
        opened = opened or self.read(photo, allow_truncated=truncated)
        upright = isinstance(photo, Photo)
        given = read_given(self.method.info, opened, mask, options, self.max_pixels, upright)
        wide, no_room = widened(given.mask, feather)
        hole, given = given.mask, replace(given, mask=wide)
        warnings = (*self.notes, *given.warnings, *no_room)
        for warning in warnings:
            logger.warning(warning)
        large = choose(self.large, self.method.info, given.mask)
        parts = self._regions(given, large)
        areas = [np.count_nonzero(part.own(given.mask)) for part in parts]
        stop_point()
        check_memory(self.method, given.photo, given.mask, parts, large, self.memory_limit)
        canvas = Canvas(given.photo, given.mask, given.hidden)
        done = np.concatenate([[0.0], np.cumsum(areas) / max(sum(areas), 1)])
        for number, part in enumerate(parts):
            report = share_of(progress, float(done[number]), float(done[number + 1]))
            canvas.put(part, self._fill_region(given, canvas, part, large, report))
        if progress is not None:
            progress(1.0)
        canvas.soften(hole, 0 if no_room else feather)
        photo_of = given.photo.replaced
        return Result(
            photo=photo_of(canvas.pixels, opaque=given.opaque),
            mask=given.mask,
            coarse=None if canvas.coarse is None else photo_of(canvas.coarse, opaque=given.opaque),
            attention=in_photo(canvas.attention, given.photo, given.mask),
            method=self.method.info.name,
            seconds=time.perf_counter() - started,
            warnings=warnings,
            source=file_of(photo),
            large=large,
        )

    def memory(self, pixels: int, depth: int = 1) -> int:
        """Return the bytes that a fill takes at most; depth: bytes per channel, 1 or 2."""
        return bound(self.method, self.large, pixels, depth)

    def _regions(self, given: Given, large: Chosen) -> list[Region]:
        if not given.mask.any():
            return []
        if large == "whole":
            return [Region(Box(0, 0, *given.mask.shape))]
        return regions(given.mask, self.context, given.search, given.hidden)

    def _fill_region(
        self,
        given: Given,
        canvas: Canvas,
        region: Region,
        large: Chosen,
        progress: Progress | None,
    ) -> Fill:
        image, mask = canvas.seen_from(region)
        stop_point()
        within = region.box.slices
        sketch = None if given.sketch is None else given.sketch[within]
        search = None if given.search is None else given.search[within]
        if region.numbers is not None and self.method.info.takes_search:
            search = ~given.unknown[within]  # nothing is copied from earlier fills
        if large == "resize":
            return fill_resized(self.method, image, mask, sketch, progress, search)
        return self.method.fill(image, mask, sketch, progress, search=search)
