"""Memory stays flat however many requests are served."""

from __future__ import annotations

import pytest

from tests.server.serving import Server, file_of, hole, photo, serving, upload

MEGABYTE = 1 << 20


def grown_by(server: Server, warm_up: int, requests: int, side: int) -> int:
    """Bytes that a server's memory grows by over so many requests."""
    image, mask = file_of(photo(side, side)), file_of(hole(side, side))
    with server.client() as client:
        for _ in range(warm_up):
            assert upload(client, image, mask).status_code == 200
        before = server.memory()
        for number in range(requests):
            if number % 10 == 9:  # a bad one now and then
                assert upload(client, image[:500], mask).status_code == 400
            else:
                assert upload(client, image, mask).status_code == 200
        return server.memory() - before


def test_memory_stays_flat_over_60_requests() -> None:
    with serving() as server:
        assert grown_by(server, 20, 60, 256) < 20 * MEGABYTE


@pytest.mark.slow
def test_memory_stays_flat_over_500_requests() -> None:
    with serving() as server:
        assert grown_by(server, 50, 500, 512) < 25 * MEGABYTE
