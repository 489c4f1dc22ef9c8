"""How a server stops, and what its log says of requests."""

from __future__ import annotations

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from gatefill import terminal
from gatefill.server.errors import described
from tests.server.serving import Server, file_of, hole, limits, photo, serving, upload


def slow_fill(server: Server, timeout: float = 30) -> httpx.Response:
    with httpx.Client(base_url=server.url, timeout=timeout, trust_env=False) as client:
        return upload(client, file_of(photo()), file_of(hole()), model="slow")


def stopped(grace: float, seconds: float, fills: int) -> tuple[list[int], float]:
    """Statuses of the fills that run or wait while a server is asked to stop; seconds it took."""
    few = limits(workers=1, grace_seconds=grace)
    with serving(*few, "--seconds", str(seconds)) as found, ThreadPoolExecutor(fills) as pool:
        replies = [pool.submit(slow_fill, found) for _ in range(fills)]
        time.sleep(1)
        started = time.monotonic()
        found.process.send_signal(signal.SIGTERM)
        statuses = sorted(each.result().status_code for each in replies)
        found.process.wait(15)
        return statuses, time.monotonic() - started


def test_jobs_may_end_within_the_grace() -> None:
    assert stopped(grace=8, seconds=2.5, fills=1)[0] == [200]


def test_after_the_grace_running_and_waiting_jobs_are_told_503() -> None:
    statuses, seconds = stopped(grace=1, seconds=60, fills=2)
    assert statuses == [503, 503]
    assert 0.9 < seconds < 4


def test_after_the_grace_uploads_are_told_503() -> None:
    head = b"POST /api/v1/inpaint HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    with serving(*limits(grace_seconds=1), "--log") as found:
        with socket.create_connection(("127.0.0.1", found.port), timeout=10) as link:
            link.sendall(head + b"Content-Type: application/json\r\n\r\n{")
            time.sleep(0.3)
            found.process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            reply = link.recv(65536)
            assert 0.5 < time.monotonic() - started < 3
        found.process.wait(10)
        assert found.process.stdout is not None
        log = found.process.stdout.read()
    assert b" 503 " in reply.splitlines()[0]
    assert b"retry-after: 1" in reply
    assert "Traceback" not in log


def test_a_client_that_leaves_is_logged_as_499() -> None:
    with serving("--log") as found:
        with pytest.raises(httpx.ReadTimeout):
            slow_fill(found, timeout=0.7)
        with found.client() as client:
            client.get("/healthz")
            time.sleep(0.5)
            assert 'status="499"' in client.get("/metrics").text
        found.process.terminate()
        assert found.process.stdout is not None
        log = found.process.stdout.read()
    assert "POST /api/v1/inpaint 499 " in log
    assert "/healthz" not in log


def test_the_access_log_has_every_request() -> None:
    with serving("--log", "--access-log") as found:
        with found.client() as client:
            client.get("/api/v1/methods")
            client.get("/secret-path")
        found.process.terminate()
        assert found.process.stdout is not None
        log = found.process.stdout.read()
    assert "GET /api/v1/methods 200 " in log
    assert "GET other 404 " in log
    assert "secret" not in log


def test_an_internal_error_has_its_traceback_in_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with terminal.log_shown():
        try:
            raise KeyError("inside")
        except KeyError as error:
            told = described(error)
    log = capsys.readouterr().err
    assert told.status == 500
    assert told.detail.rpartition(" ")[2] in log
    assert "Traceback" in log
    assert "KeyError: 'inside'" in log
