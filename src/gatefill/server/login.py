"""Login: exchanges the token, typed or in the URL, for the page's cookie."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gatefill.server.access import COOKIE, Access
from gatefill.server.static import web_files

_WRONG_TOKEN_SECONDS = 0.5
_MAX_TOKEN = 4096


def login_page(access: Access, token: str) -> Response:
    """Return the login page, or for a valid token in the URL a redirect to the editor."""
    if access.is_token(token):
        return _let_in(access)
    return _asking(wrong=bool(token))


def _asking(*, wrong: bool) -> Response:
    """Return the page with the form, with an error message after a wrong token."""
    page = web_files()["login.html"]
    data = page.data
    if wrong:
        data = data.replace(
            b'id="wrong" class="wrong" role="alert" hidden',
            b'id="wrong" class="wrong" role="alert"',
        )
    return Response(data, 401, {"WWW-Authenticate": "Bearer"}, media_type=page.media_type)


async def log_in(request: Request, access: Access) -> Response:
    """Handle the form of the login page."""
    if access.token is None:
        return RedirectResponse("./", 303)
    async with request.form(max_files=0, max_fields=4, max_part_size=_MAX_TOKEN) as form:
        token = form.get("token", "")
    if isinstance(token, str) and access.is_token(token.strip()):
        return _let_in(access)
    await asyncio.sleep(_WRONG_TOKEN_SECONDS)
    return _asking(wrong=True)


def _let_in(access: Access) -> Response:
    response = RedirectResponse("./", 303)
    # Without a path, browsers use that of the page, which is right behind an unknown prefix, too.
    response.set_cookie(COOKIE, access.cookie, httponly=True, samesite="strict", path=None)
    return response
