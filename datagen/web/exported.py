"""Exports of the server's folder, as answers show them."""

from pathlib import Path

from datagen.dataset.store import read_json
from datagen.errors import DatagenError
from datagen.web import types
from datagen.web.home import Home, NotHere
from datagen.web.problems import Refused

_ABOUT = "export.json"  # appears with all the rest, by one rename
_TOLD = ("format", "images", "annotations", "dropped", "splits")


def listed(home: Home) -> list[types.Exported]:
    """All that are complete, the newest first."""
    found = []
    for name in home.names("exports"):
        try:
            found.append(shown(home, name))
        except (NotHere, DatagenError, OSError):  # under way, removed meanwhile, or damaged
            continue
    return sorted(found, key=lambda one: (-one.made, one.name))


def shown(home: Home, name: str) -> types.Exported:
    """One of them; NotHere before it is complete, Refused where its own words are damaged."""
    path = complete(home, name) / _ABOUT
    try:
        report = read_json(path)["report"]
        told = {key: report[key] for key in _TOLD}
        return types.Exported(name=name, made=path.stat().st_mtime, **told)
    except (DatagenError, LookupError, TypeError, ValueError) as error:
        raise Refused(409, f"exports/{name} is damaged: {_ABOUT}; remove it") from error


def complete(home: Home, name: str) -> Path:
    """Its folder; NotHere while its job is under way."""
    folder = home.find("exports", name)
    about = folder / _ABOUT
    if about.is_symlink() or not about.is_file():
        raise NotHere(f"exports/{name} is not there yet; its job tells how far it is")
    return folder
