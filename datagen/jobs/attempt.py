"""One run of a work function, with its failure as plain data."""

import traceback
from collections.abc import Callable
from typing import Any

from datagen import errors
from datagen.errors import DatagenError, GrammarError, ImageError
from datagen.jobs.work import Run

_PLACE = ("message", "path", "line", "column", "source", "remedy")  # of a GrammarError


def attempt(run: Run, payload: dict[str, Any], progress: Callable[[int], None]) -> dict[str, Any]:
    """{"result"}, or {"error"} with the error's kind, message and traceback."""
    try:
        return {"result": run(payload, progress)}
    except Exception as error:  # noqa: BLE001  whatever it is, it belongs to the one who asked
        return {"error": described(error)}


def described(error: Exception) -> dict[str, Any]:
    """An exception as plain data."""
    kind = type(error).__name__
    known = type(error).__module__ == "datagen.errors"
    data: dict[str, Any] = {
        "type": kind,
        "message": str(error) if known else f"{kind}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }
    if isinstance(error, ImageError):
        data["index"] = error.index
    if isinstance(error, GrammarError):
        data["place"] = {name: getattr(error, name) for name in _PLACE}
    return data


def raised(error: dict[str, Any]) -> DatagenError:
    """Undo `described`: an exception of the same kind, to be raised here."""
    kind = getattr(errors, error["type"], DatagenError)
    try:
        made = GrammarError(**error["place"]) if "place" in error else kind(error["message"])
    except TypeError:
        made = DatagenError(error["message"])
    made.add_note(error["traceback"])
    return made
