"""Parse request bodies into image files and validated options."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gatefill.images import ImageError
from gatefill.server.errors import Refused
from gatefill.server.schema import InpaintOptions, InpaintRequest, Layout

M = TypeVar("M", bound=BaseModel)

_MAX_FIELDS = 64  # IOPaint's request has 46 fields
_MAX_FIELD_BYTES = 64 << 10
_MAX_FILES = 520
_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True)
class InpaintInput:
    """The parsed request of a fill; images are encoded files."""

    options: InpaintOptions
    image: bytes
    mask: bytes | None
    sketch: bytes | None
    search: bytes | None


@dataclass(frozen=True)
class EditInput:
    """The state of a photo in the editor: the opened file and the patches of all fills."""

    photo: bytes
    patches: list[bytes]
    layout: Layout
    mask: bytes | None
    sketch: bytes | None
    take: bytes | None
    avoid: bytes | None
    fields: dict[str, str]


async def read_json(request: Request, kind: type[M]) -> M:
    """Parse the body as JSON of the given type. Raises ValidationError or Refused."""
    if content_type(request) != "application/json":
        raise Refused(415, "unsupported media type", "expected a body of type application/json")
    return kind.model_validate_json(await request.body())


async def read_inpaint(request: Request) -> InpaintInput:
    """Parse an inpaint request: JSON with base64, or multipart with files."""
    kind = content_type(request)
    if kind == "application/json":
        asked = await read_json(request, InpaintRequest)
        return InpaintInput(
            asked,
            decoded(asked.image, "image"),
            _decoded_or_none(asked.mask, "mask"),
            _decoded_or_none(asked.sketch, "sketch"),
            _decoded_or_none(asked.search, "search"),
        )
    form = await _form(request)
    try:
        options = InpaintOptions.model_validate_strings(_fields(form))
        return InpaintInput(
            options,
            await _file(form, "image"),
            await _file_or_none(form, "mask"),
            await _file_or_none(form, "sketch"),
            await _file_or_none(form, "search"),
        )
    finally:
        await form.close()


async def read_lama_cleaner(request: Request) -> InpaintInput:
    """The form that lama-cleaner, IOPaint's predecessor, takes at /inpaint."""
    form = await _form(request)
    try:
        options = InpaintOptions.model_validate({"sd_seed": _fields(form).get("sdSeed") or None})
        image, mask = await _file(form, "image"), await _file_or_none(form, "mask")
        return InpaintInput(options, image, mask, None, None)
    finally:
        await form.close()


async def read_selection(request: Request) -> tuple[bytes, bytes | None, dict[str, str]]:
    """The photo, the scribble and the fields of a request for a mask."""
    form = await _form(request)
    try:
        scribble = await _file_or_none(form, "scribble")
        return await _file(form, "image"), scribble, _fields(form)
    finally:
        await form.close()


async def read_edit(request: Request, *, needs_mask: bool = False) -> EditInput:
    """Parse the multipart body that the editor sends."""
    form = await _form(request)
    try:
        fields = _fields(form)
        try:
            layout = Layout.model_validate_json(fields.get("layout", "{}"))
        except ValidationError as error:
            raise Refused(422, "wrong field", "layout: expected JSON of places") from error
        patches = [await _content(part, "patch") for part in form.getlist("patch")]
        if len(patches) != len(layout.patches):
            raise Refused(
                422,
                "wrong field",
                f"expected a place for each of {len(patches)} patches, got {len(layout.patches)}",
            )
        return EditInput(
            await _file(form, "photo"),
            patches,
            layout,
            await _file(form, "mask") if needs_mask else None,
            await _file_or_none(form, "sketch"),
            await _file_or_none(form, "take"),
            await _file_or_none(form, "avoid"),
            fields,
        )
    finally:
        await form.close()


def content_type(request: Request) -> str:
    """The body's media type without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _form(request: Request) -> FormData:
    if content_type(request) != "multipart/form-data":
        raise Refused(
            415,
            "unsupported media type",
            "expected a body of type multipart/form-data, or application/json where it is taken",
        )
    try:
        return await request.form(
            max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES
        )
    except FormParserError as error:  # newer Starlettes make it this themselves
        raise HTTPException(400, str(error)) from error


def _fields(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


async def _file(form: FormData, name: str) -> bytes:
    found = await _file_or_none(form, name)
    if found is None:
        raise Refused(422, "wrong field", f"{name}: expected a file, got none")
    return found


async def _file_or_none(form: FormData, name: str) -> bytes | None:
    parts = [part for part in form.getlist(name) if part != ""]
    if not parts:
        return None
    if len(parts) > 1:
        raise Refused(422, "wrong field", f"{name}: expected one file, got {len(parts)}")
    return await _content(parts[0], name)


async def _content(part: UploadFile | str, name: str) -> bytes:
    if isinstance(part, str):
        raise Refused(422, "wrong field", f"{name}: expected a file with a name, got a text field")
    data = await part.read()
    if not data:
        raise ImageError(f"{name} is empty", code="image.empty", name=name)
    return data


def decoded(text: str, name: str) -> bytes:
    """Decode base64 with or without a data-URI prefix."""
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise Refused(422, "wrong field", f"{name}: expected a data URI in base64")
    try:
        return base64.b64decode(_padded("".join(text.split())), validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "wrong field", f"{name}: expected an image in base64") from None


def _padded(text: str) -> str:
    """Base64 in the standard alphabet and with padding, as clients may leave out either."""
    plain = text.translate(_URL_SAFE).rstrip("=")
    return plain + "=" * (-len(plain) % 4)


def _decoded_or_none(text: str | None, name: str) -> bytes | None:
    return decoded(text, name) if text else None
