"""Who is let in, and what strangers can find out."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gatefill.server.access import Access
from gatefill.server.limits import Limits
from gatefill.server.static import web_files
from tests.server.serving import SRC, Server, file_of, hole, photo, serving, upload

TOKEN = "open-sesame-123"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    with serving("--token", TOKEN, "--allow", "photos.example.org") as found:
        yield found


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:80", 200),
        ("127.0.0.1", 200),
        ("127.9.9.9:1", 200),
        ("[::1]:8731", 200),
        ("LOCALHOST", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("8.8.8.8", 403),
        ("user@localhost", 403),
        ("localhost/evil", 403),
        ("localhost:port", 403),
        ("", 403),
    ],
)
def test_names_of_strangers_are_refused(client: httpx.Client, host: str, status: int) -> None:
    assert client.get("/api/v1/methods", headers={"Host": host}).status_code == status


def test_a_name_may_be_allowed(guarded: Server) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with guarded.client(**headers) as client:
        for host, status in (("photos.example.org", 200), ("other.example.org", 403)):
            reply = client.get("/api/v1/methods", headers={"Host": host})
            assert reply.status_code == status


def test_a_server_on_all_addresses_knows_addresses_but_no_names() -> None:
    access = Access("0.0.0.0", TOKEN, ("photos.example.org",))
    assert access.knows_host("192.168.1.7:8731")
    assert access.knows_host("[fe80::1]:8731")
    assert access.knows_host("photos.example.org")
    assert not access.knows_host("rebound.example")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "{origin}"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "file://"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(
    server: Server, client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    origin = server.url.rstrip("/")
    sent = {name: value.format(origin=origin) for name, value in headers.items()}
    files = {"image": file_of(photo()), "mask": file_of(hole())}
    assert client.post("/api/v1/inpaint", files=files, headers=sent).status_code == status
    assert client.get("/api/v1/methods", headers=sent).status_code == status


def test_links_from_other_sites_lead_to_the_page(client: httpx.Client) -> None:
    headers = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert client.get("/", headers=headers).status_code == 200
    framed = headers | {"Sec-Fetch-Dest": "iframe"}
    assert client.get("/", headers=framed).status_code == 403


def test_no_other_site_may_read(client: httpx.Client) -> None:
    reply = client.options("/api/v1/methods", headers={"Access-Control-Request-Method": "GET"})
    assert "access-control-allow-origin" not in reply.headers


def test_every_reply_has_safe_headers(client: httpx.Client, guarded: Server) -> None:
    with guarded.client() as stranger:
        replies = [client.get(path) for path in ("/", "/web/main.js", "/api/v1/methods", "/none")]
        replies += [stranger.get("/"), stranger.get("/api/v1/methods")]
    for reply in replies:
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        assert "server" not in reply.headers


def test_without_the_token_only_health_is_seen(guarded: Server) -> None:
    with guarded.client() as client:
        for path in ("/api/v1/methods", "/metrics", "/openapi.json", "/docs"):
            reply = client.get(path)
            assert reply.status_code == 401, path
            assert reply.headers["www-authenticate"] == "Bearer"
        assert upload(client, file_of(photo()), file_of(hole())).status_code == 401
        assert client.get("/healthz").status_code == 200
        for wrong in ("Bearer", "Bearer wrong-token", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
            reply = client.get("/api/v1/methods", headers={"Authorization": wrong})
            assert reply.status_code == 401


def test_the_page_takes_the_token_and_keeps_a_cookie(guarded: Server) -> None:
    with guarded.client() as client:
        page = client.get("/")
        assert page.status_code == 401
        assert 'action="login"' in page.text
        assert client.post("/login", data={"token": "wrong-one"}).status_code == 401
        entered = client.post("/login", data={"token": TOKEN})
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"]
        assert TOKEN not in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert client.get("/api/v1/methods").status_code == 200
        assert "<canvas" in client.get("/").text
    with guarded.client() as client:
        assert client.get("/", params={"token": TOKEN}).status_code == 303
        assert client.get("/api/v1/methods").status_code == 200


@pytest.mark.parametrize("token", ["short", "käsekuchen-und-brot", "tab\tin the middle"])
def test_poor_tokens_are_refused(token: str) -> None:
    with pytest.raises(ValueError, match="expected a token"):
        Access(token=token)


def test_no_path_reaches_the_file_system(server: Server) -> None:
    inside = {f"/web/{name}" for name in web_files()}
    paths = [
        "/web/../app.py",
        "/web/%2e%2e/app.py",
        "/web/..%2fapp.py",
        "/web//etc/passwd",
        "/web/%2fetc%2fpasswd",
        "/web/samples/../../app.py",
        "/web/C:%5cwindows%5cwin.ini",
        "/web/main.js%00.png",
        "/../../../../etc/passwd",
        "/api/v1/../../etc/passwd",
    ]
    for path in paths:
        assert path not in inside
        # A plain socket: clients tidy paths up.
        with socket.create_connection(("127.0.0.1", server.port)) as link:
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            link.sendall(head.encode())
            reply = b""
            while part := link.recv(65536):
                reply += part
        status = int(reply.split()[1])
        assert status in (404, 400), (path, reply[:200])
        assert b"root:" not in reply
        assert b"import" not in reply


def test_names_of_files_mean_nothing(client: httpx.Client) -> None:
    files = {
        "image": ("../../etc/passwd", file_of(photo())),
        "mask": ("/dev/zero", file_of(hole())),
    }
    assert client.post("/api/v1/inpaint", files=files).status_code == 200
    body = {"image": "/etc/passwd", "mask": "file:///etc/passwd"}
    reply = client.post("/api/v1/inpaint", json=body)
    assert reply.status_code in (400, 422)
    assert "root:" not in reply.text


def test_errors_tell_nothing_of_the_inside(client: httpx.Client) -> None:
    replies = [
        client.post("/api/v1/inpaint", json={"image": "AAAA", "mask": "AAAA"}),
        client.post("/api/v1/inpaint", content=b"{", headers={"Content-Type": "application/json"}),
        upload(client, b"\x89PNG\r\n\x1a\n" + bytes(50), file_of(hole())),
        client.get("/none"),
        client.delete("/api/v1/inpaint"),
    ]
    for reply in replies:
        assert 400 <= reply.status_code < 500
        assert set(reply.json()) == {"error", "detail", "errors", "message", "code", "values"}
        assert not re.search(r"Traceback|site-packages|\.py|line \d+, in", reply.text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "expected a token"),
        (["--host", "::"], "expected a token"),
        (["--host", "0.0.0.0", "--token", TOKEN, "--no-auth"], "got both"),
        (["--host", "no.such.host.invalid"], "expected a token"),
        (["--token", "short"], "8 characters"),
        (["--token-file", "no-such-file"], "No such file"),
        (["--method", "deepfill_v1"], "needs weights"),
        (["--method", "nosuch"], "expected a method"),
        (["--workers", "0"], "expected workers"),
        (["--port", "99999"], "a port from 0 to 65535"),
    ],
)
def test_the_command_line_is_safe_by_default(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatefill", "serve", *arguments],
        env={"PYTHONPATH": str(SRC), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="expected workers of 1 or more, got 0"):
        Limits(workers=0)
    with pytest.raises(ValueError, match=r"expected a memory limit of \d+ MB or more, got 500 MB"):
        Limits(memory=500 << 20)
    assert json.dumps(Limits().__dict__)
