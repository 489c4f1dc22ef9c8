"""Many clients, slow clients, clients that leave, and servers that are stopped."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import pytest

from tests.server.serving import Server, array_of, file_of, hole, limits, photo, serving, upload


@pytest.fixture(scope="module")
def tight() -> Iterator[Server]:
    """Two workers, two places to wait, and little patience."""
    quick = limits(
        workers=2, waiting=2, seconds=4, upload_seconds=1.5, header_seconds=1.5, send_seconds=1.5
    )
    with serving(*quick, "--seconds", "2") as found:
        yield found


def metric(client: httpx.Client, name: str) -> float:
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    raise AssertionError(f"no {name}")


def until(what: Callable[[], bool], seconds: float = 8.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def slowly(server: Server, seconds: float = 30.0) -> httpx.Response:
    with httpx.Client(base_url=server.url, timeout=seconds, trust_env=False) as client:
        return upload(client, file_of(photo()), file_of(hole()), model="slow")


def test_a_full_queue_says_when_to_come_again(tight: Server) -> None:
    with ThreadPoolExecutor(8) as pool, tight.client() as client:
        replies = [pool.submit(slowly, tight) for _ in range(8)]
        assert until(lambda: metric(client, "gatefill_queue_length") >= 1)
        codes = sorted(each.result().status_code for each in replies)
        refused = [each.result() for each in replies if each.result().status_code == 503]
    # Two at work, two seconds each; the two behind them end about when the limit is reached.
    assert codes[0] == 200
    assert set(codes) <= {200, 503, 504}
    assert len(refused) == 4
    for reply in refused:
        assert 1 <= int(reply.headers["retry-after"]) <= 60
        assert reply.json()["error"] == "busy"


def test_a_job_that_takes_too_long_is_ended() -> None:
    # Far longer than the limit and than the test waits, so that a busy machine changes nothing.
    with serving(*limits(seconds=1), "--seconds", "120") as server, server.client() as client:
        assert slowly(server).status_code == 504
        assert until(lambda: metric(client, "gatefill_jobs_running") == 0)


def test_a_client_that_leaves_cancels_its_job(server: Server) -> None:
    with server.client() as client:
        assert until(lambda: metric(client, "gatefill_jobs_running") == 0)
        with pytest.raises(httpx.ReadTimeout):
            slowly(server, seconds=0.5)
        # The fill would have gone on for two and a half seconds more.
        assert until(lambda: metric(client, "gatefill_jobs_running") == 0, 1.0)


def test_leaving_in_the_middle_of_progress_cancels_a_fill(server: Server) -> None:
    mask = file_of(np.full((5, 5, 4), 255, np.uint8))
    files = {"photo": file_of(photo()), "mask": mask}
    with server.client() as client:
        form = {"layout": json.dumps({"mask": [3, 3]}), "model": "slow"}
        with client.stream("POST", "/api/v1/editor/fill", files=files, data=form) as reply:
            lines = reply.iter_lines()
            assert json.loads(next(lines))["state"] == "waiting"
            assert json.loads(next(lines))["state"] == "working"
            assert metric(client, "gatefill_jobs_running") == 1
        assert until(lambda: metric(client, "gatefill_jobs_running") == 0, 1.0)


def test_fifty_clients_at_once_get_their_own_photos(server: Server) -> None:
    mask = hole(40, 40)

    def one(seed: int) -> bool:
        image = photo(40, 40, seed)
        with server.client() as client:
            for _ in range(100):
                reply = upload(client, file_of(image), file_of(mask))
                if reply.status_code != 503:
                    break
                time.sleep(min(int(reply.headers["retry-after"]), 1) * 0.3)
        assert reply.status_code == 200, reply.text
        result = array_of(reply.content)
        return bool((result[mask == 0] == image[mask == 0]).all())

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(one, range(50)))


def test_health_is_told_while_all_workers_are_busy(tight: Server) -> None:
    with ThreadPoolExecutor(2) as pool, tight.client() as client:
        jobs = [pool.submit(slowly, tight) for _ in range(2)]
        assert until(lambda: metric(client, "gatefill_jobs_running") > 0)
        started = time.perf_counter()
        for _ in range(20):
            assert client.get("/healthz").status_code == 200
        assert (time.perf_counter() - started) / 20 < 0.2
        for job in jobs:
            job.result()


HEAD = "POST /api/v1/inpaint HTTP/1.1\r\nHost: localhost\r\n"


def dropped_after(server: Server, sent: bytes, drip: bytes = b"") -> tuple[float, bytes]:
    """Seconds until the server ends a connection that sends `drip` ever again, and its reply."""
    started, reply = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", server.port)) as link:
        link.settimeout(0.3)
        link.sendall(sent)
        while time.monotonic() - started < 15:
            try:
                if drip:
                    link.sendall(drip)
                part = link.recv(65536)
                if not part:
                    break
                reply += part
            except TimeoutError:
                continue
            except OSError:
                break
    return time.monotonic() - started, reply


def test_slow_clients_are_dropped_and_others_served(tight: Server) -> None:
    body_head = HEAD + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    slow = {
        "nothing at all": (b"", b""),
        "a head that never ends": (HEAD.encode(), b"X-A: b\r\n"),
        "a body that never ends": (body_head.encode(), b" "),
        "a body that never starts": (body_head.encode(), b""),
    }
    with ThreadPoolExecutor(len(slow)) as pool, tight.client() as client:
        waiting = {name: pool.submit(dropped_after, tight, *args) for name, args in slow.items()}
        while not all(each.done() for each in waiting.values()):
            started = time.perf_counter()
            assert client.get("/healthz").status_code == 200
            assert time.perf_counter() - started < 0.5
            time.sleep(0.05)
    for name, each in waiting.items():
        seconds, reply = each.result()
        assert 1 < seconds < 6, name
        if "body" in name:
            assert b" 408 " in reply, name


def test_a_connection_without_use_is_closed(tight: Server) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    seconds, reply = dropped_after(tight, request)
    assert b" 200 " in reply
    assert seconds < 4


def much(streamed: bool, side: int = 1600) -> tuple[bytes, bytes]:
    """A photo and a mask that are answered with megabytes, by a photo or by lines of events."""
    body = file_of(photo(side, side))  # noise: it stays large
    # So does the fill of every other pixel of it.
    holes = np.indices((side, side)).sum(axis=0) % 2 * 255
    return body, file_of(holes.astype(np.uint8) if streamed else hole(side, side))


@contextlib.contextmanager
def asking_for_much(server: Server, *, streamed: bool = False) -> Iterator[socket.socket]:
    """A connection whose reply is larger than what the system keeps of it on the way.

    streamed: the reply is lines of events, the last of which is large.
    """
    body, mask = much(streamed)
    parts = b"".join(
        b"--xxx\r\nContent-Disposition: form-data; name=%s; filename=f\r\n\r\n%s\r\n" % part
        for part in ((b"photo" if streamed else b"image", body), (b"mask", mask))
    )
    data = parts + b"--xxx--\r\n"
    address = "/api/v1/editor/fill" if streamed else "/api/v1/inpaint"
    head = f"POST {address} HTTP/1.1\r\nHost: localhost\r\n" + (
        f"Content-Type: multipart/form-data; boundary=xxx\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", server.port))
        link.sendall(head.encode() + data)
        yield link


def test_a_client_that_reads_nothing_is_dropped(tight: Server) -> None:
    with asking_for_much(tight) as link, tight.client() as client:
        assert until(lambda: not _is_connected(tight, link), 12)
        assert client.get("/healthz").status_code == 200


def test_a_client_that_reads_nothing_of_a_stream_is_dropped() -> None:
    with (
        serving(*limits(send_seconds=1.5)) as server,
        asking_for_much(server, streamed=True) as link,
        server.client() as client,
    ):
        assert until(lambda: metric(client, "gatefill_jobs_running") > 0)
        assert until(lambda: metric(client, "gatefill_jobs_running") == 0, 20)  # the fill is done
        assert _is_connected(server, link)
        assert until(lambda: not _is_connected(server, link), 8)


@pytest.mark.parametrize("streamed", [False, True])
def test_the_time_to_read_a_reply_counts_for_each_part_of_it(streamed: bool) -> None:
    body, mask = much(streamed, side=2000)
    seconds, rate = 1.5, 2 << 20  # the system holds 4 MB, and the rest takes longer than that
    address = "/api/v1/editor/fill" if streamed else "/api/v1/inpaint"
    files = {"photo" if streamed else "image": body, "mask": mask}
    few = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)]  # or the system would read ahead
    data = b""
    with (
        serving(*limits(send_seconds=seconds), "--log") as server,
        httpx.HTTPTransport(socket_options=few) as transport,
        httpx.Client(base_url=server.url, transport=transport, timeout=60) as client,
        client.stream("POST", address, files=files) as reply,
    ):
        assert reply.status_code == 200
        for part in reply.iter_bytes():
            data += part
            time.sleep(len(part) / rate)
        server.process.terminate()
        assert server.process.stdout is not None
        assert "dropped" not in server.process.stdout.read(), "the connection can be used again"
    if streamed:
        last = json.loads(data.splitlines()[-1])
        assert last["state"] == "done"
        data = base64.b64decode(last["patch"])
    assert array_of(data).shape[:2] == (2000, 2000)
    if not streamed:
        known = np.asarray(PIL.Image.open(io.BytesIO(mask))) == 0
        assert np.array_equal(array_of(data)[known], photo(2000, 2000)[known])


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_all_of_it() -> None:
    patient = limits(upload_seconds=1.5, header_seconds=1.5, send_seconds=30)
    with serving(*patient) as server, asking_for_much(server) as link:
        link.settimeout(20)
        reply = b""
        while b"\r\n\r\n" not in reply:
            reply += link.recv(1024)
        head, _, reply = reply.partition(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head.lower())
        assert found
        size = int(found[1])
        while len(reply) < size:
            # The last 3 MB at 60 kB/s: what the server still holds of them takes it seconds.
            if size - len(reply) < 3_000_000:
                time.sleep(0.1)
            part = b""
            while len(part) < 6000 and len(reply) + len(part) < size:
                more = link.recv(2048)
                assert more, f"{size - len(reply) - len(part)} bytes are missing"
                part += more
            reply += part


def _is_connected(server: Server, link: socket.socket) -> bool:
    """Whether the server's end of a connection is established, as the kernel lists it."""
    ends = f":{server.port:04X}", f":{link.getsockname()[1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(
        here.endswith(ends[0]) and there.endswith(ends[1]) and state == "01"
        for _, here, there, state, *_ in lines
    )


def test_a_server_that_is_killed_can_be_started_again() -> None:
    with serving() as first:
        port = first.port
        thread = threading.Thread(target=_ignoring_errors, args=(first,))
        thread.start()
        time.sleep(0.3)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
        thread.join(10)
        with serving("--port", str(port)) as second, second.client() as client:
            assert second.port == port
            assert upload(client, file_of(photo()), file_of(hole())).status_code == 200


def _ignoring_errors(server: Server) -> None:
    with contextlib.suppress(httpx.TransportError):
        slowly(server)


def test_a_server_that_is_asked_to_stop_stops_soon() -> None:
    with serving("--seconds", "60") as found:
        thread = threading.Thread(target=_ignoring_errors, args=(found,))
        thread.start()
        time.sleep(0.5)
        found.process.terminate()
        assert found.process.wait(15) in (0, -signal.SIGTERM)
        thread.join(10)
        assert not thread.is_alive()
