"""Checks the Host and Origin headers and the token of every request."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gatefill.server.access import Access
from gatefill.server.errors import Refused, reply
from gatefill.server.login import login_page

LOGIN = "/login"
# Allowed without a token: the health check, and files that are public anyway.
_OPEN_PATHS = ("/healthz", "/readyz", LOGIN)
_OPEN_FOLDER = "/web/"


class Guard:
    """ASGI middleware that applies `Access`."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._check_host(headers)
        _check_origin(headers, scope["scheme"], self.access.cors)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER) or self.access.has_token(headers):
            await self.app(scope, receive, send)
        elif path == "/" and scope["method"] in ("GET", "HEAD"):
            token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            await login_page(self.access, token)(scope, receive, send)
        else:
            error = Refused(401, "token needed", "expected the header Authorization: Bearer TOKEN")
            await reply(error)(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.access.knows_host(hosts[0]):
            raise Refused(
                403,
                "unknown host",
                "this server is not known under that name: whoever runs it can add the name",
            )


def _check_origin(headers: Headers, scheme: str, allowed: Sequence[str]) -> None:
    """Raise Refused if the request comes from a page of another site."""
    origins = headers.getlist("origin")
    if len(origins) == 1 and origins[0] in allowed:
        return
    foreign = headers.get("sec-fetch-site", "same-origin") == "cross-site"
    # A reverse proxy may add https, so only host name and port are compared.
    host = headers.get("host", "").lower()
    for origin in origins:
        parts = urlsplit(origin)
        default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
        same = parts.netloc.lower().removesuffix(default) == host.removesuffix(default or ":80")
        foreign = foreign or not (same and parts.scheme in ("http", "https", scheme))
    if foreign and not _is_visit(headers):
        raise Refused(403, "foreign origin", "pages of other sites may not use this server")


def _is_visit(headers: Headers) -> bool:
    """Whether the request follows a link from another site to the page; a GET is harmless."""
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and "origin" not in headers
    )
