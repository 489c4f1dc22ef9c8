"""Further routes of IOPaint and of its predecessor lama-cleaner, so that their clients work."""

from __future__ import annotations

from enum import Enum

from fastapi import APIRouter, Request, UploadFile
from fastapi.responses import Response

from gatefill.server.api import filled
from gatefill.server.errors import Refused
from gatefill.server.openapi import COMMON, IMAGE_REPLY, errors, form_body
from gatefill.server.reading import read_lama_cleaner
from gatefill.server.schema import GenInfo
from gatefill.server.service import Service

_TAG: list[str | Enum] = ["IOPaint"]
_SEED = {"sdSeed": {"type": "integer", "description": "Random seed; negative: a random one."}}
_FILES = {"image": "The photo.", "mask": "White = hole. Default: the photo's transparent part."}


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the routes that use `service`."""

    @router.post(
        "/inpaint",
        tags=_TAG,
        summary="Fill the hole of a photo, in the format of lama-cleaner",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(400, 415, 422, 503, 504),
        openapi_extra=form_body(_FILES, ["image"], _SEED),
    )
    async def inpaint(request: Request) -> Response:
        """Its other fields, such as `hdStrategy`, are ignored."""
        return await filled(request, service, await read_lama_cleaner(request))

    @router.get("/api/v1/samplers", tags=_TAG, summary="Samplers of diffusion models: none")
    async def samplers() -> list[str]:
        return []

    @router.post(
        "/api/v1/gen-info",
        tags=_TAG,
        summary="Prompts in an image of a diffusion model: none",
        responses=COMMON | errors(400, 422),
    )
    async def gen_info(file: UploadFile) -> GenInfo:  # noqa: ARG001 - not used
        return GenInfo()

    @router.get(
        "/api/v1/inputimage",
        tags=_TAG,
        summary="The photo that was named on the command line",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(404),
    )
    async def input_image() -> Response:
        if service.opened is None:
            raise Refused(404, "not found", "no photo was named on the command line")
        return Response(service.opened.data, media_type="application/octet-stream")

    @router.post(
        "/api/v1/save_image",
        tags=_TAG,
        summary="Refused: the server stores nothing",
        response_class=Response,
        responses=COMMON,
    )
    async def save_image() -> Response:
        """`enableAutoSaving` in /api/v1/server-config is false."""
        raise Refused(403, "forbidden", "this server stores no files: save the image yourself")
