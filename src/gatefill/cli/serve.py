"""The verbs that start a server: edit, serve."""

from __future__ import annotations

import contextlib
import logging
import os
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote

from cyclopts import Parameter

from gatefill import terminal
from gatefill.cli.app import Switch, app
from gatefill.errors import ConfigError

if TYPE_CHECKING:
    from gatefill.server.access import Access
    from gatefill.server.limits import Limits
    from gatefill.server.service import Opened

EDIT_PORT, SERVE_PORT = 8730, 8731
_PORTS_TRIED = 20

Weights = Annotated[
    tuple[Path, ...],
    Parameter(
        alias="-w",
        negative="",
        show_default=False,
        help="A weights file to make available; may be repeated.",
    ),
]


@app.command(help_epilogue="Example: `gatefill edit photo.jpg`")
def edit(
    photo: Path | None = None,
    /,
    *,
    method: Annotated[str | None, Parameter(alias="-m")] = None,
    weights: Weights = (),
    device: str = "cpu",
    large: Literal["auto", "whole", "crop", "resize"] = "auto",
    port: int = EDIT_PORT,
    browser: bool = True,
) -> int:
    """Open the editor in the browser: paint over objects to remove them.

    It accepts connections from this machine only, and sends nothing elsewhere. Ctrl+C stops it.

    Parameters
    ----------
    photo
        The photo to open at first.
    method
        The method that is selected at first, see `gatefill methods`.
    device
        Device for networks: cpu or cuda.
    large
        crop: use only the surroundings of each hole. whole: the whole photo. resize: the
        surroundings, downscaled until holes are as small as in training. auto: chosen by the sizes
        of photo and hole.
    port
        Port to listen on; if it is in use, the next free one.
    browser
        Open the editor in the browser at once.
    """
    from gatefill.extras import require

    require("serve", "gatefill edit")
    from gatefill.server.access import Access
    from gatefill.server.limits import Limits

    return _serve(
        Access(),
        Limits(),
        port,
        method,
        weights,
        device,
        large,
        opened=None if photo is None else _opened(photo),
        ports=_PORTS_TRIED,
        browser=browser,
    )


@app.command(help_epilogue="Example: `gatefill serve --host 0.0.0.0 --token-file token.txt`")
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = SERVE_PORT,
    token: str | None = None,
    token_file: Path | None = None,
    no_auth: Switch = False,
    allow_host: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    cors: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    root_path: str = "",
    method: Annotated[str | None, Parameter(alias="-m")] = None,
    weights: Weights = (),
    device: str = "cpu",
    large: Literal["auto", "whole", "crop", "resize"] = "auto",
    workers: int | None = None,
    waiting: int | None = None,
    seconds: float | None = None,
    grace: float | None = None,
    max_pixels: int | None = None,
    max_megabytes: int | None = None,
    memory_limit: int | None = None,
    log_level: Literal["info", "warning", "error"] = "info",
    access_log: Switch = False,
) -> int:
    """Serve the editor and the HTTP API, which docs/api.md and the page /docs describe.

    Parameters
    ----------
    host
        Address to listen on. All but loopback addresses need a token, or --no-auth.
    port
        Port to listen on; 0 selects a free one.
    token
        Secret that clients must send, at least 8 characters. Other users of this machine can see it
        in the process list: --token-file or the variable GATEFILL_TOKEN are safer.
    token_file
        A file whose first line is the token.
    no_auth
        Accept every client that can reach the address.
    allow_host
        Host name of the server, such as photos.example.org; may be repeated.
    cors
        Origin of another site whose pages may use the API, such as https://example.org; may be
        repeated.
    root_path
        Path under which a reverse proxy serves gatefill, such as /gatefill.
    method
        Method for requests that name none, see `gatefill methods`.
    device
        Device for networks: cpu or cuda.
    large
        crop: use only the surroundings of each hole. whole: the whole photo. resize: the
        surroundings, downscaled until holes are as small as in training. auto: chosen by the sizes
        of photo and hole.
    workers
        Number of jobs that run at the same time.
    waiting
        Number of jobs that may wait; further requests are refused with status 503.
    seconds
        Time limit of a job in seconds, including the time it waits.
    grace
        Seconds that requests have to finish after the server was asked to stop: uploads, and jobs
        that wait or run. The clients of the remaining ones then get status 503.
    max_pixels
        Refuse photos with more pixels than this.
    max_megabytes
        Refuse requests larger than this.
    memory_limit
        Megabytes of memory that the server may use. Photos that need more are refused, with the
        size that fits. Default: half of the machine's memory.
    log_level
        Lowest severity of messages to log.
    access_log
        Log each request: method, route, status and milliseconds.
    """
    from gatefill.extras import require

    require("serve", "gatefill serve")
    from gatefill.server.access import Access, is_loopback

    token = _token(token, token_file)
    if not is_loopback(host) and token is None and not no_auth:
        raise ConfigError(
            f"expected a token (--token-file, --token or GATEFILL_TOKEN) to listen on {host}, "
            "where others can reach it; --no-auth lets everybody in",
            code="server.no_token",
            host=host,
        )
    if token is not None and no_auth:
        raise ConfigError("expected a token or --no-auth, got both", code="cli.both")
    from gatefill.settings import expect_at_least

    expect_at_least(0.01, **{"--grace": grace})
    expect_at_least(1, **{"--max-megabytes": max_megabytes})
    limits = _limits(
        workers=workers,
        waiting=waiting,
        seconds=seconds,
        grace_seconds=grace,
        max_pixels=max_pixels,
        max_bytes=None if max_megabytes is None else max_megabytes << 20,
        memory=None if memory_limit is None else memory_limit << 20,
    )
    access = Access(host, token, allow_host, cors, root_path)
    logging.getLogger("gatefill").setLevel(log_level.upper())
    return _serve(access, limits, port, method, weights, device, large, access_log=access_log)


