"""Errors as people read them: the same words that the API answers with, on a page."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from datagen.web.pages.rendering import is_part, page

Handler = Callable[[Request, Any], Response | Awaitable[Response]]

_OTHERS = ("/api/", "/health/", "/metrics", "/static/")  # asked for by programs


def install(app: FastAPI) -> None:
    """Let every handler of errors that the app has answer with a page where people ask."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_people(handler))


def _for_people(handler: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        answered = handler(request, error)
        answer = answered if isinstance(answered, Response) else await answered
        if request.url.path.startswith(_OTHERS):
            return answer
        told = json.loads(bytes(answer.body))
        template = "_error.html" if is_part(request) else "error.html"
        return page(request, template, answer.status_code, told=told)

    return handle
