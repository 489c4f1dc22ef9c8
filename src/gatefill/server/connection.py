"""uvicorn's HTTP/1.1 connection with time limits.

uvicorn waits without limit for the headers of a request, and for clients that do not read; a few
hundred such connections would block a server.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ABORT = "gatefill_abort"
"""Where a request's ``scope["state"]`` has the function that drops its connection."""


def patient_protocol(header_seconds: float) -> type[H11Protocol]:
    """The protocol class for uvicorn's `http` with a time limit for the headers of a request.

    The time counts from the start of the connection or from the last response, so idle connections
    are closed as well.
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
            """Run the timer only while no request is being served."""
            if self.cycle is not None and not self.cycle.response_complete:
                self._forget()
            elif self._deadline is None and not self.transport.is_closing():
                self._deadline = self.loop.call_later(header_seconds, self.transport.abort)

        def _forget(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return PatientProtocol
