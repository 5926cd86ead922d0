"""Who may ask, and how much may be sent: looked at before any of the app's code sees a request."""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datagen.settings.serve import Serve
from datagen.web.problems import problem

COOKIE = "datagen_token"
_OPEN = ("/health/", "/static/", "/login")  # without a token: they tell nothing
_UPLOADS = ("/api/v1/targets/", "/targets")  # the second one from a page's form
_SAFE = ("GET", "HEAD", "OPTIONS")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Pages have no inline script or style; pictures come from the server, or from the page itself.
POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'self'; "
    "base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _Broken(Exception):
    """A body that is not read on: its answer is sent already."""


class Guard:
    """ASGI middleware: 400 for a strange Host, 401 and 403, 413 and 408, headers for browsers."""

    def __init__(self, app: ASGIApp, settings: Serve) -> None:
        self._app, self._settings = app, settings
        self._names = {*_LOOPBACK, settings.host, *settings.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            if scope["method"] not in _SAFE:
                refusal.headers["Connection"] = "close"  # its body is not read
            await refusal(scope, receive, _dressed(send))
            return
        limits = self._settings.limits
        answer = _Answer(scope, _dressed(send), _has_body(Headers(scope=scope)))
        metered = _Metered(receive, answer, self._cap(scope), limits.patience)
        with contextlib.suppress(_Broken):
            await self._app(scope, metered, answer)

    def _cap(self, scope: Scope) -> int:
        limits = self._settings.limits
        is_upload = scope["path"].startswith(_UPLOADS) and scope["method"] in ("PUT", "POST")
        return limits.upload if is_upload else limits.body

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        # Against DNS rebinding: a page elsewhere can name any host that resolves to us.
        if _name_in(host) not in self._names:
            return problem(400, f"this server is not called `{host[:80]}`; add it to `hosts`")
        if scope["method"] not in _SAFE and _is_foreign(headers, host):
            return problem(403, "this request comes from a page of another origin")
        by = self._asker(headers)
        if by is None and not scope["path"].startswith(_OPEN):
            return self._unknown(scope, headers)
        scope.setdefault("state", {})["by"] = by
        length = headers.get("content-length", "0")
        cap = self._cap(scope)
        if not length.isdecimal():
            return problem(400, "Content-Length is no number")
        return _too_much(cap) if int(length) > cap else None

    def _asker(self, headers: Headers) -> str | None:
        """The name of the token that is given; "" where none is needed."""
        tokens = self._settings.tokens
        if not tokens:
            return ""
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            secret = _cookie(headers.get("cookie", ""))
        return known(secret, {name: token.sha256 for name, token in tokens.items()})

    def _unknown(self, scope: Scope, headers: Headers) -> Response:
        if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            return RedirectResponse(f"/login?to={quote(scope['path'])}", 303)
        text = "a token is needed: send `Authorization: Bearer TOKEN`"
        return problem(401, text, {"WWW-Authenticate": "Bearer"})


def _name_in(host: str) -> str:
    """The name in a Host header, without its port."""
    with contextlib.suppress(ValueError):
        return urlsplit(f"//{host}").hostname or ""
    return ""


def known(secret: str, digests: Mapping[str, str]) -> str | None:
    """The name whose digest is that of `secret`; the time tells nothing about which, or how far."""
    given = hashlib.sha256(secret.encode()).hexdigest()
    found = [name for name, digest in digests.items() if hmac.compare_digest(given, digest)]
    return found[0] if found else None


def _cookie(text: str) -> str:
    try:
        morsel = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that another site's page sends this."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


_CLOSE = {"Connection": "close"}  # the rest of the body is not read


def _too_much(cap: int) -> Response:
    return problem(413, f"more than the {cap:,} bytes that are taken here", _CLOSE)


class _Answer:
    """What is sent; once it is refused, what the app says goes nowhere."""

    def __init__(self, scope: Scope, send: Send, is_more: bool) -> None:
        """Whether there is more of the body to come than was read."""
        self._scope, self._send, self.is_more = scope, send, is_more
        self._begun = self._refused = False

    async def __call__(self, message: Message) -> None:
        if self._refused:
            return
        if message["type"] == "http.response.start" and self.is_more:
            # Who sends on before reading would wait for ever: nobody reads the rest of the body.
            MutableHeaders(scope=message).update(_CLOSE)
        self._begun = True
        await self._send(message)

    async def refuse(self, response: Response, receive: Receive) -> None:
        """Frameworks turn errors of a body into answers of their own; this one is sent at once."""
        if not (self._begun or self._refused):
            self._refused = True
            await response(self._scope, receive, self._send)


class _Metered:
    """Gives a body on while it is small and quick enough."""

    def __init__(self, receive: Receive, answer: _Answer, cap: int, patience: float) -> None:
        self._receive, self._answer = receive, answer
        self._cap, self._patience = cap, patience
        self._size, self._whole = 0, False

    async def __call__(self) -> Message:
        if self._whole:  # what comes now is only the end of the connection
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._patience)
        except TimeoutError:
            slow = problem(408, f"nothing came for {self._patience:g} seconds", _CLOSE)
            await self._answer.refuse(slow, self._receive)
            raise _Broken from None
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            self._answer.is_more = not self._whole
        if self._size > self._cap:
            await self._answer.refuse(_too_much(self._cap), self._receive)
            raise _Broken
        return message


def _dressed(send: Send) -> Send:
    """With the headers that every answer has; what the app says itself stays."""

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return dressed
