"""Lists in parts, and answers that are not sent again while they are the same."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import Request, Response

from datagen.web.problems import Refused
from datagen.web.types import Message

Item = TypeVar("Item", bound=Message)


def page(
    request: Request,
    items: Sequence[Item],
    cursor: str | None,
    limit: int,
    *,
    key: Callable[[Item], str],
    line: Callable[[Item], bytes] = lambda item: item.model_dump_json().encode(),
) -> Response:
    """The `limit` items after the one whose key is `cursor`; 304 where the client has them.

    `line` writes an item as JSON. A cursor names the last item that was given, so that new items
    at the front shift nothing.
    """
    start = 0
    if cursor is not None:
        start = next((k + 1 for k, item in enumerate(items) if key(item) == cursor), -1)
        if start < 0:
            raise Refused(
                410, f"there is no `{cursor}` in this list any more; begin without cursor"
            )
    part = items[start : start + limit]
    more = start + limit < len(items)
    rest = {"next": key(part[-1]) if more else None, "total": len(items)}
    body = b'{"items":[' + b",".join(map(line, part)) + b"]," + json.dumps(rest).encode()[1:]
    return tagged(request, body, "application/json")


def tagged(request: Request, body: bytes, media: str, **headers: Any) -> Response:
    """With an ETag of its content; 304 and no content where the client has it."""
    tag = tag_of(body)
    return known(request, tag, **headers) or Response(body, 200, named(tag, **headers), media)


def tag_of(*parts: bytes | str) -> str:
    """An ETag for what these decide, or are."""
    total = hashlib.sha256()
    for part in parts:
        total.update((part.encode() if isinstance(part, str) else part) + b"\0")
    return f'"{total.hexdigest()[:32]}"'


def known(request: Request, tag: str, **headers: Any) -> Response | None:
    """304 where the client has what this ETag names, so that nobody need make it."""
    given = request.headers.get("if-none-match", "").split(",")
    if {tag, "*"} & {one.strip().removeprefix("W/") for one in given}:
        return Response(None, 304, named(tag, **headers))
    return None


def named(tag: str, **headers: Any) -> dict[str, str]:
    """Headers of an answer with this ETag; clients ask each time whether it is still the same."""
    return {"ETag": tag, "Cache-Control": "no-cache", **headers}
