"""Errors as HTTP responses: status, short name and sentence, without internals."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from gatefill.errors import GatefillError, MaskError
from gatefill.images import ImageError
from gatefill.server.jobs import Busy, Left, Stopped, TimeUp
from gatefill.server.language import message
from gatefill.server.models import UnknownModel

logger = logging.getLogger(__name__)


class Refused(Exception):  # noqa: N818 - says what happened, as a name
    """A request that is refused, with the status, text and values of the response."""

    def __init__(self, status: int, error: str, detail: str, **values: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.error = error
        self.values = values


_NAMES = {
    400: "bad request",
    401: "token needed",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    409: "not ready",
    413: "too large",
    415: "unsupported media type",
    422: "wrong field",
}


class Told(NamedTuple):
    """The content of an error response."""

    status: int
    error: str  # the short name, such as "wrong field"
    detail: str
    code: str  # by which pages and programs tell errors apart
    values: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The body of the response."""
        return {
            "error": self.error,
            "detail": self.detail,
            "errors": self.detail,  # where IOPaint's clients look for it
            "message": message(self.code, self.detail, self.values),
            "code": self.code,
            "values": self.values,
        }


def described(error: BaseException) -> Told:
    """Describe any exception. Only a `GatefillError` is caused by the client's input."""
    if isinstance(error, UnknownModel):
        return _told(404, "unknown model", error)
    if isinstance(error, GatefillError) and error.code == "image.memory":
        return _told(413, "too large", error)
    if isinstance(error, (ImageError, MaskError)):
        return _told(400, "unusable image", error)
    if isinstance(error, GatefillError) and error.code != "method.not_finite":  # the server's own
        return _told(400, "unusable request", error)
    if isinstance(error, Refused):
        return _of_service(error.status, error.error, str(error), **error.values)
    told = _outcome(error)
    if told is not None:
        return _of_service(*told)
    # The log has the traceback under a number that the client can name.
    number = secrets.token_hex(4)
    logger.error("error %s", number, exc_info=error)
    detail = f"something went wrong here; the server's log tells more: {number}"
    return _of_service(500, "internal error", detail, number=number)


def _told(status: int, name: str, error: GatefillError) -> Told:
    return Told(status, name, str(error), error.code, error.values)


def _of_service(status: int, name: str, detail: str, **values: Any) -> Told:
    return Told(status, name, detail, f"server.{name.replace(' ', '_')}", values)


def _outcome(error: BaseException) -> tuple[int, str, str] | None:
    """Status, short name and sentence of what may happen to a request; None for a bug."""
    if isinstance(error, Busy):
        return 503, "busy", str(error)
    if isinstance(error, TimeUp):
        return 504, "time limit", str(error)
    if isinstance(error, (Left, ClientDisconnect)):  # nobody reads it, but it is counted and logged
        return 499, "client left", "the client closed the connection"
    if isinstance(error, Stopped):
        return 503, "stopping", "the server is stopping: try again later"
    if isinstance(error, (ValidationError, RequestValidationError)):
        return 422, "wrong field", _fields(error)
    if isinstance(error, HTTPException):
        name = _NAMES.get(error.status_code, "error")
        return error.status_code, name, str(error.detail)
    if isinstance(error, MemoryError):
        return 503, "out of memory", "there is not enough memory for this photo now"
    return None


def _fields(error: ValidationError | RequestValidationError) -> str:
    """The invalid fields and the reasons, without their values."""
    parts = []
    for each in error.errors()[:5]:
        where = ".".join(str(name) for name in each["loc"] if name != "body")
        parts.append(f"{where}: {each['msg']}" if where else str(each["msg"]))
    return "; ".join(parts)


def reply(error: BaseException) -> JSONResponse:
    """The response to a failed request."""
    told = described(error)
    headers = {}
    if told.status == 503:
        headers["Retry-After"] = str(getattr(error, "retry_after", 1))
    if told.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, HTTPException) and error.headers:
        headers.update(error.headers)
    return JSONResponse(told.as_dict(), told.status, headers)


def add_handlers(app: FastAPI) -> None:
    """Turn all exceptions of routes into responses with `reply`."""

    def handler() -> Callable[[Request, Exception], Awaitable[Response]]:
        async def handle(_: Request, error: Exception) -> Response:
            return reply(error)

        return handle

    kinds: list[Any] = [
        *(Refused, Busy, TimeUp, Stopped, GatefillError, MemoryError),
        *(HTTPException, RequestValidationError, Exception),
    ]
    for kind in kinds:
        app.add_exception_handler(kind, handler())
