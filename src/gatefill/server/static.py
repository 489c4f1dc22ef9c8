"""The editor's files, read when the server starts; no path in a request is opened."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class WebFile:
    """A file of the editor, ready to be sent."""

    data: bytes
    media_type: str
    etag: str


@cache
def web_files() -> dict[str, WebFile]:
    """Return all files of the editor by their path below ``web/``."""
    found: dict[str, WebFile] = {}
    _collect(files("gatefill.server") / "web", "", found)
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, WebFile]) -> None:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = prefix + each.name
        if each.is_dir():
            _collect(each, f"{name}/", found)
        else:
            data = each.read_bytes()
            suffix = "." + each.name.rpartition(".")[2]
            kind = _TYPES.get(suffix) or mimetypes.guess_type(each.name)[0]
            etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
            found[name] = WebFile(data, kind or "application/octet-stream", etag)


def web_reply(request: Request, name: str, status: int = 200) -> Response:
    """Return the response with a file; 304 if the browser has it, 404 if there is none."""
    file = web_files().get(name)
    if file is None:
        return Response("not found", 404, media_type="text/plain")
    # no-cache: revalidated every time, so that an upgrade takes effect immediately
    headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == file.etag and status == 200:
        return Response(status_code=304, headers=headers)
    return Response(file.data, status, headers, media_type=file.media_type)
