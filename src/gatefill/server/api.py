"""The HTTP routes for programs; those that IOPaint has as well are compatible with it."""

from __future__ import annotations

import dataclasses
import json
import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

import gatefill
from gatefill.errors import Warning
from gatefill.methods import METHODS, MethodInfo
from gatefill.result import Result
from gatefill.server import work
from gatefill.server.jobs import QueuedJob, Report, Ticket
from gatefill.server.language import message
from gatefill.server.models import Model
from gatefill.server.openapi import (
    COMMON,
    IMAGE_REPLY,
    INPAINT_BODY,
    METRICS_REPLY,
    errors,
)
from gatefill.server.reading import InpaintInput, decoded, read_inpaint
from gatefill.server.schema import (
    AdjustMaskRequest,
    InpaintOptions,
    MethodRow,
    Methods,
    ModelInfo,
    ModelRow,
    ServerConfig,
    ServerState,
    SwitchModelRequest,
)
from gatefill.server.service import Service


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the routes that use `service`."""

    @router.post(
        "/api/v1/inpaint",
        tags=["fill"],
        summary="Fill the hole of a photo",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(400, 404, 415, 422, 503, 504),
        openapi_extra=INPAINT_BODY,
    )
    async def inpaint(request: Request) -> Response:
        """Fill the hole and return the photo in its own format, with all known pixels unchanged.

        PNG, TIFF and lossless WebP are returned upright. A JPEG keeps its stored orientation and
        EXIF tag, and all blocks of 8x8 pixels outside the hole.

        Send JSON with base64 as IOPaint's clients do, or multipart with files. JPEG, PNG, WebP,
        TIFF, BMP, GIF and PNM are read. Closing the connection cancels the fill.
        """
        return await filled(request, service, await read_inpaint(request))

    @router.get("/api/v1/methods", tags=["about"], summary="All methods, and the available models")
    async def methods() -> Methods:
        return Methods(
            methods=[MethodRow(**_row(info)) for info in METHODS.values()],
            models=[
                ModelRow(
                    model=model.name,
                    weights=model.weights,
                    chosen=model is service.shelf.chosen,
                    seeded=model.seed is not None,
                    **_row(model.info),
                )
                for model in service.shelf.all()
            ],
        )

    @router.get("/api/v1/server-config", tags=["about"], summary="Models and limits")
    async def server_config() -> ServerConfig:
        """The response of IOPaint; features that gatefill lacks are off."""
        limits = service.limits
        return ServerConfig(
            version=gatefill.__version__,
            max_bytes=limits.max_bytes,
            max_pixels=limits.max_pixels,
            seconds=limits.seconds,
            modelInfos=[_iopaint(model) for model in service.shelf.all()],
        )

    @router.get("/api/v1/model", tags=["about"], summary="The default model")
    async def model() -> ModelInfo:
        return _iopaint(service.shelf.chosen)

    @router.post(
        "/api/v1/model",
        tags=["about"],
        summary="Change the default model",
        responses=COMMON | errors(400, 404, 422),
    )
    async def switch_model(asked: SwitchModelRequest) -> ModelInfo:
        """Change it for all clients; `model` in a request applies to that request only."""
        return _iopaint(service.shelf.choose(asked.name))

    @router.post(
        "/api/v1/adjust_mask",
        tags=["fill"],
        summary="Dilate, erode or invert a mask",
        response_class=Response,
        responses={200: IMAGE_REPLY} | COMMON | errors(400, 422, 503, 504),
    )
    async def adjust_mask(request: Request, asked: AdjustMaskRequest) -> Response:
        """Return a PNG: white in the hole, transparent elsewhere."""
        data = decoded(asked.mask, "mask")
        file = await service.run(
            request,
            lambda _: work.adjusted(
                data, asked.operate, asked.kernel_size, service.limits.max_pixels
            ),
            await service.need(data),
        )
        return Response(file.data, media_type=file.media_type)

    @router.get("/healthz", tags=["about"], summary="Whether the server is running")
    async def healthz() -> ServerState:
        return ServerState(status="ok")

    @router.get(
        "/readyz",
        tags=["about"],
        summary="Whether the models are loaded and warmed up",
        responses={503: {"model": ServerState, "description": "Not yet."}},
    )
    async def readyz() -> Response:
        status, text = (200, "ok") if service.warm else (503, "starting")
        return JSONResponse({"status": text}, status)

    @router.get(
        "/metrics",
        tags=["about"],
        summary="Counters for Prometheus",
        response_class=Response,
        responses=METRICS_REPLY | COMMON,
    )
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type="text/plain; version=0.0.4")


async def filled(request: Request, service: Service, asked: InpaintInput) -> Response:
    """Respond to a request for a fill."""
    job = await fill_job(service, asked)
    return await service.answer(request, job)


async def fill_job(
    service: Service, asked: InpaintInput, report: Report | None = None
) -> QueuedJob[Response]:
    """Queue a fill whose result is the response. report: see `Jobs.submit`."""
    model, said = service.shelf.stand_in(asked.options.model)
    seed = _seed(asked.options)
    frame = asked.options
    least = frame.extender_width * frame.extender_height if frame.use_extender else 0
    need = await service.need(asked.image, model, least)

    def fill(ticket: Ticket) -> Response:
        file, result = work.inpaint(asked, model, seed, service.limits.max_pixels, ticket)
        service.metrics.filled(model.name, result.mask.size, result.seconds)
        headers = _about(result, model, file, said)
        used = model.seed if seed is None else seed
        if used is not None:
            headers["X-Seed"] = str(used)
        return Response(file.data, media_type=file.media_type, headers=headers)

    return service.jobs.submit(fill, report, need=need)


def _seed(options: InpaintOptions) -> int | None:
    """Return the random seed that a request asks for; None for the method's own."""
    if options.seed is not None or options.sd_seed is None:
        return options.seed
    # In IOPaint, -1 means a random seed.
    return secrets.randbits(31) if options.sd_seed < 0 else options.sd_seed % 2**64


def _row(info: MethodInfo) -> dict[str, Any]:
    known = MethodRow.model_fields
    return {name: value for name, value in dataclasses.asdict(info).items() if name in known}


def _iopaint(model: Model) -> ModelInfo:
    return ModelInfo(name=model.name, path=model.name)


def _about(
    result: Result, model: Model, file: work.File, more: tuple[Warning, ...]
) -> dict[str, str]:
    """Return data about a fill as ASCII headers."""
    said = (*more, *result.warnings, *file.warnings)
    warnings = [
        {"code": each.code, "text": message(each.code, each.text, each.values)} for each in said
    ]
    return {
        "X-Gatefill-Model": model.name.encode("ascii", "backslashreplace").decode(),
        "X-Gatefill-Seconds": f"{result.seconds:.3f}",
        "X-Gatefill-Warnings": json.dumps(warnings),
    }
