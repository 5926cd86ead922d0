"""datagen list"""

from typing import Annotated

from typer import Argument, Context

from datagen.cli.options import Json
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
Kind = Annotated[str | None, Argument(metavar="[KIND]", help=f"One of: {', '.join(KINDS)}.")]


def command(context: Context, kind: Kind = None, json: Json = False) -> None:
    """Any of the names may stand where a recipe, a grammar or a `use` is wanted."""
    if kind is not None and kind not in KINDS:
        raise InputError(f"nothing is called `{kind}`{did_you_mean(kind, KINDS)}")
    found = {shown: names(folder) for shown, folder in KINDS.items() if kind in (None, shown)}
    if kind is not None:
        context.obj.result("\n".join(found[kind]), found[kind], as_json=json)
        return
    text = "\n".join(f"{shown:<12}{' '.join(known)}" for shown, known in found.items())
    context.obj.result(text, found, as_json=json)
