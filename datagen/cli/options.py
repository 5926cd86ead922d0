"""Options that several verbs share: one meaning everywhere."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from datagen.errors import InputError
from datagen.freezing import ONLY_MODELS

Json = Annotated[bool, Option("--json", help="Print the result as JSON.")]
Sets = Annotated[
    list[str] | None,
    Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe; repeatable."),
]
Assets = Annotated[
    list[str] | None,
    Option(
        "--assets",
        metavar="[NAME=]DIR",
        help="A folder of models; NAME where the grammar has several assets.",
    ),
]
Moved = Annotated[
    list[str] | None,
    Option("--set", metavar="KEY=PATH", help="Where an asset of the dataset is now; repeatable."),
]
Resume = Annotated[bool, Option("--resume", help="Go on with what is there already.")]
RecipeName = Annotated[
    str, Argument(metavar="RECIPE", help="A recipe file, the name of one, or a run folder.")
]
DatasetFolder = Annotated[Path, Argument(metavar="DATASET", help="A dataset folder.")]


def overrides(
    sets: Sequence[str] | None, assets: Sequence[str] | None = None, **options: int | None
) -> list[str]:
    """`--set` texts, and after them those of the options that were given."""
    given = [f"{key}={value}" for key, value in options.items() if value is not None]
    return [*(sets or ()), *map(_asset, assets or ()), *given]


def _asset(text: str) -> str:
    """`--assets` as a `--set` text; the folder in quotes, since values are TOML."""
    name, equals, folder = text.partition("=")
    if not equals or not name.isidentifier():
        name, folder = ONLY_MODELS, text
    if not os.path.isdir(os.path.expanduser(folder)):
        raise InputError(f"--assets {text}: there is no folder {folder}; give a folder of models")
    return f"assets.{name}={json.dumps(folder, ensure_ascii=False)}"
