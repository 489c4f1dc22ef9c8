"""Who may speak to a server: the Host and Origin of requests, and the token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from gatefill.server.errors import Refused, reply
from gatefill.server.login import COOKIE, login_page

LOGIN = "/login"
# Without a token one may see whether the server lives, and the files that everybody has anyway.
_OPEN_PATHS = ("/healthz", "/readyz", LOGIN)
_OPEN_FOLDER = "/web/"


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` can be reached from its own machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """Who is let in."""

    host: str = "127.0.0.1"  # the address the server is bound to
    token: str | None = None
    hosts: tuple[str, ...] = ()  # further names under which the server is reached

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < 8:
            raise ValueError("expected a token of 8 characters or more")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise ValueError("expected a token of printable ASCII characters")

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this server.

        A page of a stranger can have its own name resolve to this machine (DNS rebinding), but
        not an address written in numbers, nor "localhost".
        """
        name = _host_name(header)
        if name is None:
            return False
        if name == "localhost" or name in (each.lower() for each in self.hosts):
            return True
        if is_loopback(self.host):
            return is_loopback(name)
        return name == self.host.lower() or _is_address(name)

    @property
    def cookie(self) -> str:
        """What the page's cookie holds instead of the token itself."""
        assert self.token is not None
        return hmac.new(self.token.encode(), b"gatefill cookie", hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Whether it is the token, in a time that tells nothing about it."""
        return self.token is not None and hmac.compare_digest(
            given.encode("utf-8", "replace"), self.token.encode()
        )

    def has_token(self, headers: Headers) -> bool:
        """Whether a request brings the token, in its header or as the page's cookie."""
        if self.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(given.strip()):
            return True
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return hmac.compare_digest(cookie.encode("utf-8", "replace"), self.cookie.encode())


class Guard:
    """ASGI middleware that lets in what `Access` says."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._check_host(headers)
        _check_origin(headers, scope["scheme"])
        path = scope["path"]
        if path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER) or self.access.has_token(headers):
            await self.app(scope, receive, send)
        elif path == "/" and scope["method"] == "GET":
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
                "this server is not known under that name; allow it with --allow-host",
            )


def _check_origin(headers: Headers, scheme: str) -> None:
    """Raise Refused where a page of another site is behind the request."""
    origins: Iterable[str] = headers.getlist("origin")
    foreign = headers.get("sec-fetch-site", "same-origin") == "cross-site"
    # A proxy in front may speak https for us; the name and the port have to agree.
    host = headers.get("host", "").lower()
    for origin in origins:
        parts = urlsplit(origin)
        default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
        same = parts.netloc.lower().removesuffix(default) == host.removesuffix(default or ":80")
        foreign = foreign or not (same and parts.scheme in ("http", "https", scheme))
    if foreign and not _is_visit(headers):
        raise Refused(403, "foreign origin", "pages of other sites may not use this server")


def _is_visit(headers: Headers) -> bool:
    """Whether somebody followed a link from elsewhere to the page: harmless, as it is a GET."""
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and "origin" not in headers
    )


def _host_name(header: str) -> str | None:
    """The name in a Host header without its port, in lower case; None where it is malformed."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or "@" in header or not parts.hostname:
        return None
    return parts.hostname.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
