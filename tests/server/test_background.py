"""Jobs in the background: begun, followed, canceled, and their results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx
import numpy as np

from tests.server.serving import array_of, file_of, hole, limits, photo, serving


def begun(client: httpx.Client, **fields: str) -> httpx.Response:
    files = {"image": file_of(photo()), "mask": file_of(hole())}
    return client.post("/jobs", files=files, data=fields)


def until(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


def test_a_job_is_begun_followed_and_its_result_taken(client: httpx.Client) -> None:
    reply = begun(client)
    assert reply.status_code == 202
    place = reply.headers["location"]
    assert place == f"/jobs/{reply.json()['id']}"
    assert until(lambda: client.get(place).json()["state"] == "done")
    assert client.get(place).json()["share"] == 1
    direct = client.post(
        "/api/v1/inpaint", files={"image": file_of(photo()), "mask": file_of(hole())}
    )
    result = client.get(f"{place}/result")
    assert result.status_code == 200
    assert result.headers["x-gatefill-model"] == direct.headers["x-gatefill-model"]
    np.testing.assert_array_equal(array_of(result.content), array_of(direct.content))
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404
    assert client.get(f"{place}/result").status_code == 404


def test_progress_comes_as_events_until_the_job_ends(client: httpx.Client) -> None:
    place = begun(client, model="slow").headers["location"]
    assert client.get(f"{place}/result").status_code == 409
    shares, states = [], []
    with client.stream("GET", f"{place}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))
                states.append(told["state"])
                shares.append(told["share"])
    assert states[-1] == "done"
    assert set(states) <= {"waiting", "working", "done"}
    assert shares == sorted(shares)
    assert len(set(shares)) > 5


def test_a_canceled_job_ends_and_its_events_say_so(client: httpx.Client) -> None:
    place = begun(client, model="slow").headers["location"]
    with client.stream("GET", f"{place}/events") as stream:
        lines = stream.iter_lines()
        assert "working" in next(lines) or "waiting" in client.get(place).text
        assert client.delete(place).status_code == 204
        assert "event: canceled" in list(lines)
    assert client.get(place).status_code == 404

    def running() -> bool:
        return "gatefill_jobs_running 0.0" in client.get("/metrics").text

    assert until(running)


def test_what_is_wrong_is_said_by_state_and_result(client: httpx.Client) -> None:
    place = client.post("/jobs", files={"image": b"no image"}).headers["location"]
    assert until(lambda: client.get(place).json()["state"] == "failed")
    assert client.get(place).json()["error"]["code"] == "image.unknown"
    result = client.get(f"{place}/result")
    assert (result.status_code, result.json()["code"]) == (400, "image.unknown")
    assert client.post("/jobs", content=b"x").status_code == 415
    assert client.get("/jobs/unknown/events").status_code == 404


def test_the_oldest_results_go_where_they_take_too_much_memory() -> None:
    pixels = photo(300, 300)  # noise: 270 kB
    files = {"image": file_of(pixels), "mask": file_of(hole(300, 300))}
    few = limits(max_bytes=1_000_000, max_bytes_in_flight=1_000_000)
    with serving(*few) as server, server.client() as client:
        places = []
        for _ in range(6):
            places.append(client.post("/jobs", files=files).headers["location"])
            assert until(lambda: client.get(places[-1]).json()["state"] == "done")
        found = [client.get(place).status_code for place in places]
    assert found == [404, 404, 404, 200, 200, 200]


def test_jobs_count_for_the_queue() -> None:
    few = limits(workers=1, waiting=1)
    with serving(*few) as server, server.client() as client:
        assert [begun(client, model="slow").status_code for _ in range(3)] == [202, 202, 503]


def test_a_prefix_is_part_of_the_address() -> None:
    with serving("--root-path", "/fill") as server, server.client() as client:
        place = begun(client).headers["location"]
        assert place.startswith("/fill/jobs/")
        assert until(lambda: client.get(place).json()["state"] == "done")


def test_the_server_stops_with_jobs_that_run() -> None:
    """Such a job has no client who could be told, and does not keep the server."""
    few = limits(grace_seconds=20)
    with serving(*few, "--seconds", "60") as found, found.client() as client:
        begun(client, model="slow")
        found.process.terminate()
        started = time.monotonic()
        found.process.wait(15)
    assert time.monotonic() - started < 5
