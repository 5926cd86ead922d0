"""Runs of `learn` and `train`, and evaluations: what their folders hold, without a heavy import."""

import json
import re
from pathlib import Path
from typing import IO, Any, Literal

from datagen.web import types
from datagen.web.home import Home, NotHere
from datagen.web.problems import Refused

Kind = Literal["runs", "detectors", "evaluations"]
KINDS: tuple[Kind, ...] = ("runs", "detectors", "evaluations")
REPORT = "report.html"
# The file that is written last, and the one of all numbers.
_LAST: dict[Kind, str] = {"runs": "recipe.json", "detectors": REPORT, "evaluations": REPORT}
_NUMBERS: dict[Kind, str] = {
    "runs": "report.json",
    "detectors": "train.json",
    "evaluations": "report.json",
}
PICTURES = {".png": "image/png", ".jpg": "image/jpeg"}
_PICTURE = re.compile(r"[A-Za-z0-9_-]{1,80}\.(png|jpg)")
_META = 4_000_000  # bytes; a meta.json holds a recipe, and that a grammar
_PIECE = 1 << 20  # bytes of readings in one answer
# What a report says its only style is; the page names the hash in a policy of its own.
_STYLE = re.compile(rb"sha256-[A-Za-z0-9+/]{43}=")
_HEAD = 2000  # bytes of a report in which that stands


def listed(home: Home, kind: Kind) -> list[types.Run]:
    """All of a kind, the newest first."""
    found = []
    for name in home.names(kind):
        try:
            found.append(shown(home, kind, name))
        except (NotHere, OSError):  # removed meanwhile
            continue
    return sorted(found, key=lambda one: (-one.made, one.name))


def shown(home: Home, kind: Kind, name: str) -> types.Run:
    """One of them, without its meta; NotHere."""
    folder = home.find(kind, name)
    began = next((p for p in (folder / "meta.json", folder / REPORT) if p.is_file()), folder)
    return types.Run(
        name=name,
        kind=kind,
        complete=(folder / _LAST[kind]).is_file(),
        report=(folder / REPORT).is_file(),
        made=began.stat().st_mtime,
    )


def told(home: Home, kind: Kind, name: str) -> types.Run:
    """One of them, with what its meta.json says beside the recipe, and its pictures."""
    folder = home.find(kind, name)
    meta = _read(folder / "meta.json")
    pictures = sorted(p.name for p in folder.iterdir() if _PICTURE.fullmatch(p.name))
    about = {"meta": {k: v for k, v in meta.items() if k != "recipe"}, "pictures": pictures}
    return shown(home, kind, name).model_copy(update=about)


def complete(home: Home, kind: Kind, name: str) -> Path:
    """Its folder; Refused before all of it is there."""
    if not shown(home, kind, name).complete:
        raise Refused(409, f"{kind}/{name} is not complete; ask again when its job is done")
    return home.find(kind, name)


def file_of(home: Home, kind: Kind, name: str, file: str) -> Path:
    """A file of one of them; NotHere, also for what is no plain file."""
    path = home.find(kind, name) / file
    if path.is_symlink() or not path.is_file():
        raise NotHere(f"{kind}/{name} has no {file}, or not yet")
    return path


def numbers(home: Home, kind: Kind, name: str) -> Path:
    """The numbers behind a report, as JSON; NotHere."""
    return file_of(home, kind, name, _NUMBERS[kind])


def picture(home: Home, kind: Kind, name: str, file: str) -> Path:
    """A sheet that lies in the folder; NotHere for any other name."""
    if not _PICTURE.fullmatch(file):
        raise NotHere(f"{kind}/{name} has no picture of this name")
    return file_of(home, kind, name, file)


def policy_of(report: Path) -> str:
    """The Content-Security-Policy to send a report with: its pictures are in it, nothing runs."""
    with report.open("rb") as file:
        style = _STYLE.search(file.read(_HEAD))
    allowed = f"'{style[0].decode()}'" if style else "'none'"
    return (
        f"default-src 'none'; img-src 'self' data:; style-src {allowed}; "
        "form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
    )


def readings(home: Home, kind: Kind, name: str, cursor: int, limit: int) -> types.Readings:
    """Lines of metrics.jsonl from byte `cursor` on; `next` goes on where these end.

    Refused where the file was written anew, from a checkpoint, and no line begins there any more.
    """
    with file_of(home, kind, name, "metrics.jsonl").open("rb") as file:
        if not _begins_line(file, cursor):
            raise Refused(410, "the run has gone back to a checkpoint; begin without cursor")
        lines = file.read(_PIECE).splitlines(keepends=True)
    found: list[dict[str, Any]] = []
    for line in lines[:limit]:
        if not line.endswith(b"\n"):  # is being written
            break
        cursor += len(line)
        try:
            found.append(json.loads(line))
        except ValueError:  # torn by a crash
            continue
    return types.Readings(items=found, next=cursor)


def _begins_line(file: IO[bytes], at: int) -> bool:
    """Whether a line begins at this byte, from which the file is then read on."""
    if at > file.seek(0, 2):
        return False
    file.seek(max(0, at - 1))
    return at == 0 or file.read(1) == b"\n"


def _read(path: Path) -> dict[str, Any]:
    """JSON of a file that need not be there, or be any."""
    try:
        data = json.loads(path.read_bytes()) if path.stat().st_size <= _META else None
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
