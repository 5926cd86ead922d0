"""From a form to a job: the same way as the API's, and back to a page."""

import re
import secrets

from fastapi import Request, Response

from datagen import digest
from datagen.errors import InputError
from datagen.settings.serve import NAME
from datagen.web import orders, types
from datagen.web.pages.rendering import go
from datagen.web.service import Service

_SHARDS = 16  # that a dataset has at least, so that it is seen to grow
_SHARD = 64  # images, at most
_LEAST = 8


def new_key() -> str:
    """Of a form: what is sent twice is one job."""
    return secrets.token_hex(8)


def named(name: str) -> str | None:
    """What a form says that something is to be called; InputError where it is no name."""
    if name and not re.fullmatch(NAME, name):
        raise InputError(f"`{name}` is no name: give small letters, digits and - alone")
    return name or None


def chosen(name: str, what: str) -> str:
    """The same of what a form makes one choose from."""
    found = named(name)
    if found is None:
        raise InputError(f"choose {what} first")
    return found


def shard_size(count: int) -> int:
    """Images of one shard."""
    return max(_LEAST, min(_SHARD, count // _SHARDS))


async def submit(
    request: Request, service: Service, by: str, order: types.AnyOrder, key: str
) -> Response:
    """Leads to the order's job. Another order of the same form is another job."""
    of_this = digest.of_data([key, order.model_dump(mode="json")])[:40]
    job, _ = await orders.submit(service, by, order, of_this)
    return go(request, f"/jobs/{job.id}")
