"""Runs an application on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from gatefill.errors import ConfigError
from gatefill.server.connection import patient_protocol
from gatefill.server.limits import Limits

logger = logging.getLogger(__name__)

_LAST_SECONDS = 5  # for the responses of jobs that were stopped
SWITCH_SECONDS = 0.0005  # switch interval of Python threads


def listen(host: str, port: int, *, search: int = 1) -> socket.socket:
    """Listen on `host` at `port`, or at the first free one of the `search - 1` ports after it.

    Args:
        host: Address or host name of this machine.
        port: 0 = any free port.
        search: Number of ports to try.

    Returns:
        The listening socket.

    Raises:
        ConfigError: If no port is free, or the address is not one of this machine.
    """
    if not 0 <= port <= 65535:
        raise ConfigError(
            f"expected a port from 0 to 65535, got {port}",
            code="config.range",
            name="port",
            value=port,
            least=0,
            most=65535,
        )
    try:
        family = socket.getaddrinfo(host, port or None, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise ConfigError(
            f"expected an address of this machine, got {host!r:.80}",
            code="server.address",
            host=host[:80],
        ) from error
    problem: OSError | None = None
    for each in range(port, port + (search if port else 1)):
        # The protocol is given because asyncio sets TCP_NODELAY only if it is known.
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # A restarted server gets its port back immediately.
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, each))
            found.listen(2048)
            return found
        except (OSError, OverflowError) as error:
            found.close()
            problem = error if isinstance(error, OSError) else OSError(str(error))
    assert problem is not None
    reason = problem.strerror or str(problem)
    raise ConfigError(
        f"cannot listen on {host} port {port}: {reason.lower()}",
        code="server.port",
        host=host,
        port=port,
        reason=reason.lower(),
    )


def address_of(listening: socket.socket, host: str) -> str:
    """Return the URL to open in a browser on this machine, for a socket listening on `host`."""
    port = listening.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/"


def run(
    app: FastAPI,
    listening: socket.socket,
    *,
    limits: Limits | None = None,
    started: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Uploads and jobs that clients wait for then have `Limits.grace_seconds` to finish; the clients
    of the remaining ones get 503, and five seconds later connections are closed.

    Args:
        app: The application.
        listening: A socket from `listen`.
        limits: See `Limits`. Default: `Limits()`.
        started: Called when the server is ready for requests.
    """
    limits = limits or Limits()
    config = uvicorn.Config(
        app,
        http=patient_protocol(limits.header_seconds, limits.send_seconds, limits.connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=min(5, max(1, int(limits.header_seconds))),
        timeout_graceful_shutdown=math.ceil(limits.grace_seconds) + _LAST_SECONDS,
    )
    # A fill makes many short calls. With Python's default switch interval of 5 ms it would be much
    # slower while other requests are processed.
    sys.setswitchinterval(SWITCH_SECONDS)
    server = _Server(config, limits.grace_seconds, app.state.stop)
    if started is not None:
        threading.Thread(target=_when_started, args=(server, started), daemon=True).start()
    with contextlib.closing(listening):
        server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's server, which stops jobs and uploads some seconds after it was asked to stop."""

    def __init__(self, config: uvicorn.Config, grace: float, stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._grace = grace
        self._stop = stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = asyncio.get_running_loop().call_later(self._grace, self._stop)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()


def _when_started(server: uvicorn.Server, started: Callable[[], None]) -> None:
    while not server.started:
        if server.should_exit:
            return
        threading.Event().wait(0.05)
    started()
