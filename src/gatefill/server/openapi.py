"""Parts of the OpenAPI schema that FastAPI cannot derive."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from gatefill.server.schema import (
    EXAMPLE_IMAGE,
    EXAMPLE_MASK,
    Error,
    InpaintOptions,
    InpaintRequest,
    Layout,
)
from gatefill.server.work import MEDIA_TYPES

_TEXTS = {
    400: "An image or mask cannot be used; the detail says why.",
    401: "The token is missing or wrong.",
    403: "The Host or Origin header is not that of this server.",
    404: "There is no such model or file.",
    408: "The body took too long to arrive.",
    409: "The job has not ended.",
    413: "The request is too large.",
    415: "The content type of the body is not supported.",
    422: "A field is missing or wrong.",
    503: "All workers are busy and the queue is full; Retry-After gives the delay in seconds.",
    504: "The work took longer than the time limit.",
}
_FILE = {"type": "string", "format": "binary"}

IMAGE_REPLY: dict[str, Any] = {
    "content": {kind: {"schema": _FILE} for kind in MEDIA_TYPES.values()},
    "description": "The image as a file.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the responses to failed requests."""
    return {status: {"model": Error, "description": _TEXTS[status]} for status in statuses}


COMMON = errors(401, 403, 408, 413)


def _schema(kind: type[BaseModel]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    assert "$defs" not in schema, "bodies are flat"
    return schema


def json_body(kind: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON body with an example."""
    content = {"application/json": {"schema": _schema(kind), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _form(files: dict[str, str], required: list[str], fields: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _FILE | {"description": text} for name, text in files.items()} | fields
    return {"type": "object", "properties": properties, "required": required}


_INPAINT_FILES = {
    "image": "The photo.",
    "mask": "White = hole, of the photo's size. Default: the photo's transparent part.",
    "sketch": "White = edge, for models that accept a sketch.",
    "search": "White = region to copy from, for models that accept it.",
}

INPAINT_BODY: dict[str, Any] = json_body(
    InpaintRequest, {"image": EXAMPLE_IMAGE, "mask": EXAMPLE_MASK}
)
INPAINT_BODY["requestBody"]["content"]["multipart/form-data"] = {
    "schema": _form(_INPAINT_FILES, ["image"], _schema(InpaintOptions)["properties"])
}


def form_body(files: dict[str, str], required: list[str], fields: dict[str, Any]) -> dict[str, Any]:
    """Return a multipart body of files and fields."""
    content = {"multipart/form-data": {"schema": _form(files, required, fields)}}
    return {"requestBody": {"required": True, "content": content}}


def edit_body(mask: bool, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a photo in the editor, as a multipart body."""
    files = {"photo": "The file as it was opened."}
    if mask:
        files |= {
            "mask": "The painted part of the mask: opaque white = hole.",
            "sketch": "The same part of the sketch: opaque white = edge.",
            "take": "White = where material may come from; default: from everywhere.",
            "avoid": "White = where no material may come from.",
        }
    form = _form(files, ["photo", *(["mask"] if mask else [])], fields)
    form["properties"]["patch"] = {
        "type": "array",
        "items": _FILE,
        "description": "The patches of earlier fills, as they were sent, in order.",
    }
    form["properties"]["layout"] = {
        "type": "string",
        "description": f"JSON, {list(Layout.model_fields)}: (left, top) of the mask and patches.",
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


METRICS_REPLY: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Counters."}
}
OPENED_REPLIES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/octet-stream": {"schema": _FILE}},
        "description": "The file; X-Gatefill-Name is its name, percent-encoded.",
    },
    204: {"description": "None was named."},
}
JOB_EVENTS_REPLY: dict[str, Any] = {
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
    "description": "Events named after the state; their data is the state as JSON.",
}
EVENTS_REPLY: dict[str, Any] = {
    "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    "description": "A line of JSON for each event: state is waiting, working (with share), done "
    "(with patch, left, top, attention, warnings) or failed (with error and detail).",
}
