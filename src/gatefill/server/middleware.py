"""Middleware of all routes: errors, size limits, time limits, and security headers."""

from __future__ import annotations

import asyncio
import logging

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatefill.server.connection import ABORT
from gatefill.server.errors import Refused, reply
from gatefill.server.jobs import Stopped
from gatefill.server.limits import Limits

logger = logging.getLogger(__name__)

_CHUNK = 256 << 10  # bytes of a response per send, so that slow readers are noticed

# Everything is loaded from this server; blobs and data URIs are images made by the page itself.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with that, forms send the origin "null", which no server can check.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class SafeHeaders:
    """Adds security headers to every response, and disables caching unless a route allows it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


class Prefix:
    """Puts the root path before paths that a proxy has stripped of it, so that all have it."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path == self.root_path:
                path += "/"  # without it, the page's addresses would be those beside it
                await RedirectResponse(path)(scope, receive, send)
                return
            if not path.startswith(self.root_path + "/"):
                path = self.root_path + path
            scope = {**scope, "path": path, "root_path": self.root_path}
        await self.app(scope, receive, send)


class Errors:
    """Whatever is raised becomes a reply without internals; once a reply has begun, it ends."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http":
                raise
            if not started:
                await reply(error)(scope, receive, send)
            elif ABORT in scope.get("state", {}):
                logger.info("a connection is dropped: %s", error)
                scope["state"][ABORT]()
            else:
                raise


class BodyLimit:
    """Limits the size of a request, and the total size of all requests at a time."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        # Checked before the body is sent, if its length is declared; counted below otherwise.
        if length.isascii() and length.isdigit():
            self._check(int(length), int(length))
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            size = len(message.get("body", b""))
            taken += size
            self.in_flight += size
            self._check(taken, 0)
            return message

        try:
            await self.app(scope, counted, send)
        finally:
            self.in_flight -= taken

    def _check(self, size: int, more: int) -> None:
        if size > self.limits.max_bytes:
            raise Refused(
                413,
                "too large",
                f"expected a request of at most {self.limits.max_bytes:,} bytes, got more",
                megabytes=self.limits.max_bytes >> 20,
            )
        if self.in_flight + more > self.limits.bytes_in_flight:
            raise Refused(503, "busy", "too many uploads at a time: try again in a moment")


class Uploads:
    """The bodies that are arriving, which a server that stops does not wait for."""

    def __init__(self) -> None:
        self.ended = False
        self._waits: set[asyncio.Timeout] = set()

    def end(self) -> None:
        """Let no body arrive any more."""
        self.ended = True
        for each in self._waits:
            each.reschedule(0.0)

    async def receive(self, receive: Receive, end: float) -> Message:
        """The next message of a body. Raises TimeoutError at `end`, and once they are ended."""
        async with asyncio.timeout_at(0.0 if self.ended else end) as wait:
            self._waits.add(wait)
            try:
                return await receive()
            finally:
                self._waits.discard(wait)


class Deadlines:
    """Limits the time for receiving a body and for sending a response."""

    def __init__(self, app: ASGIApp, limits: Limits, uploads: Uploads) -> None:
        self.app = app
        self.limits = limits
        self.uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        end = asyncio.get_running_loop().time() + self.limits.upload_seconds
        complete = False

        async def in_time() -> Message:
            nonlocal complete
            if complete:  # from here on, receive only tells whether the client is still connected
                return await receive()
            try:
                message = await self.uploads.receive(receive, end)
            except TimeoutError:
                if self.uploads.ended:
                    raise Stopped from None
                raise Refused(
                    408, "too slow", f"the request took over {self.limits.upload_seconds:g} s"
                ) from None
            complete = not message.get("more_body", False)
            return message

        async def in_parts(message: Message) -> None:
            body, more = message.get("body", b""), message.get("more_body", False)
            if len(body) <= _CHUNK:
                await self._send(send, message)
                return
            view = memoryview(body)
            for start in range(0, len(view), _CHUNK):
                last = start + _CHUNK >= len(view)
                part = bytes(view[start : start + _CHUNK])
                await self._send(
                    send,
                    {"type": message["type"], "body": part, "more_body": more or not last},
                )

        await self.app(scope, in_time, in_parts)

    async def _send(self, send: Send, message: Message) -> None:
        try:
            async with asyncio.timeout(self.limits.send_seconds):
                await send(message)
        except TimeoutError:
            raise Refused(408, "too slow", "the client takes no more of the reply") from None
