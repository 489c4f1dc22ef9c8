"""Access control: the host names of a server, and its token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from gatefill.errors import ConfigError

COOKIE = "gatefill"
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
# No segment starts with a dot: clients would resolve "." and "..".
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


def is_loopback(host: str) -> bool:
    """Return whether a server bound to `host` can only be reached from its own machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """The host names and the token that requests must have."""

    host: str = "127.0.0.1"  # the address the server is bound to
    token: str | None = None
    hosts: tuple[str, ...] = ()  # other host names of the server
    cors: tuple[str, ...] = ()  # origins of other sites whose pages may use the server
    root_path: str = ""  # path under which a proxy serves gatefill, such as "/gatefill"

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < 8:
            raise ConfigError("expected a token of 8 characters or more", code="server.token")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise ConfigError("expected a token of printable ASCII characters", code="server.token")
        for origin in self.cors:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    "expected an origin such as https://photos.example.org, in lower case and "
                    f"without a path, got {origin!r:.80}",
                    code="server.origin",
                    origin=origin[:80],
                )
        if self.root_path and not _ROOT_PATH.fullmatch(self.root_path):
            raise ConfigError(
                "expected a root path such as /gatefill: a slash at its start, none at its end, "
                f"and only letters, digits, '-', '_', '.', '~' and '/', got {self.root_path!r:.80}",
                code="server.root_path",
                root_path=self.root_path[:80],
            )

    def knows_host(self, header: str) -> bool:
        """Return whether a Host header names this server.

        A page of another site can make its own host name resolve to this machine (DNS
        rebinding), but not an IP address or "localhost".
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
        """The value of the page's cookie, derived from the token."""
        assert self.token is not None
        return hmac.new(self.token.encode(), b"gatefill cookie", hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Return whether `given` is the token; compares in constant time."""
        return self.token is not None and hmac.compare_digest(
            given.encode("utf-8", "replace"), self.token.encode()
        )

    def has_token(self, headers: Headers) -> bool:
        """Return whether a request has the token (Authorization header) or the page's cookie."""
        if self.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(given.strip()):
            return True
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return hmac.compare_digest(cookie.encode("utf-8", "replace"), self.cookie.encode())


def _host_name(header: str) -> str | None:
    """Return the name in a Host header without its port, in lower case; None if it is malformed."""
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
