"""Options that several verbs share: one meaning everywhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

Json = Annotated[bool, Option("--json", help="Print the result as JSON.")]
Sets = Annotated[
    list[str] | None,
    Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe; repeatable."),
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


def overrides(sets: Sequence[str] | None, **options: int | None) -> list[str]:
    """`--set` texts, and after them those of the options that were given."""
    given = [f"{key}={value}" for key, value in options.items() if value is not None]
    return [*(sets or ()), *given]
