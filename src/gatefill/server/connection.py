"""A variant of uvicorn's HTTP/1.1 connection with limits for clients that keep it waiting.

uvicorn waits without limit for the headers of a request, and for clients that do not read; some
hundred such connections would block all other clients.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ABORT = "gatefill_abort"
"""Key in a request's ``scope["state"]`` for the function that drops its connection."""


def patient_protocol(header_seconds: float, send_seconds: float, most: int) -> type[H11Protocol]:
    """Return a protocol class for uvicorn's `http` with additional limits.

    The headers of a request must arrive within `header_seconds`, counted from the start of the
    connection or from the last response, so that idle connections are closed as well; a client that
    is still reading a response has `send_seconds` for each part of it. If `most` connections are
    open, a new one replaces the one that has kept the server waiting longest; uvicorn's own limit
    would refuse all new ones. If none keeps it waiting, twice as many may be open.
    """
    connections: set[PatientProtocol] = set()

    def make_room(new: PatientProtocol) -> None:
        if len(connections) < most:
            return
        waited_for = [each for each in connections if each.is_waited_for]
        if waited_for:
            min(waited_for, key=lambda each: each.since).drop()
        elif len(connections) >= 2 * most:
            new.drop()

    class PatientProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _unsent = 0  # bytes of the last response, when the deadline was set
        since = 0.0  # when it was opened or its last response was complete

        @property
        def is_waited_for(self) -> bool:
            """Return whether the server waits for the client to send or to read."""
            cycle = self.cycle
            return cycle is None or cycle.response_complete or cycle.more_body or (
                self.flow.write_paused
            )  # fmt: skip

        def drop(self) -> None:
            connections.discard(self)
            self.transport.abort()

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.app_state = {**self.app_state, ABORT: transport.abort}
            self.since = self.loop.time()
            make_room(self)
            if not transport.is_closing():
                connections.add(self)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self.since = self.loop.time()
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            connections.discard(self)
            super().connection_lost(exc)

        def _watch(self) -> None:
            """Run the timer only while no request is being served."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._forget()
            elif self._deadline is None and not self.transport.is_closing():
                self._unsent = self.transport.get_write_buffer_size()
                seconds = send_seconds if self._unsent else header_seconds
                self._deadline = self.loop.call_later(seconds, self._late)

        def _late(self) -> None:
            self._deadline = None
            if self.transport.get_write_buffer_size() < self._unsent:
                self._watch()  # the client reads, but slowly
            else:
                self.transport.abort()

        def _forget(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return PatientProtocol
