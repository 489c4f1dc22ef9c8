"""Sentences for people, in English or Korean."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest
import tifffile

pytest.importorskip("fastapi")

from starlette.types import Scope

from gatefill.errors import ConfigError, MaskError
from gatefill.images import ImageError, read_photo
from gatefill.server.errors import Refused, described
from gatefill.server.language import Language, _language, message, preferred
from gatefill.server.static import web_files
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


def in_korean(error: BaseException) -> str:
    token = _language.set("ko")
    try:
        return str(described(error).as_dict()["message"])
    finally:
        _language.reset(token)


def without_names(sentence: str) -> str:
    """A sentence without quotations, names of formats and programs, and lists of dtypes."""
    return re.sub(
        "“[^”]*”|gatefill|float32|complex64|multipart/form-data|application/json|gzip", "", sentence
    )


def no_english(sentence: str) -> bool:
    """Whether it is Korean but for quotations, and of its own code."""
    if sentence.startswith("실패했습니다"):  # its code has no Korean sentence, or lacks a value
        return False
    return bool(KOREAN.search(sentence)) and not re.search("[a-z]{3,}", without_names(sentence))


def test_english_sentences_stand_in_korean_ones_as_quotations_only() -> None:
    source = web_files()["texts/ko_codes.js"].data.decode()
    sentences = re.findall(r'^  ("[\w.]+"): (".*"),$', source, re.MULTILINE)
    english = re.compile("{(detail|reason)}")
    quoting = {json.loads(code) for code, text in sentences if english.search(text)}
    for code, text in sentences:
        assert not english.search(without_names(text)), code
    # The words of Pillow, of pydantic, of whoever made the request, and of codes without Korean.
    assert quoting == {
        *("image.unreadable", "output.format"),
        *("server.bad_request", "server.error", "server.wrong_field"),
    }


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (b"%PDF-1.7", "image.unknown", "JPEG, PNG, WebP, TIFF"),
        (file_of(photo())[:20], "image.corrupt", "PNG"),
        (np.zeros((2, 3, 4, 5)), "image.shape", "2, 3, 4, 5"),
        (np.zeros((4, 4), "complex64"), "image.dtype", "complex64"),
        (np.full((4, 4), 70000), "image.range", "70000에서 70000"),
        (np.full((4, 4), 7.5), "image.range", "7.5에서 7.5"),
        (io.StringIO("text"), "image.text_file", "바이너리"),
        (7, "image.kind", "int"),
    ],
)
def test_photos_that_cannot_be_read_are_told_in_korean(given: Any, code: str, words: str) -> None:
    with pytest.raises(ImageError) as refused:
        read_photo(given)
    assert refused.value.code == code
    told = in_korean(refused.value)
    assert words in told
    assert no_english(told.replace("int", "")), told


def test_what_a_library_says_is_quoted_in_korean() -> None:
    picture = PIL.Image.open(io.BytesIO(file_of(photo(), "TIFF")[:600]))
    with pytest.raises(ImageError) as refused:
        read_photo(picture)
    assert refused.value.code == "image.unreadable"
    told = in_korean(refused.value)
    assert f"“{refused.value.values['reason']}”" in told
    assert no_english(told)
    assert in_korean(ConfigError("expected an odd one", code="config.odd")) == (
        "실패했습니다: “expected an odd one”"
    )


def test_requests_that_are_not_understood_are_told_in_korean(client: httpx.Client) -> None:
    client.headers["Accept-Language"] = "ko"
    path = "/api/v1/inpaint"
    files = {"image": file_of(photo()), "mask": file_of(hole())}
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    replies = [
        client.delete(path),
        client.post(path, content=b"image", headers={"Content-Type": "text/plain"}),
        client.post(path, files=files, headers={"Content-Encoding": "br"}),
        client.post(path, content=b"no gzip", headers=form | {"Content-Encoding": "gzip"}),
        client.post(path, files=files, data={"quality": "much"}),
        client.post(path, json={"image": "no base64!", "mask": ""}),
        client.post(path, files={"image": b"\xff\xd8\xff" + b"x" * 99, "mask": file_of(hole())}),
    ]
    assert [each.status_code for each in replies] == [405, 415, 415, 400, 422, 422, 400]
    for each in replies:
        assert no_english(each.json()["message"]), each.json()["message"]
    assert "“quality: " in replies[4].json()["message"]


def test_values_are_told_in_korean(client: httpx.Client, tmp_path: Path) -> None:
    """What a format cannot hold: 16 bits, IPTC data, EXIF data of more than a JPEG's segment."""
    client.headers["Accept-Language"] = "ko"
    deep = tmp_path / "deep.tif"
    iptc = (33723, "B", 4, b"\x1c\x02\x05\x00", True)
    tifffile.imwrite(deep, photo().astype(np.uint16) * 257, photometric="rgb", extratags=[iptc])
    told = json.loads(
        upload(client, deep.read_bytes(), file_of(hole()), format="webp").headers[
            "x-gatefill-warnings"
        ]
    )
    texts = {each["code"]: each["text"] for each in told}
    assert "IPTC 데이터" in texts["file.metadata"]
    assert "WEBP" in texts["file.depth"]
    assert all(no_english(text) for text in texts.values()), texts
    token = _language.set("ko")
    try:
        long = message("file.metadata", "", {"left_out": ["EXIF data (too long)", "comments"]})
        plane = in_korean(MaskError("", code="method.input_not_taken", method="m", plane="sketch"))
    finally:
        _language.reset(token)
    assert long == "이 형식에 담을 수 없는 데이터는 빠집니다: EXIF 데이터(너무 김), 주석"
    assert plane == "m 방법은 이 입력을 받지 않습니다: 스케치"


PAGE = """
const page = { platform: "Linux", language: "ko-KR" };
Object.defineProperty(globalThis, "navigator", { value: page, configurable: true });
globalThis.document = { documentElement: {}, querySelectorAll: () => [] };
const { sentence, startLanguage } = await import("./texts.js");
startLanguage();
console.log(JSON.stringify(JSON.parse(process.argv[2]).map(sentence)));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_page_tells_in_korean_what_the_server_tells(tmp_path: Path) -> None:
    left_out = ["EXIF data (too long)", "comments", "color space (cHRM, gAMA)", "odd (too long)"]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("file.metadata", {"left_out": left_out}),
        ("method.input_not_taken", {"method": "m", "plane": "sketch"}),
        ("image.range", {"low": 0, "high": 70000}),
        ("image.unknown", {"read": ["JPEG", "PNG"], "seems": None}),
        ("image.shape", {"shape": [3, 4]}),
        ("server.error", {}),
    ]
    for name, file in web_files().items():
        if name.endswith(".js"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(file.data)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "page.js").write_text(PAGE)
    given = [{"code": code, "text": "sketch", "values": values} for code, values in cases]
    of_the_page = {"code": "extend.margins"}  # the page says this one by itself
    line = ["node", str(tmp_path / "page.js"), json.dumps([*given, of_the_page])]
    told = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    token = _language.set("ko")
    try:
        expected = [message(code, "sketch", values) for code, values in cases]
        assert json.loads(told) == [*expected, message("extend.margins", "", {})]
    finally:
        _language.reset(token)
    assert "EXIF 데이터(너무 김), 주석, 색 공간(cHRM, gAMA), odd (too long)" in told


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
