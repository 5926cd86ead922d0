"""What went wrong, as an answer: RFC 9457's application/problem+json, never a traceback."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from datagen.errors import (
    BusyError,
    DatagenError,
    DiskFullError,
    GrammarError,
    InputError,
    MissingError,
)
from datagen.web.home import Home, NotHere

log = logging.getLogger(__name__)

MEDIA = "application/problem+json"
_STATUS: tuple[tuple[type[DatagenError], int], ...] = (
    (InputError, 422),
    (BusyError, 409),
    (DiskFullError, 507),
    (MissingError, 501),
)


class Refused(DatagenError):
    """The server does not do this; the message says why and what to do."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        self.status, self.headers = status, headers
        super().__init__(message)


def problem(
    status: int, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """One answer."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, MEDIA)


def told(error: DatagenError, home: Home) -> JSONResponse:
    """The answer for an error of ours; the library names paths, which are nobody's here."""
    text = home.named(str(error))
    if isinstance(error, Refused):
        return problem(error.status, text, error.headers)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    more = {}
    if isinstance(error, GrammarError):
        names = ("message", "path", "line", "column", "remedy")
        more = {name: getattr(error, name) for name in names}
    return problem(status, text, **more)


def install(app: FastAPI, home: Home) -> None:
    """From now on every error of this app is such an answer."""

    @app.exception_handler(DatagenError)
    async def ours(request: Request, error: DatagenError) -> JSONResponse:
        return told(error, home)

    @app.exception_handler(NotHere)
    async def absent(request: Request, error: NotHere) -> JSONResponse:
        return problem(404, str(error))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, _first(error))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "the server failed at this; its log says more")


def _first(error: RequestValidationError) -> str:
    """The first fault with its place, such as "body.count: Input should be ..."."""
    fault = error.errors()[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
