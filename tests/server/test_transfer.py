"""HEAD, bodies in gzip, pages of other sites, and when to come again."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from gatefill.errors import ConfigError
from gatefill.server.access import Access
from tests.server.serving import (
    Server,
    base64_of,
    file_of,
    hole,
    limits,
    photo,
    serving,
    upload,
)

SITE = "https://photos.example.org"
TOKEN = "open-sesame-123"


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/api/v1/methods", "/web/main.js"])
def test_head_is_get_without_a_body(client: httpx.Client, path: str) -> None:
    whole, head = client.get(path), client.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert client.head("/api/v1/inpaint").status_code == 405


def test_head_needs_the_token_too() -> None:
    with serving("--token", TOKEN) as guarded, guarded.client() as client:
        assert client.head("/api/v1/methods").status_code == 401
        assert client.head("/").status_code == 401


def packed(data: bytes) -> dict[str, object]:
    return {
        "content": data,
        "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    }


def body() -> bytes:
    sent = {
        "image": base64_of(file_of(photo(400, 400))),
        "mask": base64_of(file_of(hole(400, 400))),
    }
    return json.dumps(sent).encode()


def test_bodies_in_gzip_are_read(client: httpx.Client) -> None:
    data = body()
    assert len(data) > 600_000  # several parts
    plain = client.post(
        "/api/v1/inpaint", content=data, headers={"Content-Type": "application/json"}
    )
    two = gzip.compress(data[:100_000]) + gzip.compress(data[100_000:])
    spaced = gzip.compress(data + b" " * 3_000_000)  # parts that inflate a thousandfold
    for sent in (gzip.compress(data), two, spaced):
        reply = client.post("/api/v1/inpaint", **packed(sent))  # type: ignore[arg-type]
        assert reply.status_code == 200, reply.text
        assert reply.content == plain.content


def test_broken_gzip_is_refused(client: httpx.Client) -> None:
    good = gzip.compress(body())
    for sent in (good[: len(good) // 2], good[:-1], b"no gzip", good + b"more"):
        reply = client.post("/api/v1/inpaint", **packed(sent))  # type: ignore[arg-type]
        assert reply.status_code == 400
        assert "gzip" in reply.json()["detail"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused(client: httpx.Client, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    reply = client.post("/api/v1/inpaint", content=zlib.compress(body()), headers=headers)
    assert reply.status_code == 415
    assert "gzip" in reply.json()["detail"]


def test_a_gzip_bomb_meets_the_limit_before_memory() -> None:
    with serving(*limits(max_bytes=4 << 20)) as tight, tight.client() as client:
        before = tight.peak()
        bomb = gzip.compress(bytes(1 << 28))
        assert len(bomb) < 4 << 20
        started = time.monotonic()
        reply = client.post("/api/v1/inpaint", **packed(bomb))  # type: ignore[arg-type]
        assert reply.status_code == 413
        assert time.monotonic() - started < 3
        assert tight.peak() - before < 32 << 20


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with serving("--cors", SITE, "--token", TOKEN) as found:
        yield found


def test_pages_of_an_allowed_site_may_use_the_service(shared: Server) -> None:
    there = {"Origin": SITE, "Sec-Fetch-Site": "cross-site"}
    with shared.client() as client:
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        allowed = client.options("/api/v1/inpaint", headers=there | asked)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == SITE
        files = {"image": file_of(photo()), "mask": file_of(hole())}
        token = {"Authorization": f"Bearer {TOKEN}"}
        filled = client.post("/api/v1/inpaint", files=files, headers=there | token)
        assert filled.status_code == 200
        assert filled.headers["access-control-allow-origin"] == SITE
        assert "X-Seed" in filled.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in filled.headers
        refused = client.post("/api/v1/inpaint", files=files, headers=there)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == SITE  # so that the page reads why


@pytest.mark.parametrize(
    "origin", ["http://photos.example.org", f"{SITE}:444", f"{SITE}.evil.example", "null"]
)
def test_other_sites_stay_out(shared: Server, origin: str) -> None:
    with shared.client(Origin=origin, Authorization=f"Bearer {TOKEN}") as client:
        reply = client.get("/api/v1/methods")
        assert reply.status_code == 403
        assert "access-control-allow-origin" not in reply.headers
    with shared.client(**{"Sec-Fetch-Site": "cross-site"}) as client:
        assert client.get("/api/v1/methods").status_code == 403


@pytest.mark.parametrize("origin", ["*", "null", "example.org", f"{SITE}/", "HTTPS://A.org", ""])
def test_origins_that_are_none_are_refused(origin: str) -> None:
    with pytest.raises(ConfigError, match="expected an origin such as"):
        Access(cors=(origin,))


def test_retry_after_follows_the_measured_speed() -> None:
    with serving(*limits(workers=1, waiting=1), "--seconds", "3") as slow:

        def fill() -> httpx.Response:
            with slow.client() as client:
                return upload(client, file_of(photo()), file_of(hole()), model="slow")

        assert fill().status_code == 200
        with ThreadPoolExecutor(3) as pool:
            replies = [each.result() for each in [pool.submit(fill) for _ in range(3)]]
    (busy,) = [each for each in replies if each.status_code == 503]
    # Two jobs of three seconds each are ahead; half of them must be done.
    assert 3 <= int(busy.headers["retry-after"]) <= 6
