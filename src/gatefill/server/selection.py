"""The routes that find an object, people, text, or dust in a photo and return a mask."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from numpy.typing import NDArray

from gatefill.errors import MaskError
from gatefill.images import Photo, grown, read_photo, read_plane
from gatefill.masks import select_dust, select_object, select_people, select_text
from gatefill.server import work
from gatefill.server.jobs import Ticket
from gatefill.server.openapi import COMMON, IMAGE_REPLY, edit_body, errors, form_body
from gatefill.server.reading import read_edit, read_selection
from gatefill.server.schema import SelectOptions
from gatefill.server.service import Service

Kind = Literal["object", "people", "text", "dust"]
_OPTIONS = SelectOptions.model_json_schema()["properties"]
_FILES = {
    "image": "The photo.",
    "scribble": "White = lines drawn over the object, of the photo's size.",
}
_REPLIES: dict[int | str, dict[str, Any]] = (
    {200: IMAGE_REPLY} | COMMON | errors(400, 415, 422, 503, 504)
)


def add_routes(router: APIRouter, service: Service) -> None:
    """Add the routes that use `service`."""
    pixels = service.limits.max_pixels

    @router.post(
        "/api/v1/mask/{kind}",
        tags=["fill"],
        summary="Find an object, people, text, or dust and scratches",
        response_class=Response,
        responses=_REPLIES,
        openapi_extra=form_body(_FILES, ["image"], _OPTIONS),
    )
    async def select(request: Request, kind: Kind) -> Response:
        """Return a PNG of the photo's size: white and opaque in the mask, transparent elsewhere."""
        image, scribble, fields = await read_selection(request)
        options = SelectOptions.model_validate_strings(fields)

        def found(_: Ticket) -> work.File:
            photo = read_photo(image, max_pixels=pixels)
            drawn = None
            if scribble is not None:
                drawn = read_plane(scribble, photo, "scribble", max_pixels=pixels)
            return work.layer(grown(_selected(photo, kind, options, drawn), options.grow))

        file = await service.run(request, found, await service.need(image))
        return Response(file.data, media_type=file.media_type)

    @router.post(
        "/api/v1/editor/select/{kind}",
        tags=["editor"],
        summary="Find an object, people, text, or dust in the edited photo",
        response_class=Response,
        responses=_REPLIES,
        openapi_extra=edit_body(False, _OPTIONS),
    )
    async def select_edited(request: Request, kind: Kind) -> Response:
        """Return a PNG of the photo's size. The file `sketch` is the scribble."""
        asked = await read_edit(request)
        options = SelectOptions.model_validate_strings(asked.fields)

        def found(_: Ticket) -> work.File:
            photo = work.rebuilt(asked, pixels)
            drawn = None
            if asked.sketch is not None:
                place = asked.layout.mask
                drawn = work.placed(asked.sketch, place, photo, "scribble", pixels)
            mask = _selected(photo, kind, options, drawn)
            if not mask.any():
                raise MaskError("nothing was found", code="select.nothing", kind=kind)
            return work.layer(grown(mask, options.grow))

        file = await service.run(request, found, await service.need(asked.photo))
        return Response(file.data, media_type=file.media_type)


def _selected(
    photo: Photo, kind: Kind, options: SelectOptions, scribble: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    if kind == "object":
        return select_object(photo, options.corners, scribble=scribble)
    if kind == "people":
        return select_people(photo, options.corners)
    if kind == "text":
        return select_text(photo)
    return select_dust(photo, width=options.width, sensitivity=options.sensitivity)
