"""HEAD, at every address: what GET answers with, but for the body."""

from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _Told(Exception):
    """All that was asked for is sent; ends who would send more, however much that is."""


class Heads:
    """ASGI middleware that asks what is behind it to GET, and goes after the head of the answer.

    So nothing is read for a body that nobody gets, be it an archive or events without an end.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def head(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                await send({"type": "http.response.body"})
                raise _Told

        with suppress(_Told):
            await self._app({**scope, "method": "GET"}, receive, head)
