"""What the clients of IOPaint and lama-cleaner send is understood, and they read our replies."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from gatefill.errors import ConfigError
from gatefill.inpainter import Inpainter
from gatefill.methods.hybrid import Hybrid
from gatefill.methods.patchmatch import PatchMatch
from tests.server.serving import (
    Server,
    array_of,
    base64_of,
    file_of,
    hole,
    photo,
    serving,
    upload,
)


@pytest.fixture(scope="module")
def patches() -> Iterator[Server]:
    """A server whose default is a method with a random seed."""
    with serving("--patchmatch") as found:
        yield found


def body(**fields: Any) -> dict[str, Any]:
    return {"image": base64_of(file_of(photo())), "mask": base64_of(file_of(hole()))} | fields


def sent(client: httpx.Client, **fields: Any) -> httpx.Response:
    return client.post("/api/v1/inpaint", json=body(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"sd_seed": "42"},
        {"sd_seed": 42.0},
        {"sd_seed": "42.0"},
        {"grow": "2"},
        {"grow": 2.0},
        {"invert_mask": "false"},
        {"invert_mask": 0},
        {"quality": "90", "threshold": "127"},
        {"hd_strategy_crop_margin": "128", "sd_scale": "1.0", "cv2_radius": 4.0},
    ],
)
def test_numbers_may_be_text(client: httpx.Client, fields: dict[str, Any]) -> None:
    reply = sent(client, **fields)
    assert reply.status_code == 200, reply.text
    plain = sent(client, grow=2) if "grow" in fields else sent(client)
    assert reply.content == plain.content


@pytest.mark.parametrize("fields", [{"sd_seed": "one"}, {"sd_seed": 4.5}, {"grow": "2000"}])
def test_text_that_is_no_number_is_refused(client: httpx.Client, fields: dict[str, Any]) -> None:
    assert sent(client, **fields).status_code == 422


@pytest.mark.parametrize("name", ["lama", "LaMa", "cv2", "runwayml/stable-diffusion-inpainting"])
def test_the_default_stands_in_for_their_models(client: httpx.Client, name: str) -> None:
    reply = sent(client, model=name)
    assert reply.status_code == 200
    assert reply.headers["x-gatefill-model"] == "telea"
    (warning,) = json.loads(reply.headers["x-gatefill-warnings"])
    assert warning["code"] == "server.other_model"
    assert name in warning["text"]
    assert upload(client, file_of(photo()), file_of(hole()), model=name).status_code == 200


def test_an_empty_name_is_the_default(client: httpx.Client) -> None:
    reply = sent(client, model="")
    assert reply.status_code == 200
    assert reply.headers["x-gatefill-warnings"] == "[]"


@pytest.mark.parametrize("name", ["telae", "../lama", "a/b/c", "/lama"])
def test_other_names_are_refused(client: httpx.Client, name: str) -> None:
    assert sent(client, model=name).status_code == 404


def test_an_empty_mask_is_none(client: httpx.Client) -> None:
    erased = np.dstack([photo(), 255 - hole()])
    image = base64_of(file_of(erased))
    filled = sent(client, image=image, mask="", sketch="", search="")
    assert filled.status_code == 200
    result = array_of(filled.content)
    assert (result[hole() == 0, :3] == photo()[hole() == 0]).all()
    assert (result[hole() > 0, :3] != photo()[hole() > 0]).any()
    assert sent(client, mask="").status_code == 400  # nothing tells where the hole is


@pytest.mark.parametrize("size", [30, 31, 32])
def test_base64_may_be_url_safe_and_unpadded(client: httpx.Client, size: int) -> None:
    data = file_of(photo(size, size))
    text = base64.urlsafe_b64encode(data).decode()
    assert "-" in text
    mask = base64_of(file_of(hole(size, size)))
    plain = sent(client, image=base64_of(data), mask=mask)
    assert plain.status_code == 200
    for given in (text, text.rstrip("=")):
        reply = sent(client, image=given, mask=mask.rstrip("="))
        assert reply.status_code == 200
        assert reply.content == plain.content
    assert sent(client, image="A", mask=mask).status_code == 422


def test_errors_are_where_their_page_looks(client: httpx.Client) -> None:
    told = sent(client, image=base64_of(b"none")).json()
    assert told["errors"] == told["detail"]


def test_the_seed_told_is_the_seed_used(patches: Server) -> None:
    with patches.client() as client:
        default = sent(client)
        assert default.headers["x-seed"] == "0"
        fills = [sent(client, **given) for given in ({"seed": 0}, {"seed": 7}, {"sd_seed": "7"})]
        assert [each.headers["x-seed"] for each in fills] == ["0", "7", "7"]
        assert fills[0].content == default.content
        assert fills[1].content == fills[2].content != default.content
        chosen = sent(client, sd_seed=-1)
        seed = chosen.headers["x-seed"]
        assert sent(client, sd_seed=-1).headers["x-seed"] != seed
        assert sent(client, seed=int(seed)).content == chosen.content
        form = upload(client, file_of(photo()), file_of(hole()), seed="7")
        assert form.content == fills[1].content


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match="seed"):
        Inpainter(PatchMatch()).seeded(seed)


def test_a_seed_reaches_the_patches_of_a_hybrid() -> None:
    network = PatchMatch()  # any method can steer
    one = Hybrid(network)
    other = one.seeded(5)
    assert (one.seed, other.seed) == (0, 5)
    assert other.network is network
    mask = hole() > 0
    image = photo().astype(np.float32) / 255
    fills = [method.fill(image, mask).image for method in (one, other, one.seeded(0))]
    assert (fills[0] == fills[2]).all()
    assert (fills[0] != fills[1]).any()


def test_the_form_of_lama_cleaner_is_filled(client: httpx.Client, patches: Server) -> None:
    files = {"image": ("photo.png", file_of(photo())), "mask": ("blob", file_of(hole()))}
    fields = {"ldmSteps": "25", "hdStrategy": "Crop", "zitsWireframe": "true", "sizeLimit": "2048"}
    reply = client.post("/inpaint", files=files, data=fields | {"sdSeed": "-1"})
    assert reply.status_code == 200
    assert reply.content == upload(client, file_of(photo()), file_of(hole())).content
    with patches.client() as other:
        reply = other.post("/inpaint", files=files, data=fields | {"sdSeed": "7"})
        assert reply.headers["x-seed"] == "7"
        assert reply.content == sent(other, seed=7).content
    assert client.post("/inpaint", content=b"").status_code == 415


def test_their_page_can_start(client: httpx.Client) -> None:
    assert client.get("/api/v1/samplers").json() == []
    assert client.get("/api/v1/inputimage").status_code == 404
    info = client.post("/api/v1/gen-info", files={"file": file_of(photo())})
    assert info.json() == {"prompt": "", "negative_prompt": ""}
    assert client.get("/api/v1/server-config").json()["enableAutoSaving"] is False
    refused = client.post("/api/v1/save_image", files={"file": file_of(photo())})
    assert refused.status_code == 403
    assert "stores no files" in refused.json()["errors"]
