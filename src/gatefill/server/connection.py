"""uvicorn's HTTP/1.1 connection with patience that ends.

uvicorn waits for ever for a request's head, and for a client that reads nothing; with a few
hundred such connections a server is full.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ABORT = "gatefill_abort"
"""Where a request's ``scope["state"]`` has the function that drops its connection."""


def patient_protocol(header_seconds: float) -> type[H11Protocol]:
    """The protocol class for uvicorn's `http`: a request's head has to arrive in so many seconds.

    They count from the connection's start or the last reply, so that clients which keep a
    connection open without a use lose it, too.
    """

    class PatientProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.app_state = {**self.app_state, ABORT: transport.abort}
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def _watch(self) -> None:
            """The clock runs exactly while no request is being served."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._forget()
            elif self._deadline is None and not self.transport.is_closing():
                self._deadline = self.loop.call_later(header_seconds, self.transport.abort)

        def _forget(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return PatientProtocol
