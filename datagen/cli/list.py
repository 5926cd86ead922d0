"""datagen list"""

from collections.abc import Callable
from typing import Annotated

from typer import Argument, Context

from datagen.cli.options import Json
from datagen.cli.remote import client_of
from datagen.errors import InputError
from datagen.plugins import did_you_mean, names

# What people say -> the kind of plug-in folder.
KINDS = {
    "grammars": "grammars",
    "recipes": "configs",
    "renderers": "renderers",
    "generators": "generators",
    "features": "features",
    "detectors": "detectors",
}
Kind = Annotated[
    str | None,
    Argument(metavar="[KIND]", help=f"One of: {', '.join(KINDS)}; others with --server."),
]


def command(context: Context, kind: Kind = None, json: Json = False) -> None:
    """Any of the names may stand where a recipe, a grammar or a `use` is wanted."""
    known, named = _sources(context)
    if kind is not None and kind not in known:
        raise InputError(
            f"nothing is called `{kind}`{did_you_mean(kind, known)}; there are: {', '.join(known)}"
        )
    found = {one: named(one) for one in known if kind in (None, one)}
    if kind is not None:
        context.obj.result("\n".join(found[kind]), found[kind], as_json=json)
        return
    text = "\n".join(f"{shown:<12}{' '.join(those)}" for shown, those in found.items())
    context.obj.result(text, found, as_json=json)


def _sources(context: Context) -> tuple[tuple[str, ...], Callable[[str], list[str]]]:
    """The kinds that there are, here or at the server, and what gives the names of one."""
    client = client_of(context)
    if client is None:
        return tuple(KINDS), lambda kind: list(names(KINDS[kind]))
    from datagen.web.home import KINDS as served

    return served, client.names
