"""Metrics of a server for Prometheus."""

from __future__ import annotations

import logging
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatefill.server.jobs import Jobs

logger = logging.getLogger(__name__)

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The metrics of one server, in their own registry."""

    def __init__(self, jobs: Jobs) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "gatefill_requests", "Requests answered", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "gatefill_request_seconds",
            "Seconds from a request's first byte to its reply's last",
            ["route"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.fill_seconds = Histogram(
            "gatefill_fill_seconds",
            "Seconds in which photos were filled",
            ["model"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.pixels = Counter(
            "gatefill_pixels", "Pixels of the photos filled", ["model"], registry=registry
        )
        for name, text, count in (
            ("gatefill_queue_length", "Jobs that wait", lambda: jobs.waiting),
            ("gatefill_jobs_running", "Jobs that run", lambda: jobs.running),
            ("gatefill_memory_planned_bytes", "Memory that jobs may take", lambda: jobs.memory),
        ):
            Gauge(name, text, registry=registry).set_function(count)

    def filled(self, model: str, pixels: int, seconds: float) -> None:
        """Count a filled photo."""
        self.pixels.labels(model).inc(pixels)
        self.fill_seconds.labels(model).observe(seconds)

    def page(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


class Counted:
    """ASGI middleware that counts and logs requests by route, status and time."""

    def __init__(self, app: ASGIApp, metrics: Metrics, access_log: bool) -> None:
        self.app = app
        self.access_log = access_log
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, complete = time.perf_counter(), 0, False

        async def noting(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body")

        try:
            await self.app(scope, receive, noting)
        finally:
            # Names of routes, not paths, so that clients cannot create new labels.
            route = getattr(scope.get("route"), "path", "other")
            # 499, as in nginx: the client disconnected before or during the response.
            status = status if complete else 499
            self.metrics.requests.labels(route, str(status)).inc()
            seconds = time.perf_counter() - started
            self.metrics.seconds.labels(route).observe(seconds)
            if self.access_log or status == 499:
                line = "%s %s %d %.0f ms"
                logger.info(line, scope["method"], route, status, seconds * 1000)
