"""The server behind a proxy that offers it under a path."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatefill.errors import ConfigError
from gatefill.server.access import Access
from tests.server.pages import HEIGHT, WIDTH, page_of
from tests.server.serving import ROOT, Server, file_of, hole, photo, serving, upload

TOKEN = "open-sesame-123"
PREFIX = "/a/gf"


@contextmanager
def behind_a_proxy(server: Server, *, strips: bool = True) -> Iterator[Server]:
    """The server as a proxy offers it under PREFIX; everything else at the proxy is 404."""

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if not self.path.startswith(PREFIX + "/"):
                self.send_error(404)
                return
            path = self.path.removeprefix(PREFIX) if strips else self.path
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with httpx.Client(trust_env=False, timeout=60) as client:
                reply = client.request(
                    self.command,
                    server.url.rstrip("/") + path,
                    headers=self.headers.items(),
                    content=body,
                )
            self.send_response(reply.status_code)
            for name, value in reply.headers.multi_items():
                if name not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_POST = forward  # noqa: N815 - names of http.server

        def log_message(self, *_: Any) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{proxy.server_port}{PREFIX}/", server.process)
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


@pytest.fixture(scope="module")
def prefixed() -> Iterator[Server]:
    with serving("--root-path", PREFIX, "--token", TOKEN) as found:
        yield found


def test_the_editor_works_under_a_path(browser: Any, server: Server, noise: Path) -> None:
    # `page_of` fails where any request leaves the prefix.
    with behind_a_proxy(server) as offered, page_of(browser, offered) as page:
        page.visit()
        page.page.locator("#samples button").first.click()
        page.page.wait_for_selector("body:not(.empty)")
        page.visit().open(noise)
        page.drag((WIDTH / 2, HEIGHT / 2), (WIDTH / 2 + 20, HEIGHT / 2))
        page.fill()
        assert page.steps == 2  # the opened photo and the fill
        assert page.download()[0].endswith(".png")
        page.visit("docs")
        examples = page.page.locator("pre").all_text_contents()
        assert examples
        assert all(offered.url in each for each in examples)
        assert f"curl -X DELETE {offered.url}jobs/{{id}}" in examples
        fields = page.page.locator("details", has_text="adjust_mask").locator("td code")
        assert "kernel_size" in fields.all_text_contents()


@pytest.mark.parametrize("strips", [True, False])
def test_a_known_path_is_in_redirects_cookies_and_the_schema(
    prefixed: Server, strips: bool
) -> None:
    with behind_a_proxy(prefixed, strips=strips) as offered, offered.client() as client:
        assert client.get("api/v1/methods").status_code == 401
        assert client.get("web/main.js").status_code == 200
        entered = client.post("login", data={"token": TOKEN})
        assert entered.status_code == 303
        assert str(entered.next_request.url) == offered.url  # type: ignore[union-attr]
        assert {each.path for each in client.cookies.jar} == {PREFIX}
        assert "<canvas" in client.get("").text
        described = client.get("openapi.json").json()
        assert described["servers"] == [{"url": PREFIX}]
        moved = client.get("docs/")
        assert moved.headers["location"] == offered.url + "docs"
        files = {"image": file_of(photo()), "mask": file_of(hole())}
        assert client.post("api/v1/inpaint", files=files).status_code == 200


def test_the_path_opens_no_door(prefixed: Server) -> None:
    with prefixed.client() as client:
        assert client.get(PREFIX).headers["location"] == PREFIX + "/"
        for start in ("", PREFIX, PREFIX + PREFIX, PREFIX + "/web/..", "/web" + PREFIX):
            for path in ("/api/v1/methods", "/metrics", "/openapi.json"):
                assert client.get(start + path).status_code in (401, 404), start + path
        assert upload(client, file_of(photo()), file_of(hole())).status_code == 401


def test_the_path_of_a_cookie_is_that_of_the_page(prefixed: Server) -> None:
    with prefixed.client() as client:
        assert client.post("/login", data={"token": TOKEN}).status_code == 303
        assert {each.path for each in client.cookies.jar} == {"/"}
        assert client.get("/api/v1/methods").status_code == 200


@pytest.mark.parametrize("path", ["gf", "/gf/", "/", "//gf", "/gf?x", "/g f", "/../gf", "/ß"])
def test_root_paths_that_are_none_are_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="expected a root path such as"):
        Access(root_path=path)


def test_nginx_with_the_configuration_of_compose(tmp_path: Path) -> None:
    """`deploy/nginx.conf` in a real nginx, with the addresses of this machine."""
    nginx = shutil.which("nginx", path=os.environ["PATH"] + os.pathsep + "/usr/sbin")
    if nginx is None:
        pytest.skip("needs nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ("--root-path", "/gatefill", "--token", TOKEN)
    with serving(*arguments) as server:
        site = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
        assert "gatefill:8731" in site
        site = site.replace("gatefill:8731", f"127.0.0.1:{server.port}")
        site = site.replace("listen 8080", f"listen 127.0.0.1:{port}")
        places = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(
            f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; {places}\n{site} }}\n",
            "utf-8",
        )
        proxy = subprocess.Popen([nginx, "-c", str(configuration), "-p", str(tmp_path)])
        try:
            with Server(f"http://127.0.0.1:{port}/gatefill/", server.process).client(
                Authorization=f"Bearer {TOKEN}"
            ) as client:
                for _ in range(100):
                    try:
                        assert client.get("readyz").status_code == 200
                        break
                    except httpx.ConnectError:
                        time.sleep(0.05)
                assert 'href="web/' in client.get("").text
                assert client.get(f"http://127.0.0.1:{port}/gatefill").status_code == 308
                image, mask = photo(), hole()
                files = {"image": file_of(image), "mask": file_of(mask)}
                reply = client.post("api/v1/inpaint", files=files)
                assert reply.status_code == 200
                assert reply.headers["X-Gatefill-Model"]
                outside = client.get(f"http://127.0.0.1:{port}/api/v1/methods")
                assert outside.status_code in (403, 404), "nothing of it beside its path"
        finally:
            proxy.terminate()
            proxy.wait(10)
