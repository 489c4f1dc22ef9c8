"""The server as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from starlette.middleware.cors import CORSMiddleware

import gatefill
from gatefill.server import api, background, editor, iopaint, selection
from gatefill.server.access import Access
from gatefill.server.errors import add_handlers
from gatefill.server.language import Language
from gatefill.server.limits import Limits
from gatefill.server.login import log_in
from gatefill.server.metrics import Counted
from gatefill.server.middleware import (
    BodyLimit,
    Deadlines,
    Errors,
    Prefix,
    SafeHeaders,
    Uploads,
)
from gatefill.server.models import Shelf
from gatefill.server.security import LOGIN, Guard
from gatefill.server.service import Opened, Service
from gatefill.server.static import web_reply
from gatefill.server.transfer import Head, Inflated

# Response headers that pages of other sites may read.
_EXPOSED = [
    "Retry-After",
    "X-Gatefill-Model",
    "X-Gatefill-Seconds",
    "X-Gatefill-Warnings",
    "X-Seed",
]
_DESCRIPTION = "Fills any hole in any photo. Known pixels stay bit-identical."


def create_app(
    shelf: Shelf,
    *,
    limits: Limits | None = None,
    access: Access | None = None,
    opened: Opened | None = None,
    access_log: bool = False,
) -> FastAPI:
    """Create the application: the editor and the API for the models of `shelf`.

    Args:
        shelf: The available models.
        limits: See `Limits`.
        access: Who may use the server. Default: programs and browsers on this machine.
        opened: A photo for the page to open.
        access_log: Log every request at INFO.

    Returns:
        The application. `run` serves it with deadlines for slow connections, which uvicorn lacks.
    """
    limits = limits or Limits()
    access = access or Access()
    service = Service(shelf, limits, opened)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(service.warm_up())
        try:
            yield
        finally:
            warming.cancel()
            service.jobs.close()

    app = FastAPI(
        title="gatefill",
        version=gatefill.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own pages load scripts from another host
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    uploads = Uploads()

    def stop() -> None:
        service.jobs.close()
        uploads.end()

    app.state.stop = stop  # ends what clients wait for: they get 503
    add_handlers(app)
    router = APIRouter()
    api.add_routes(router, service)
    editor.add_routes(router, service)
    iopaint.add_routes(router, service)
    selection.add_routes(router, service)
    background.add_routes(router, service)
    _add_pages(router, access)
    app.include_router(router)
    # The middleware added last is the outermost.
    app.add_middleware(Deadlines, limits=limits, uploads=uploads)
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(Inflated)
    app.add_middleware(Guard, access=access)
    app.add_middleware(Errors)
    app.add_middleware(Counted, metrics=service.metrics, access_log=access_log)
    if access.cors:
        # Without credentials: pages of other sites send a token, never the editor's cookie.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=access.cors,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Content-Encoding"],
            expose_headers=_EXPOSED,
        )
    app.add_middleware(Head)
    app.add_middleware(Language)
    if access.root_path:
        app.add_middleware(Prefix, root_path=access.root_path)
    app.add_middleware(SafeHeaders)
    return app


def _add_pages(router: APIRouter, access: Access) -> None:
    """Add the editor's page, the API documentation, and their files."""

    @router.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return web_reply(request, "index.html")

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return web_reply(request, "docs.html")

    @router.get("/favicon.ico", include_in_schema=False)
    async def icon(request: Request) -> Response:
        return web_reply(request, "icon.svg")

    @router.get("/web/{name:path}", include_in_schema=False)
    async def file(request: Request, name: str) -> Response:
        return web_reply(request, name)

    @router.post(LOGIN, include_in_schema=False)
    async def login(request: Request) -> Response:
        return await log_in(request, access)
