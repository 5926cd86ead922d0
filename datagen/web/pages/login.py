"""Who a browser is: a token is asked for once, and kept where no script reads it."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from datagen.web.guard import COOKIE, known
from datagen.web.pages.rendering import page
from datagen.web.service import Here

router = APIRouter(include_in_schema=False)

_KEPT = 30 * 24 * 3600  # seconds

To = Annotated[str, Query(max_length=2000)]


@router.get("/login")
def login(request: Request, service: Here, to: To = "/") -> Response:
    """The form."""
    return page(request, "login.html", to=_here(to), wrong=False)


@router.post("/login")
def enter(
    request: Request,
    service: Here,
    token: Annotated[str, Form(max_length=2000)],
    to: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Keep the token if it is one."""
    digests = {name: token.sha256 for name, token in service.settings.tokens.items()}
    if known(token, digests) is None:
        return page(request, "login.html", 403, to=_here(to), wrong=True)
    answer = RedirectResponse(_here(to), 303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=_KEPT,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def leave() -> Response:
    """Forget the token in this browser."""
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _here(to: str) -> str:
    """Where to go on; never to another server, such as by `//elsewhere`."""
    is_ours = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if is_ours else "/"
