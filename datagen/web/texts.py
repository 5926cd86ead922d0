"""Texts of recipes and grammars by name: those that came with datagen, and the server's own."""

from collections.abc import Iterator
from typing import Literal

from datagen import plugins
from datagen.web.home import Home

Kind = Literal["recipes", "grammars"]
ENDING: dict[Kind, str] = {"recipes": ".toml", "grammars": ".scene"}
_FOLDER: dict[Kind, str] = {"recipes": "configs", "grammars": "grammars"}  # of datagen.plugins


def is_built_in(kind: Kind, name: str) -> bool:
    """Whether one of this name came with datagen; it goes before one of the server's own."""
    return name in plugins.names(_FOLDER[kind])


def built_in(kind: Kind) -> list[str]:
    """Names of those that came with datagen, in order."""
    return sorted(plugins.names(_FOLDER[kind]))


def own(home: Home, kind: Kind) -> Iterator[str]:
    """Names of the server's own, in order."""
    return home.names(kind, ENDING[kind])


def text_of(home: Home, kind: Kind, name: str) -> str:
    """What is written in one of them; NotHere."""
    if is_built_in(kind, name):
        path = plugins.path_of(_FOLDER[kind], name)
    else:
        path = home.find(kind, name, ENDING[kind])
    return path.read_text(encoding="utf-8")