def _serve(
    access: Access,
    limits: Limits,
    port: int,
    method: str | None,
    weights: tuple[Path, ...],
    device: str,
    large: Literal["auto", "whole", "crop", "resize"],
    *,
    opened: Opened | None = None,
    ports: int = 1,
    browser: bool = False,
    access_log: bool = False,
) -> int:
    from gatefill.server.app import create_app
    from gatefill.server.models import shelf
    from gatefill.server.run import address_of, listen, run

    offered = shelf(
        method,
        weights,
        device=device,
        large=large,
        max_pixels=limits.max_pixels,
        memory_limit=limits.memory_for_jobs,
    )
    listening = listen(access.host, port, search=ports)
    address = address_of(listening, access.host)
    app = create_app(offered, limits=limits, access=access, opened=opened, access_log=access_log)

    def started() -> None:
        terminal.say(f"gatefill is at {address}  (Ctrl+C ends it)")
        if browser:
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(address)

    run(app, listening, limits=limits, started=started)
    return terminal.OK


def _opened(photo: Path) -> Opened:
    """Read the photo for the editor, so that errors are reported before the server starts."""
    from gatefill.images import read_photo
    from gatefill.server.service import Opened

    read_photo(photo)
    return Opened(quote(photo.name), photo.read_bytes())


def _token(token: str | None, file: Path | None) -> str | None:
    """Return the token: from the command line, the file or the environment, in this order."""
    if token is not None and file is not None:
        raise ConfigError("expected --token or --token-file, got both", code="cli.both")
    if file is not None:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        if not lines or not lines[0].strip():
            raise ConfigError(
                f"expected a token in the first line of {file}, got none",
                code="server.token",
                file=str(file),
            )
        return lines[0].strip()
    return token if token is not None else os.environ.get("GATEFILL_TOKEN") or None


def _limits(**given: float | None) -> Limits:
    """Create the limits from the options that were given."""
    from dataclasses import replace

    from gatefill.server.limits import Limits

    limits = Limits()
    changes = {name: value for name, value in given.items() if value is not None}
    size = changes.get("max_bytes", limits.max_bytes)
    changes["max_bytes_in_flight"] = max(limits.max_bytes_in_flight, size)
    return replace(limits, **changes)  # type: ignore[arg-type]
