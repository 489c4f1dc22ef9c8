"""Connections that keep the server waiting do not shut others out."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.server.serving import Server, file_of, hole, limits, photo, serving, upload

MOST = 16
UNFINISHED = (
    b"POST /api/v1/inpaint HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


def linked(server: Server, stack: ExitStack, sent: bytes = b"") -> socket.socket:
    link = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
    link.sendall(sent)
    return link


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\n", UNFINISHED])
def test_clients_that_send_nothing_more_make_room_for_others(sent: bytes) -> None:
    with serving(*limits(connections=MOST)) as server, ExitStack() as stack:
        links = [linked(server, stack, sent) for _ in range(4 * MOST)]
        for _ in range(3):
            with server.client() as client:
                assert client.get("/healthz").status_code == 200
                assert upload(client, file_of(photo()), file_of(hole())).status_code == 200
        links[0].settimeout(2)
        with suppress(ConnectionResetError):  # the oldest had to go
            assert links[0].recv(1000) == b""


def test_who_waits_for_a_fill_is_never_dropped_for_others() -> None:
    with serving(*limits(connections=MOST)) as server, ExitStack() as stack:

        def fill() -> httpx.Response:
            with server.client() as client:
                return upload(client, file_of(photo()), file_of(hole()), model="slow")

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(fill)
            time.sleep(0.5)
            for _ in range(4 * MOST):
                linked(server, stack)
            assert waiting.result().status_code == 200


def test_a_client_that_leaves_in_the_middle_of_a_stream_is_logged_as_499() -> None:
    files = {"photo": file_of(photo()), "mask": file_of(photo(5, 5, channels=1))}
    with serving("--log") as found:
        with found.client() as client:
            form = {"model": "slow"}
            with client.stream("POST", "/api/v1/editor/fill", files=files, data=form) as reply:
                assert reply.status_code == 200
                next(reply.iter_lines())
        with found.client() as client:
            for _ in range(40):
                if 'status="499"' in client.get("/metrics").text:
                    break
                time.sleep(0.05)
        found.process.terminate()
        assert found.process.stdout is not None
        log = found.process.stdout.read()
    assert "POST /api/v1/editor/fill 499 " in log


def test_a_client_that_leaves_while_it_sends_is_no_internal_error() -> None:
    with serving("--log") as found:
        with ExitStack() as stack:
            linked(found, stack, UNFINISHED)
        with found.client() as client:
            for _ in range(40):
                if 'status="499"' in client.get("/metrics").text:
                    break
                time.sleep(0.05)
        found.process.terminate()
        assert found.process.stdout is not None
        log = found.process.stdout.read()
    assert "POST /api/v1/inpaint 499 " in log
    assert "Traceback" not in log
