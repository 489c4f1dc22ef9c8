"""The routes that the editor's page uses.

The server is stateless. The page keeps the opened file and a patch per fill (the new pixels of the
hole, PNG with alpha, as sent by the server) and sends all of them with each request. So pixels are
never read from a browser's canvas, which would change them, and editing continues after a restart
of the server.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from gatefill.server import work
from gatefill.server.errors import described
from gatefill.server.jobs import QueuedJob
from gatefill.server.openapi import (
    COMMON,
    EVENTS_REPLY,
    IMAGE_REPLY,
    OPENED_REPLIES,
    edit_body,
    errors,
)
from gatefill.server.reading import read_edit
from gatefill.server.schema import EditOptions, FileOptions, Margins
from gatefill.server.service import Service

_TICK = 0.1  # minimum seconds between reports of progress
_Event = dict[str, Any]
_IF_NEEDED = {
    "if_needed": {"type": "string", "enum": ["true", "false"], "description": "See above."}
}
_NOT_NEEDED: dict[str, Any] = {"description": "A browser that supports the format shows the same."}
_FILL = EditOptions.model_json_schema()["properties"]
_FILE = FileOptions.model_json_schema()["properties"]


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the routes that use `service`."""
    pixels = service.limits.max_pixels

    @router.post(
        "/api/v1/editor/fill",
        tags=["editor"],
        summary="Fill a hole and follow the progress",
        response_class=StreamingResponse,
        responses={200: EVENTS_REPLY} | COMMON | errors(400, 404, 415, 422, 503),
        openapi_extra=edit_body(True, _FILL),
    )
    async def fill(request: Request) -> StreamingResponse:
        asked = await read_edit(request, needs_mask=True)
        options = EditOptions.model_validate_strings(asked.fields)
        model = service.shelf.get(options.model)
        events: asyncio.Queue[_Event] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        told = 0.0

        def report(share: float) -> None:
            nonlocal told
            if time.monotonic() - told >= _TICK:
                told = time.monotonic()
                event = {"state": "working", "share": round(share, 3)}
                loop.call_soon_threadsafe(events.put_nowait, event)

        job = service.jobs.submit(
            lambda ticket: work.fill_in(asked, options, model, pixels, ticket),
            report,
            need=await service.need(asked.photo, model),
        )
        return StreamingResponse(_lines(job, events, service), media_type="application/x-ndjson")

    @router.post(
        "/api/v1/editor/compose",
        tags=["editor"],
        summary="The edited photo as a file for download",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(400, 415, 422, 503, 504),
        openapi_extra=edit_body(False, _FILE),
    )
    async def compose(request: Request) -> Response:
        """In the opened file's own format, with its EXIF data and color profile, or in another."""
        asked = await read_edit(request)
        options = FileOptions.model_validate_strings(asked.fields)
        return _sent(
            await service.run(
                request,
                lambda _: work.composed(asked, options, pixels),
                await service.need(asked.photo),
            )
        )

    @router.post(
        "/api/v1/editor/preview",
        tags=["editor"],
        summary="A photo for display, with its orientation applied",
        response_class=Response,
        responses={200: IMAGE_REPLY, 204: _NOT_NEEDED} | COMMON | errors(400, 415, 422, 503, 504),
        openapi_extra=edit_body(False, _IF_NEEDED),
    )
    async def preview(request: Request) -> Response:
        """Return an upright PNG, or JPEG for a JPEG, independent of the browser's EXIF support.

        With `if_needed` the response is empty (204) if the file has no EXIF orientation, since a
        browser that can decode it shows the same. X-Gatefill-Size is its width and height.
        """
        asked = await read_edit(request)
        needed = asked.fields.get("if_needed") != "true"
        file, size = await service.run(
            request, lambda _: work.preview(asked, needed, pixels), await service.need(asked.photo)
        )
        headers = {"X-Gatefill-Size": f"{size[0]}x{size[1]}"}
        if file is None:
            return Response(status_code=204, headers=headers)
        return Response(file.data, media_type=file.media_type, headers=headers)

    @router.post(
        "/api/v1/editor/mask",
        tags=["editor"],
        summary="A mask from a file, as a layer for the page",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(400, 415, 422, 503, 504),
        openapi_extra=edit_body(True, {}),
    )
    async def mask(request: Request) -> Response:
        """Return a PNG of the photo's size: white in the hole, transparent elsewhere.

        The mask is read as for a fill. A mask of another size but the aspect ratio of the photo is
        stretched; the header X-Gatefill-Stretched then has its original size.
        """
        asked = await read_edit(request, needs_mask=True)
        file, said, stretched = await service.run(
            request, lambda _: work.read_in(asked, pixels), await service.need(asked.photo)
        )
        headers = {"X-Gatefill-Warnings": json.dumps([each.as_dict() for each in said])}
        if stretched is not None:
            headers["X-Gatefill-Stretched"] = f"{stretched[0]}x{stretched[1]}"
        return Response(file.data, media_type=file.media_type, headers=headers)

    @router.post(
        "/api/v1/editor/transparent",
        tags=["editor"],
        summary="The transparent part of a photo, as a layer for the page",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(400, 415, 422, 503, 504),
        openapi_extra=edit_body(False, {}),
    )
    async def transparent(request: Request) -> Response:
        """Return a PNG of the photo's size: white where the photo is transparent."""
        asked = await read_edit(request)
        need = await service.need(asked.photo)
        file = await service.run(request, lambda _: work.transparent(asked, pixels), need)
        return Response(file.data, media_type=file.media_type)

    @router.post(
        "/api/v1/editor/extend",
        tags=["editor"],
        summary="The edited photo with transparent margins",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(400, 415, 422, 503, 504),
        openapi_extra=edit_body(False, Margins.model_json_schema()["properties"]),
    )
    async def extend(request: Request) -> Response:
        """Return a PNG with the photo's metadata, to be opened and filled."""
        asked = await read_edit(request)
        margins = Margins.model_validate_strings(asked.fields)
        return _sent(
            await service.run(
                request,
                lambda _: work.extended(asked, margins, pixels),
                await service.need(asked.photo),
            )
        )

    @router.get(
        "/api/v1/editor/opened",
        tags=["editor"],
        summary="The photo given on the command line",
        response_class=Response,
        responses=OPENED_REPLIES | COMMON,
    )
    async def opened() -> Response:
        if service.opened is None:
            return Response(status_code=204)
        return Response(
            service.opened.data,
            media_type="application/octet-stream",
            headers={"X-Gatefill-Name": service.opened.name},
        )


async def _lines(
    job: QueuedJob[dict[str, Any]], events: asyncio.Queue[_Event], service: Service
) -> AsyncIterator[bytes]:
    """Yield the events of a job as lines of JSON; closing the stream cancels the job."""
    result = asyncio.create_task(job.result())
    try:
        yield _line({"state": "waiting"})
        while not result.done():
            event = asyncio.create_task(events.get())
            await asyncio.wait({result, event}, return_when=asyncio.FIRST_COMPLETED)
            if event.done():
                yield _line(event.result())
            else:
                event.cancel()
        try:
            done = result.result()
        except Exception as error:
            told = described(error)
            yield _line({"state": "failed", "status": told.status} | told.as_dict())
        else:
            service.metrics.filled(done["model"], done.pop("pixels"), done["seconds"])
            yield _line({"state": "done"} | done)
    finally:
        result.cancel()
        job.cancel()


def _line(event: _Event) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def _sent(file: work.File) -> Response:
    headers = {
        "X-Gatefill-Suffix": file.suffix,
        "X-Gatefill-Warnings": json.dumps(
            [{"code": each.code, "text": each.text} for each in file.warnings]
        ),
    }
    return Response(file.data, media_type=file.media_type, headers=headers)
