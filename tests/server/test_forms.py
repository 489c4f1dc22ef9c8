"""Forms of the service: what they promise, and that FastAPI's own forms do not keep it.

That is why `gatefill.server.reading` parses them and `gatefill.server.openapi` describes them. Once
FastAPI keeps these promises, the second half fails, and both can go.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import httpx
import pytest

pytest.importorskip("fastapi")

from fastapi import Body, FastAPI, Form, UploadFile
from pydantic import BaseModel

from tests.server.serving import base64_of, file_of, hole, photo

Part = tuple[str, tuple[str | None, bytes]]
IMAGE: Part = ("image", ("photo", file_of(photo())))
MASK: Part = ("mask", ("mask", file_of(hole())))
NO_MASK: Part = ("mask", (None, b""))  # as lama-cleaner's clients send one that is not there
ROUTES = ("/api/v1/inpaint", "/inpaint", "/jobs", "/api/v1/mask/dust")
EDITOR = ("fill", "compose", "preview", "mask", "transparent", "extend", "select/dust")


def fields(number: int) -> list[Part]:
    return [(f"field{each}", (None, b"1")) for each in range(number)]


def test_the_routes_here_are_all_that_take_forms(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    forms = {
        path.replace("{kind}", "dust")
        for path, methods in paths.items()
        if "multipart/form-data"
        in methods.get("post", {}).get("requestBody", {}).get("content", {})
    }
    assert forms == {*ROUTES, *(f"/api/v1/editor/{name}" for name in EDITOR), "/api/v1/gen-info"}


@pytest.mark.parametrize("route", [*ROUTES, *(f"/api/v1/editor/{name}" for name in EDITOR)])
def test_forms_are_strict_about_their_parts(client: httpx.Client, route: str) -> None:
    name, photo_of = ("photo" if "editor" in route else "image"), IMAGE[1]
    parts = [(name, photo_of), MASK]
    read = client.post(route, files=parts)  # if not all of these routes have a use for it
    assert read.status_code in (200, 202, 204) or read.json()["error"].startswith("unusable")
    assert client.post(route, content=b"x").status_code == 415
    assert client.post(route, data={"image": "x"}).status_code == 415  # urlencoded
    assert client.post(route, files=[*parts, (name, photo_of)]).status_code == 422
    assert client.post(route, files=[*parts, *fields(100)]).json()["error"] == "bad request"


@pytest.mark.parametrize("route", ["/api/v1/inpaint", "/inpaint", "/jobs"])
def test_an_empty_field_is_no_file(client: httpx.Client, route: str) -> None:
    clear = photo(channels=4)
    clear[:10, :10, 3] = 0
    parts = [("image", ("photo", file_of(clear))), NO_MASK]
    assert client.post(route, files=parts).status_code in (200, 202)


class _Images(BaseModel):
    image: UploadFile
    mask: UploadFile | None = None


def _own() -> FastAPI:
    app = FastAPI()

    @app.post("/form")
    async def form(images: Annotated[_Images, Form()]) -> list[str]:
        return list(images.model_fields_set)

    @app.post("/both")
    async def both(
        image: Annotated[str | None, Body()] = None, file: UploadFile | None = None
    ) -> list[bool]:
        return [image is not None, file is not None]

    return app


async def _post(path: str, **sent: Any) -> httpx.Response:
    transport = httpx.ASGITransport(_own())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post(path, **sent)


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ({"content": b"x"}, 415),
        ({"files": [IMAGE, IMAGE]}, 422),
        ({"files": [IMAGE, *fields(100)]}, 400),
    ],
)
def test_fastapis_own_forms_are_not_strict(sent: dict[str, Any], wanted: int) -> None:
    assert asyncio.run(_post("/form", files=[IMAGE, MASK])).status_code == 200
    assert asyncio.run(_post("/form", **sent)).status_code != wanted


def test_fastapi_does_not_read_json_and_files_in_one_route() -> None:
    assert asyncio.run(_post("/both", files=[("file", IMAGE[1])])).json() == [False, True]
    reply = asyncio.run(_post("/both", json={"image": base64_of(IMAGE[1][1])}))
    assert reply.json() != [True, False]
