"""The service does what its OpenAPI says, for whatever schemathesis makes up."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from tests.server.serving import Server

schemathesis = pytest.importorskip("schemathesis")


# As in IOPaint, "42" is a number there.
_LAX = ("/api/v1/inpaint", "/api/v1/adjust_mask")


@pytest.mark.parametrize("mode", [pytest.param("positive", marks=pytest.mark.slow), "negative"])
def test_replies_are_those_described(server: Server, mode: str) -> None:
    described = schemathesis.openapi.from_url(server.url + "openapi.json")
    # Letters in base64 that are an image cannot be made up: being accepted is tested elsewhere.
    left_out = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]
    # A form knows no types: a list of one text is sent like the text itself.
    of_forms = [*left_out, schemathesis.checks.CHECKS.get_one("negative_data_rejection")]
    tried = 0
    for found in described.get_all_operations():
        operation = found.ok()
        if mode == "negative" and not operation.body:
            continue  # nothing could be wrong

        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        @settings(max_examples=20, suppress_health_check=list(HealthCheck))
        def check(case: Any) -> None:
            lax = case.media_type == "multipart/form-data" or case.path in _LAX
            case.call_and_validate(excluded_checks=of_forms if lax else left_out)

        check()
        tried += 1
    assert tried >= 6


def test_every_example_works(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    tried = 0
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            schema = body.get("schema", {})
            if "$ref" in schema:
                schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            example = body.get("example", schema.get("example"))
            if example is None:
                continue
            reply = client.request(method, path, json=example)
            expected = {"/api/v1/model": 404, "/jobs": 202}.get(path, 200)
            assert reply.status_code == expected, path
            tried += 1
    assert tried == 4


def test_every_route_of_programs_is_described(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    paths = set(described["paths"])
    assert paths >= {
        "/api/v1/inpaint",
        "/api/v1/methods",
        "/api/v1/server-config",
        "/api/v1/model",
        "/api/v1/adjust_mask",
        "/api/v1/samplers",
        "/inpaint",
        "/jobs",
        "/jobs/{id}",
        "/jobs/{id}/events",
        "/jobs/{id}/result",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    for path, methods in described["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["tags"], path
