"""What OpenAPI is told beyond types: bodies and answers that are no JSON, and problems."""

from typing import Any

from datagen.web import types
from datagen.web.problems import MEDIA

Answers = dict[int | str, dict[str, Any]]
_BINARY = {"type": "string", "format": "binary"}


def problem(description: str) -> dict[str, Any]:
    """An answer that says what is wrong."""
    schema = types.Problem.model_json_schema()
    return {"description": description, "content": {MEDIA: {"schema": schema}}}


def content(*media: str) -> Answers:
    """An answer of bytes."""
    return {200: {"content": {one: {"schema": _BINARY} for one in media}}}


def body(*media: str) -> dict[str, Any]:
    """A request of bytes."""
    return {
        "requestBody": {
            "required": True,
            "content": {one: {"schema": _BINARY} for one in media},
        }
    }
