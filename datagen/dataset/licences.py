"""The licences of models: texts that lie beside them, in the folder that a recipe names."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_NAMES = ("license*", "licence*", "copying*", "*.license")
_URL = re.compile(r"https?://[^\s<>()\[\]\"']+")
_HOLDER = re.compile(r"(?im)^[\s#*]*(copyright\b.{1,100})$")
_COMMONS = re.compile(r"\bCC0\b|\bCC[ -]BY(?:-[A-Z]{2})*(?:[ -]\d\.\d)?")
_MOST_BYTES = 2**16
_LONGEST_LINE = 100


def licences(folders: Iterable[Path]) -> tuple[dict[str, Any], ...]:
    """{id, name, url} of each text, as COCO has licences; ids count from 1, equal ones are one."""
    found = [_described(file) for folder in folders for file in _texts(folder)]
    return tuple({"id": k, "name": n, "url": u} for k, (n, u) in enumerate(dict.fromkeys(found), 1))


def above(folder: Path) -> Path | None:
    """A licence text right above a folder, which may be meant but is not read: it may be anyone's.

    A pack unpacked keeps its text often there, beside one folder for each format.
    """
    try:
        found = sorted(file for file in folder.resolve().parent.iterdir() if _is_named_so(file))
    except OSError:
        return None
    return found[0] if found else None


def _texts(folder: Path) -> Iterator[Path]:
    """In the order of their places; links that lead out of the folder are not followed."""
    inner = folder.resolve()
    files = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    for file in sorted(file for file in files if _is_named_so(file)):
        if file.is_file() and file.resolve().is_relative_to(inner):
            yield file


def _is_named_so(file: Path) -> bool:
    name = Path(file.name.lower())
    return any(name.match(pattern) for pattern in _NAMES)


def _described(file: Path) -> tuple[str, str]:
    """Name and URL: the first line, who holds the rights, and which Creative Commons it is."""
    with file.open("rb") as stream:
        text = stream.read(_MOST_BYTES).decode("utf-8-sig", "replace")
    lines = (line.strip(" \t\r#*=-") for line in text.splitlines())
    name = next((_plain(line) for line in lines if line), file.name)
    for more in (_HOLDER.search(text), _COMMONS.search(text)):
        words = _plain(more.group(more.lastindex or 0)) if more else ""
        if words.lower() not in name.lower():
            name = f"{name}, {words}"
    url = _URL.search(text)
    return name, url.group().rstrip(".,;:") if url else ""


def _plain(line: str) -> str:
    """One line of printable characters."""
    words = "".join(c if c.isprintable() else " " for c in line).split()
    return " ".join(words)[:_LONGEST_LINE]
