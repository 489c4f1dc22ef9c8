"""The shared state of the routes of one server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from starlette.requests import Request

from gatefill.server.jobs import Jobs, Left, Ticket, answer
from gatefill.server.limits import Limits
from gatefill.server.metrics import Metrics
from gatefill.server.models import Model, Shelf

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """A photo given on the command line, opened by the page."""

    name: str
    data: bytes


@dataclass
class Service:
    """Models, workers, limits and counters."""

    shelf: Shelf
    limits: Limits
    opened: Opened | None = None
    jobs: Jobs = field(init=False)
    metrics: Metrics = field(init=False)
    warm: bool = False

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.limits)
        self.metrics = Metrics(self.jobs)

    async def run(self, request: Request, work: Callable[[Ticket], T]) -> T:
        """Run `work` in a worker. Raises Left if the client disconnects meanwhile."""
        result = await answer(self.jobs.submit(work), request.receive)
        if result is None:
            raise Left
        return result

    async def warm_up(self) -> None:
        """Fill a small image with every model, in a worker; then the server is ready."""
        for model in self.shelf.all():
            try:
                await self.jobs.submit(partial(_warm_up, model), measured=False).result()
            except Exception:
                logger.exception("%s cannot fill and will fail when it is asked to", model.name)
        self.warm = True


def _warm_up(model: Model, _: Ticket) -> None:
    model.warm_up()
