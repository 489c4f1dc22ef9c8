"""The sentences of errors and warnings in the language of a request: English or Korean.

The Korean ones are those of the editor's page, by code; `docs/errors.md` lists the codes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gatefill.server.static import web_files

_ENTRY = re.compile(r'^  ("[\w. ]+"): (".*"),$', re.MULTILINE)
_WORD = re.compile(r"([^(]+?)(?: \((.+)\))?")
_RANGE = re.compile(r"\s*([A-Za-z*]+)(?:-[\w-]+)?\s*(?:;\s*q=([0-9.]+))?\s*", re.ASCII)
_ELSE = "server.error"  # the sentence for codes that have none of their own

_language: ContextVar[str] = ContextVar("language", default="en")


class Language:
    """ASGI middleware that notes which language a request prefers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _language.set(preferred(Headers(scope=scope).get("accept-language", "")))
        await self.app(scope, receive, send)


def preferred(header: str) -> str:
    """``"en"`` or ``"ko"``: what an Accept-Language header asks for first."""
    shares = {"en": 0.0, "ko": 0.0}
    for part in header[:1000].split(","):
        found = _RANGE.fullmatch(part)
        if found and found[1].lower() in shares:
            shares[found[1].lower()] = max(shares[found[1].lower()], _share(found[2]))
    return "ko" if shares["ko"] > shares["en"] else "en"


def _share(text: str | None) -> float:
    try:
        return 1.0 if text is None else float(text)
    except ValueError:  # "1.2.3" or ".": it is asked for, however badly
        return 1.0


def message(code: str, text: str, values: Mapping[str, Any]) -> str:
    """The sentence of an error or a warning in the language of the request being answered.

    Args:
        code: Its stable name.
        text: The sentence in English.
        values: What it was made of.
    """
    if _language.get() == "en":
        return text
    sentences = _korean("codes")
    sentence = sentences.get(code, sentences[_ELSE])
    put_in = {"detail": text, **{name: _in_korean(value) for name, value in values.items()}}
    try:
        return sentence.format(**put_in)
    except (KeyError, IndexError, ValueError):  # a value that this use of the code does not have
        return sentences[_ELSE].format(detail=text)


def _in_korean(value: Any) -> Any:
    """A value as it stands in a Korean sentence: lists with commas, known English words in Korean.

    A word may have another one behind it in parentheses, such as ``"EXIF data (too long)"``.
    """
    if isinstance(value, (list, tuple)):
        return ", ".join(str(_in_korean(each)) for each in value)
    words = _korean("words")
    found = _WORD.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[1] not in words:
        return value
    more = "" if found[2] is None else f"({words.get(found[2], found[2])})"
    return words[found[1]] + more


@cache
def _korean(what: str) -> dict[str, str]:
    source = web_files()[f"texts/ko_{what}.js"].data.decode()
    return {json.loads(name): json.loads(text) for name, text in _ENTRY.findall(source)}
