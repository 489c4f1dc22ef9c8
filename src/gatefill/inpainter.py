"""A method, the strategy for large photos, and images in and out, behind one call."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, Self, Unpack, get_args, overload

import numpy as np

from gatefill.canvas import Canvas
from gatefill.errors import ConfigError, Warning
from gatefill.geometry import Box
from gatefill.given import FillOptions, Given, ReadOptions, file_of, own_photo, pairs, read_given
from gatefill.images import DEFAULT_MAX_PIXELS, MaskOptions, Photo, Source
from gatefill.images.mask_values import THRESHOLD
from gatefill.methods.base import Fill, Method, Progress
from gatefill.photo_attention import in_photo
from gatefill.regions import Region, regions
from gatefill.result import Result
from gatefill.scales import Chosen, Large, choose, fill_resized

logger = logging.getLogger(__name__)

Photos = list[Source | Photo] | tuple[Source | Photo, ...]
Masks = Source | Sequence[Source | None] | None


class Inpainter:
    """Fills holes in photos with one method. `load` makes it.

    One inpainter serves any number of threads at once, each with its own progress.
    """

    def __init__(
        self,
        method: Method,
        *,
        large: Large = "auto",
        context: float = 1.0,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        notes: Sequence[Warning] = (),
    ) -> None:
        """Take a method that is ready to fill.

        Args:
            method: One of gatefill's, or any object with `info` and `fill` as `Method` has them.
            large: ``"crop"`` looks at a box around each hole, so that time and memory follow the
                hole; ``"whole"`` gives the method the whole photo; ``"resize"`` shows it those
                boxes at the scale it was trained at, for holes larger than that knew. ``"auto"``
                takes crop for methods without a network, and for networks resize where a hole is
                larger than half of `MethodInfo.max_side`, whole where the photo is no larger than
                about that side, and else crop. The result says which it was.
            context: Width of the margin around a hole with ``"crop"``, as a multiple of the side
                of a square of the hole's area; never below 128 pixels, or 64 around scattered
                specks.
            max_pixels: Larger files are refused before they are decoded.
            notes: What stands first in every result's warnings.

        Raises:
            ConfigError: For a `large` or `context` that does not exist.
        """
        if large not in get_args(Large):
            raise ConfigError(
                f"expected large as one of {', '.join(get_args(Large))}, got {large!r}",
                code="config.large",
            )
        if not 0 <= context < float("inf"):
            raise ConfigError(
                f"expected a context of 0 or more, got {context}", code="config.context"
            )
        self.method = method
        self.large: Large = large
        self.context = context
        self.max_pixels = max_pixels
        self.notes = tuple(notes)

    def __repr__(self) -> str:
        return f"<Inpainter {self.method.info.name} on {self.device}, {self.dtype}>"

    @property
    def device(self) -> str:
        """Where the method computes, such as ``"cpu"`` or ``"cuda:0"``."""
        return str(getattr(self.method, "device", "cpu"))

    @property
    def dtype(self) -> str:
        """The number format it computes in, such as ``"float32"`` or ``"bfloat16"``."""
        return str(getattr(self.method, "dtype", "float32")).removeprefix("torch.")

    def to(self, device: str | None = None, dtype: str | None = None) -> Self:
        """Move the network to another device or number format; not while a fill is running.

        Args:
            device: Such as ``"cuda"``; None leaves it where it is.
            dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``; None leaves it as it is.

        Returns:
            This inpainter.

        Raises:
            ConfigError: For a device that is not there, and for a method without a network, which
                computes on the CPU in float32.
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

    @overload
    def __call__(
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
        resize_mask: bool = False,
        threshold: int = THRESHOLD,
        mask_as_stored: bool = False,
        allow_truncated: bool = False,
        progress: Progress | None = None,
    ) -> Result | list[Result]:
        """Fill the hole of one photo; every other pixel comes back bit-identical.

        What looks wrong with the mask is logged as a warning before the work begins, and stands in
        the result.

        Args:
            photo: Path, bytes, PIL image, array ``HW``, ``HW3``, ``HW4`` (uint8, uint16, or float
                in [0, 1]) or torch tensor ``CHW``. Of a list of them each is filled.
            mask: The same kinds; white = hole. None takes the transparent part of the photo. For a
                list of photos, one for all, or a list of as many.
            sketch: White = edge, of which the part inside the hole guides methods that take one.
            search: White = where material may be taken from, for methods that copy.
            invert_mask: Black = hole instead.
            grow: Pixels by which the hole is widened on all sides.
            resize_mask: Stretch mask, sketch and search region of another size to the photo's.
            threshold: Of 255; what is brighter in the mask is the hole.
            mask_as_stored: Mask, sketch and search region were made for the photo's file as it is
                stored, and are turned upright with it, as its EXIF data says.
            allow_truncated: Take what there is of files that are cut off.
            progress: Called with the share of the work done, in [0, 1]. What it raises stops this
                fill and no other. It may itself fill.

        Returns:
            The result; for a list of photos a list of results.

        Raises:
            GatefillError: For what cannot be read or used.
            FileNotFoundError: Where there is no such file.
        """
        options = ReadOptions(
            sketch=sketch,
            search=search,
            invert_mask=invert_mask,
            grow=grow,
            resize_mask=resize_mask,
            threshold=threshold,
            mask_as_stored=mask_as_stored,
            allow_truncated=allow_truncated,
        )
        if isinstance(photo, (list, tuple)):
            return list(self.map(photo, mask, **options, progress=progress))
        single: Any = mask
        return self._fill_one(photo, single, progress, options)

    def map(
        self,
        photos: Iterable[Source | Photo],
        masks: Source | Iterable[Source | None] | None = None,
        progress: Progress | None = None,
        **options: Unpack[ReadOptions],
    ) -> Iterator[Result]:
        """Fill photos one after the other, and read the next one while one is filled.

        `gatefill.batch` does so with all cores, and with failures as data.

        Args:
            photos: Of any kind that the call takes; they are asked for one by one.
            masks: One for each photo, or a single one for all, or None as for the call.
            progress: Called with the share of all photos that is done where their number is known,
                as a list's is, and else with that of each.
            **options: The others of the call.

        Yields:
            The results, in order. They are made when they are asked for.

        Raises:
            ConfigError: Where there are fewer masks than photos, or more.
            GatefillError, FileNotFoundError: As the call does, at that photo's turn.
        """
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
                    report = _share_of(progress, done / count, (done + 1) / count)
                yield self._fill_one(photo, mask, report, options, opened.result())
                done += 1

    def read(self, photo: Source | Photo, *, allow_truncated: bool = False) -> Photo:
        """A photo as the call reads it: it may be read ahead, and then be given to the call.

        Raises:
            ImageError, FileNotFoundError: For what cannot be read.
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
        """Fill one photo, which may be opened already."""
        started = time.perf_counter()
        truncated = options.get("allow_truncated", False)
        masks = MaskOptions(
            invert=options.get("invert_mask", False),
            grow=options.get("grow", 0),
            resize=options.get("resize_mask", False),
            threshold=options.get("threshold", THRESHOLD),
            as_stored=options.get("mask_as_stored", False),
            allow_truncated=truncated,
            max_pixels=self.max_pixels,
            seen_upright=isinstance(photo, Photo),
        )
        given = read_given(
            self.method.info,
            self.read(photo, allow_truncated=truncated) if opened is None else opened,
            mask,
            masks,
            sketch=options.get("sketch"),
            search=options.get("search"),
        )
        warnings = (*self.notes, *given.warnings)
        for warning in warnings:
            logger.warning(warning)
        canvas = Canvas(given.photo, given.mask, given.hidden)
        large = choose(self.large, self.method.info, given.mask)
        parts = self._regions(given, large)
        areas = [np.count_nonzero(part.own(given.mask)) for part in parts]
        done = np.concatenate([[0.0], np.cumsum(areas) / max(sum(areas), 1)])
        for number, part in enumerate(parts):
            report = _share_of(progress, float(done[number]), float(done[number + 1]))
            canvas.put(part, self._fill_region(given, canvas, part, large, report))
        if progress is not None:
            progress(1.0)
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
        within = region.box.slices
        sketch = None if given.sketch is None else given.sketch[within]
        search = None if given.search is None else given.search[within]
        if region.numbers is not None and self.method.info.takes_search:
            search = ~given.unknown[within]  # what was filled before is no material
        if large == "resize":
            return fill_resized(self.method, image, mask, sketch, progress, search)
        return self.method.fill(image, mask, sketch, progress, search=search)


def _share_of(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Progress of one part as progress of the whole."""
    if progress is None:
        return None
    return lambda share: progress(start + (stop - start) * share)
