"""The shared state of the routes of one server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from starlette.requests import Request

from gatefill.errors import GatefillError
from gatefill.images import apart, most_depth, size_of
from gatefill.memory import check_sizes, planned
from gatefill.server.jobs import Jobs, Left, Need, QueuedJob, Ticket, answer
from gatefill.server.limits import Limits
from gatefill.server.metrics import Metrics
from gatefill.server.models import Model, Shelf

logger = logging.getLogger(__name__)

_LARGE = 4_000_000  # pixels of photos that may take many seconds

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """A photo given on the command line, opened by the page."""

    name: str
    data: bytes


@dataclass
class Service:
    """The models, workers, limits and counters of a server."""

    shelf: Shelf
    limits: Limits
    opened: Opened | None = None
    jobs: Jobs = field(init=False)
    metrics: Metrics = field(init=False)
    warm: bool = False

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.limits)
        self.metrics = Metrics(self.jobs)

    async def need(self, photo: bytes, model: Model | None = None, least: int = 0) -> Need:
        """Estimate the resources of a job for a photo's file.

        photo: The file. model: The model, if the photo is to be filled. least: Smallest number of
            pixels to
        assume, such as those of the extended photo.

        Raises ImageError if there would never be enough memory.
        """
        return await asyncio.to_thread(planned_need, photo, model, self.limits, least)

    async def run(self, request: Request, work: Callable[[Ticket], T], need: Need) -> T:
        """Run `work` in a worker. Raises Left if the client disconnects meanwhile."""
        return await self.answer(request, self.jobs.submit(work, need=need))

    async def answer(self, request: Request, job: QueuedJob[T]) -> T:
        """Return the result of a job. Raises Left if the client disconnects meanwhile."""
        result = await answer(job, request.receive)
        if result is None:
            raise Left
        return result

    async def warm_up(self) -> None:
        """Fill a small image with every model, in a worker; afterwards the server is ready."""
        apart.warm_up()
        for model in self.shelf.all():
            try:
                await self.jobs.submit(partial(_warm_up, model), measured=False).result()
            except Exception:
                logger.exception("%s cannot fill and will fail when it is asked to", model.name)
        self.warm = True


def planned_need(photo: bytes, model: Model | None, limits: Limits, least: int = 0) -> Need:
    """Estimate the resources of a job for a photo's file, from the file's header."""
    try:
        width, height = size_of(photo)
        pixels, depth = max(width * height, least), most_depth(photo)
    except GatefillError:
        return Need()  # the job reports the error
    if pixels > limits.max_pixels:
        return Need()
    check_sizes(None, (width, height), [], depth, limits.memory_for_jobs)
    memory = planned(None, pixels, [], depth)
    if model is not None:
        memory = min(model.inpainter.memory(pixels, depth), limits.memory_for_jobs)
    return Need(memory, large=pixels >= _LARGE)


def _warm_up(model: Model, _: Ticket) -> None:
    model.warm_up()
