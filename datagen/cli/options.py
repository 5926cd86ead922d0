"""Options that several verbs share: one meaning everywhere."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from datagen.errors import InputError

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
Merge = Annotated[
    list[str] | None,
    Option("--merge", metavar="OLD=NEW", help="Put a category into another one; repeatable."),
]
Resume = Annotated[bool, Option("--resume", help="Go on with what is there already.")]
Broker = Annotated[
    str | None,
    Option("--broker", metavar="URL", help="Queue it for the workers at this Redis."),
]
QueueIn = Annotated[
    Path | None,
    Option("--jobs", metavar="DIR", help="Queue it in this jobs folder, for who attends it."),
]
JobsFolder = Annotated[
    Path | None,
    Option("--jobs", metavar="DIR", help="The jobs folder.", show_default="DATAGEN_JOBS, out/jobs"),
]
Detach = Annotated[bool, Option("--detach", help="Queue it, print the job's id, do not wait.")]
RecipeName = Annotated[
    str, Argument(metavar="RECIPE", help="A recipe file, the name of one, or a run folder.")
]
DatasetFolder = Annotated[Path, Argument(metavar="DATASET", help="A dataset folder.")]


def pairs(option: str, texts: Sequence[str], form: str) -> dict[str, str]:
    """`van=car` and such, given by `option`, as left -> right; `form` is how they are written."""
    parts = [text.partition("=") for text in texts]
    for left, equals, right in parts:
        if not (left and equals and right):
            raise InputError(f"{option} {left}{equals}{right}: write it as {form}")
    return {left: right for left, _, right in parts}


def merged(given: Sequence[str] | None) -> dict[str, str]:
    """`--merge` texts: old name of a category -> new one."""
    return pairs("--merge", given or (), "OLD=NEW")


def shares(split: str) -> dict[str, float]:
    """`--split`: name of a split -> its share."""
    parts = pairs("--split", [part for part in split.split(",") if part], "NAME=SHARE,...")
    try:
        return {name: float(share) for name, share in parts.items()}
    except ValueError as error:
        raise InputError(f"--split {split}: the shares must be numbers") from error


def overrides(
    sets: Sequence[str] | None, assets: Sequence[str] | None = None, **options: int | None
) -> list[str]:
    """`--set` texts, and after them those of the options that were given."""
    given = [f"{key}={value}" for key, value in options.items() if value is not None]
    return [*(sets or ()), *map(_asset, assets or ()), *given]


def _asset(text: str) -> str:
    """`--assets` as a `--set` text; the folder in quotes, since values are TOML."""
    from datagen.freezing import ONLY_MODELS  # it loads numpy, and every verb has options

    name, equals, folder = text.partition("=")
    if not equals or not name.isidentifier():
        name, folder = ONLY_MODELS, text
    if not os.path.isdir(os.path.expanduser(folder)):
        raise InputError(f"--assets {text}: there is no folder {folder}; give a folder of models")
    return f"assets.{name}={json.dumps(folder, ensure_ascii=False)}"
