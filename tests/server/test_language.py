"""Sentences for people, in English or Korean."""

from __future__ import annotations

import json
import re

import httpx
import pytest

pytest.importorskip("fastapi")

from gatefill.server.language import preferred
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
        ("ko;q=1.2.3, *;;, ,=", "en"),
        ("ko" * 10_000, "en"),
    ],
)
def test_the_language_follows_the_request(header: str, language: str) -> None:
    if header.startswith("ko;q=1.2.3"):
        language = "ko"  # it is asked for, however badly
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


def test_codes_without_a_korean_sentence_get_a_korean_beginning(client: httpx.Client) -> None:
    files = {"image": file_of(photo()), "mask": file_of(hole())}
    reply = client.post(
        "/api/v1/inpaint",
        files=files,
        data={"format": "bmp", "lossless": "true", "quality": "3"},
        headers={"Accept-Language": "ko"},
    )
    assert reply.status_code == 400
    assert KOREAN.search(reply.json()["message"])
    assert reply.json()["detail"] in reply.json()["message"]


def test_warnings_are_told_in_korean(client: httpx.Client) -> None:
    empty = file_of(hole() * 0)
    english = json.loads(upload(client, file_of(photo()), empty).headers["x-gatefill-warnings"])
    client.headers["Accept-Language"] = "ko"
    korean = json.loads(upload(client, file_of(photo()), empty).headers["x-gatefill-warnings"])
    assert [each["code"] for each in korean] == [each["code"] for each in english]
    assert KOREAN.search(korean[0]["text"])
