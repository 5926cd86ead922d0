"""datagen estimate"""

from pathlib import Path
from typing import Annotated

from typer import Context, Option

from datagen import recipe
from datagen.cli.options import Assets, Json, RecipeName, Sets, overrides
from datagen.estimating.forecast import estimate
from datagen.estimating.told import told

Count = Annotated[int | None, Option("--count", help="Images; else as in the recipe.")]
Workers = Annotated[
    int, Option("--workers", min=1, max=100_000, help="Processes, here or on other machines.")
]
Price = Annotated[
    float | None,
    Option("--price", metavar="PER_WORKER_HOUR", help="Of one worker for an hour; adds the cost."),
]
Images = Annotated[int, Option("--images", min=5, max=1000, help="Tried by each process.")]
Out = Annotated[
    Path | None, Option("--out", help="Where the dataset will be: its disk is tried and measured.")
]


def command(
    context: Context,
    source: RecipeName,
    count: Count = None,
    workers: Workers = 1,
    price: Price = None,
    images: Images = 20,
    out: Out = None,
    sets: Sets = None,
    assets: Assets = None,
    json: Json = False,
) -> None:
    """Writes a few images as `generate` would, into a folder that is removed again."""
    loaded = recipe.load(source, overrides(sets, assets, count=count))
    with context.obj.progress("images tried") as advance:
        found = estimate(
            loaded,
            workers=workers,
            images=images,
            price=price,
            out=out,
            progress=lambda done, total: advance(done, total, ""),
        )
    for warning in found.warnings:
        context.obj.say(f"warning: {warning}")
    context.obj.result(told(found), found.to_json(), as_json=json)
