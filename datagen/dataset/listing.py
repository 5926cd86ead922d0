"""A manifest read line by line: it may list millions of files, and its head tells the rest."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from datagen.errors import InputError

FILE = "manifest.json"
_FILES = b'"files": {'  # the line after which each line is of one file


class Listed(NamedTuple):
    """A file of a dataset."""

    name: str  # relative to the dataset's folder
    size: int  # bytes


def head(folder: Path) -> dict[str, Any]:
    """All that the manifest of a complete dataset says, but its files."""
    found: dict[str, Any] = {}
    path = folder / FILE
    with path.open("rb") as file:
        for line in file:
            if line.startswith(_FILES):
                return found
            if line != b"{\n":
                found |= _item(path, line)
    raise InputError(f"{path}: lists no files; it is not as datagen writes it")


def files(folder: Path) -> Iterator[Listed]:
    """Every file of a complete dataset, but the manifest and the marker; in a fixed order."""
    path = folder / FILE
    with path.open("rb") as file:
        for line in file:
            if line.startswith(_FILES):
                break
        for line in file:
            if line == b"}\n":
                return
            for name, entry in _item(path, line).items():
                try:
                    yield Listed(name, int(entry["size"]))
                except (LookupError, TypeError, ValueError) as error:
                    raise InputError(f"{path}: {name!a} has no size") from error


def _item(path: Path, line: bytes) -> dict[str, Any]:
    """One line of an object that has an item a line."""
    try:
        return json.loads(b"{" + line.rstrip(b",\n") + b"}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not as datagen writes it ({error})") from error
