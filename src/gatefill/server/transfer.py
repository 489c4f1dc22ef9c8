"""Middleware for parts of HTTP: requests for headers only, and compressed bodies."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatefill.server.errors import Refused

_CHUNK = 256 << 10  # decompressed bytes at a time, so that limits hold before memory is taken
_GZIP = 16 + zlib.MAX_WBITS


class Head:
    """Answers HEAD like GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, without_body)


class Inflated:
    """Decompresses gzip bodies, to which limits then apply; refuses other encodings."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoding = "identity"
        if scope["type"] == "http":
            encoding = Headers(scope=scope).get("content-encoding", "identity").strip().lower()
        if encoding == "identity":
            await self.app(scope, receive, send)
            return
        if encoding not in ("gzip", "x-gzip"):
            raise Refused(
                415,
                "unsupported media type",
                f"expected a body in gzip or without Content-Encoding, got {encoding[:40]!r}",
            )
        scope = {**scope, "headers": list(scope["headers"])}
        headers = MutableHeaders(scope=scope)
        del headers["content-encoding"]
        del headers["content-length"]
        await self.app(scope, _Inflating(receive), send)


class _Inflating:
    """A `receive` that decompresses the body in small parts."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.member = zlib.decompressobj(_GZIP)
        self.inside = False  # whether a member of the file has not ended
        self.compressed: deque[bytes] = deque()
        self.arrived = False  # whether the whole body has arrived
        self.told = False

    async def __call__(self) -> Message:
        if self.told:  # the only message left is the disconnection
            return await self.receive()
        if not self.compressed and not self.arrived:
            message = await self.receive()
            if message["type"] != "http.request":
                return message
            if message.get("body"):
                self.compressed.append(message["body"])
            self.arrived = not message.get("more_body", False)
        await asyncio.sleep(0)  # inflating a large body must not block other requests
        body = self._next()
        self.told = self.arrived and not self.compressed
        if self.told and self.inside:
            raise Refused(400, "bad request", "the gzip body ends before its end")
        return {"type": "http.request", "body": body, "more_body": not self.told}

    def _next(self) -> bytes:
        if not self.compressed:
            return b""
        try:
            body = self.member.decompress(self.compressed.popleft(), _CHUNK)
        except zlib.error:
            raise Refused(400, "bad request", "expected a body in gzip, got other data") from None
        self.inside = not self.member.eof
        rest = self.member.unconsumed_tail or self.member.unused_data
        if self.member.eof:
            self.member = zlib.decompressobj(_GZIP)
        if rest:
            self.compressed.appendleft(rest)
        elif len(body) == _CHUNK and self.inside:
            self.compressed.appendleft(b"")  # the decompressor may hold more data
        return body
