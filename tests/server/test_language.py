"""Sentences for people, in English or Korean."""

from __future__ import annotations

import asyncio
import json
import re

import httpx
import pytest

pytest.importorskip("fastapi")

from starlette.types import Scope

from gatefill.server.errors import Refused, described
from gatefill.server.language import Language, _language, message, preferred
from tests.server.serving import file_of, hole, photo, upload

KOREAN = re.compile("[가-힣]")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("fr, ko;q=0.1", "ko"),
        ("ko;q=0", "en"),
        ("ko;q=1.2.3, *;;, ,=", "ko"),  # it is asked for, however badly
        ("ko;q=.", "ko"),
        ("en, ko;q=.", "en"),
        ("ko" * 10_000, "en"),
    ],
)
def test_the_language_follows_the_request(header: str, language: str) -> None:
    assert preferred(header) == language


def test_errors_are_told_in_both_languages_and_the_detail_stays(client: httpx.Client) -> None:
    def refused(**headers: str) -> dict[str, str]:
        files = {"image": file_of(photo()), "mask": file_of(hole(20, 20))}
        return client.post("/api/v1/inpaint", files=files, headers=headers).json()

    english, korean = refused(), refused(**{"Accept-Language": "ko-KR,ko"})
    assert english["message"] == english["detail"] == korean["detail"]
    assert KOREAN.search(korean["message"])
    assert "{" not in korean["message"]
    missing = client.get("/nowhere", headers={"Accept-Language": "ko"}).json()
    assert KOREAN.search(missing["message"])


def test_codes_without_a_korean_sentence_get_a_korean_beginning() -> None:
    told = []

    async def app(*_: object) -> None:
        told.append(message("config.odd", "expected an odd size", {}))

    scope: Scope = {"type": "http", "headers": [(b"accept-language", b"ko")]}
    asyncio.run(Language(app)(scope, None, None))  # type: ignore[arg-type]
    assert KOREAN.search(told[0])
    assert "expected an odd size" in told[0]


def test_errors_of_options_are_told_in_korean(client: httpx.Client) -> None:
    reply = client.post(
        "/api/v1/inpaint",
        files={"image": file_of(photo()), "mask": file_of(hole())},
        data={"format": "bmp", "lossless": "true", "quality": "3"},
        headers={"Accept-Language": "ko"},
    )
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("무손실로")


def test_a_stand_in_is_no_failure_in_korean(client: httpx.Client) -> None:
    client.headers["Accept-Language"] = "ko"
    reply = upload(client, file_of(photo()), file_of(hole()), model="lama")
    (warning,) = json.loads(reply.headers["x-gatefill-warnings"])
    assert warning["code"] == "server.other_model"
    assert warning["text"] == "서버에 lama 모델이 없어 telea 모델로 채웠습니다."


@pytest.mark.parametrize("header", ["ko;q=.", "ko;q=..", "*;q=.", "ko;q=" + "9" * 5000])
def test_no_header_of_languages_is_an_internal_error(client: httpx.Client, header: str) -> None:
    assert client.get("/healthz", headers={"Accept-Language": header}).status_code == 200


def test_a_bug_and_a_large_request_are_told_in_korean_alone() -> None:
    token = _language.set("ko")
    try:
        bug = described(KeyError("inside")).as_dict()
        large = described(Refused(413, "too large", "got more", megabytes=128)).as_dict()
    finally:
        _language.reset(token)
    number = bug["values"]["number"]
    assert number in bug["detail"]
    assert number in bug["message"]
    assert "128MB" in large["message"]
    for told in (bug, large):
        assert told["detail"] not in told["message"]
        assert KOREAN.search(told["message"])


def test_an_empty_file_is_told_in_korean(client: httpx.Client) -> None:
    client.headers["Accept-Language"] = "ko"
    told = upload(client, b"", file_of(hole()))
    assert told.status_code == 400
    assert told.json()["code"] == "image.empty"
    assert "empty" not in told.json()["message"]


def test_warnings_are_told_in_korean(client: httpx.Client) -> None:
    empty = file_of(hole() * 0)
    english = json.loads(upload(client, file_of(photo()), empty).headers["x-gatefill-warnings"])
    client.headers["Accept-Language"] = "ko"
    korean = json.loads(upload(client, file_of(photo()), empty).headers["x-gatefill-warnings"])
    assert [each["code"] for each in korean] == [each["code"] for each in english]
    assert KOREAN.search(korean[0]["text"])
