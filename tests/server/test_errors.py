"""What clients are told of errors: a code and values for theirs, nothing of ours."""

from __future__ import annotations

import json

import httpx
import pytest

from gatefill.errors import ConfigError, GatefillError, MaskError, WeightsError
from gatefill.images import ImageError
from gatefill.server.errors import Refused, described, reply
from gatefill.server.jobs import Busy, Stopped, TimeUp
from gatefill.server.models import UnknownModel
from tests.server.serving import file_of, hole, photo


@pytest.mark.parametrize(
    ("error", "status", "name", "code"),
    [
        (ImageError("no image", code="image.unknown"), 400, "unusable image", "image.unknown"),
        (MaskError("no mask", code="mask.size"), 400, "unusable image", "mask.size"),
        (ConfigError("no", code="mask.grow"), 400, "unusable request", "mask.grow"),
        (WeightsError("no", code="weights.file"), 400, "unusable request", "weights.file"),
        (GatefillError("no"), 400, "unusable request", "input"),
        (UnknownModel("no", code="server.unknown_model"), 404, "unknown model", None),
        (Refused(422, "wrong field", "no"), 422, "wrong field", "server.wrong_field"),
        (Busy(3), 503, "busy", "server.busy"),
        (TimeUp("long"), 504, "time limit", "server.time_limit"),
        (Stopped(), 503, "stopping", "server.stopping"),
        (MemoryError(), 503, "out of memory", "server.out_of_memory"),
        # a bare ValueError or broadcasting error comes from inside
        (ValueError("operands could not be broadcast"), 500, "internal error", None),
        (GatefillError("no", code="method.not_finite"), 500, "internal error", None),
        (KeyError("secret"), 500, "internal error", "server.internal_error"),
        (FileNotFoundError("/secret"), 500, "internal error", "server.internal_error"),
    ],
)
def test_only_what_a_client_sent_is_its_fault(
    error: Exception, status: int, name: str, code: str | None
) -> None:
    told = described(error)
    assert (told.status, told.error) == (status, name)
    assert told.code == (code or f"server.{name.replace(' ', '_')}")
    body = json.loads(bytes(reply(error).body))
    assert set(body) == {"error", "detail", "errors", "message", "code", "values"}
    assert body["errors"] == body["detail"]
    if status == 500:
        assert "secret" not in body["detail"]
        assert "broadcast" not in body["detail"]


def test_replies_carry_code_and_values(client: httpx.Client) -> None:
    small = hole()[::2, ::2]
    files = {"image": ("i", file_of(photo())), "mask": ("m", file_of(small))}
    told = client.post("/api/v1/inpaint", files=files)
    assert told.status_code == 400
    body = told.json()
    assert body["code"] == "mask.size"
    assert (body["values"]["width"], body["values"]["photo_width"]) == (32, 64)
    told = client.post("/api/v1/inpaint", files=files, data={"model": "telae"})
    assert told.status_code == 404
    assert told.json()["code"] == "server.unknown_model"
    assert "did you mean telea" in told.json()["detail"]
