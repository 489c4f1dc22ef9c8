"""Background jobs: start one, ask for its state, fetch its result.

Results are kept in memory until they are fetched and deleted, for some minutes at most.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from gatefill.server.api import fill_job
from gatefill.server.errors import Refused, Told, described
from gatefill.server.jobs import QueuedJob
from gatefill.server.openapi import COMMON, IMAGE_REPLY, INPAINT_BODY, JOB_EVENTS_REPLY, errors
from gatefill.server.reading import read_inpaint
from gatefill.server.schema import Error, JobState
from gatefill.server.service import Service

_KEPT = 600.0  # seconds for which a result is kept
_TICK = 0.1  # minimum seconds between two events
_HEARTBEAT = 15.0  # seconds after which an idle stream sends a comment for proxies


@dataclass(eq=False)
class _Background:
    """A job and its outcome."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    share: float = 0.0
    job: QueuedJob[Response] | None = None
    outcome: Response | Told | None = None
    canceled: bool = False
    ended: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Wake those who wait for a change of state."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    @property
    def kind(self) -> Literal["waiting", "working", "done", "failed", "canceled"]:
        if self.canceled:
            return "canceled"
        if self.outcome is not None:
            return "failed" if isinstance(self.outcome, Told) else "done"
        return "waiting" if self.job is None or self.job.waiting else "working"

    def state(self) -> JobState:
        error = Error(**self.outcome.as_dict()) if isinstance(self.outcome, Told) else None
        share = 1.0 if self.kind == "done" else round(self.share, 3)
        return JobState(id=self.id, state=self.kind, share=share, error=error)


class BackgroundJobs:
    """All background jobs of a server."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._jobs: dict[str, _Background] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, request: Request) -> _Background:
        """Queue a fill. Raises the same errors as the route that waits for the result."""
        made, loop, told = _Background(), asyncio.get_running_loop(), 0.0

        def report(share: float) -> None:
            nonlocal told
            if time.monotonic() - told >= _TICK:
                told = time.monotonic()
                made.share = share
                loop.call_soon_threadsafe(made.tell)

        made.job = await fill_job(self.service, await read_inpaint(request), report)
        self._jobs[made.id] = made
        task = asyncio.create_task(self._follow(made, made.job))
        self._tasks.add(task)  # asyncio itself keeps weak references only
        task.add_done_callback(self._tasks.discard)
        return made

    async def _follow(self, made: _Background, job: QueuedJob[Response]) -> None:
        try:
            made.outcome = await job.result()
        except Exception as error:
            made.outcome = described(error)
        made.ended, made.job = time.monotonic(), None
        made.tell()
        self._tidy()

    def _tidy(self) -> None:
        """Delete results that are too old, and the oldest ones if they take too much memory."""
        ended = [each for each in self._jobs.values() if each.outcome is not None]
        taken = sum(len(each.outcome.body) for each in ended if isinstance(each.outcome, Response))
        for each in sorted(ended, key=lambda each: each.ended):
            old = time.monotonic() - each.ended > _KEPT
            if not old and taken <= self.service.limits.bytes_in_flight:
                return
            taken -= len(each.outcome.body) if isinstance(each.outcome, Response) else 0
            del self._jobs[each.id]

    def get(self, id: str) -> _Background:
        """Return a job by its ID. Raises Refused."""
        self._tidy()
        if id not in self._jobs:
            raise Refused(404, "not found", "there is no such job, or its result is gone")
        return self._jobs[id]

    def delete(self, id: str) -> None:
        """Cancel a job, or delete its result."""
        job = self.get(id)
        del self._jobs[id]
        if job.job is not None:
            job.canceled = True
            job.job.cancel()
            job.tell()


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the routes that use `service`."""
    jobs = BackgroundJobs(service)

    @router.post(
        "/jobs",
        tags=["jobs"],
        summary="Fill a hole in the background",
        status_code=202,
        responses=COMMON | errors(400, 404, 415, 422, 503),
        openapi_extra=INPAINT_BODY,
    )
    async def begin(request: Request, response: Response) -> JobState:
        """The same request as for /api/v1/inpaint; the response is immediate.

        The header Location is the address of the job.
        """
        made = await jobs.begin(request)
        response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{made.id}"
        return made.state()

    @router.get(
        "/jobs/{id}", tags=["jobs"], summary="The state of a job", responses=COMMON | errors(404)
    )
    async def state(id: str) -> JobState:
        return jobs.get(id).state()

    @router.get(
        "/jobs/{id}/result",
        tags=["jobs"],
        summary="The filled photo",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(400, 404, 409, 503, 504),
    )
    async def result(id: str) -> Response:
        """The response of /api/v1/inpaint, including errors; 409 while the job waits or runs."""
        job = jobs.get(id)
        if job.outcome is None:
            raise Refused(
                409, "not ready", "the job has not ended: ask for its state or its events"
            )
        if isinstance(job.outcome, Told):
            return Response(
                json.dumps(job.outcome.as_dict()), job.outcome.status, media_type="application/json"
            )
        return job.outcome

    @router.get(
        "/jobs/{id}/events",
        tags=["jobs"],
        summary="The progress of a job as server-sent events",
        response_class=StreamingResponse,
        responses={200: JOB_EVENTS_REPLY} | COMMON | errors(404),
    )
    async def events(id: str) -> StreamingResponse:
        """An event for each change of the state; the stream ends with the job."""
        return StreamingResponse(_events(jobs.get(id)), media_type="text/event-stream")

    @router.delete(
        "/jobs/{id}",
        tags=["jobs"],
        summary="Cancel a job, or delete its result",
        status_code=204,
        response_model=None,  # for FastAPI 0.115 "-> None" is a body, which 204 must not have
        responses=COMMON | errors(404),
    )
    async def delete(id: str) -> None:
        jobs.delete(id)


async def _events(job: _Background) -> AsyncIterator[bytes]:
    while True:
        changed, state = job.changed, job.state()
        data: Any = state.model_dump()
        yield f"event: {state.state}\ndata: {json.dumps(data)}\n\n".encode()
        if state.state not in ("waiting", "working"):
            return
        while not changed.is_set():
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    await changed.wait()
            except TimeoutError:
                yield b": still there\n\n"
