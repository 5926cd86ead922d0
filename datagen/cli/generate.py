"""datagen generate"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Context, Option

from datagen.cli.options import (
    Assets,
    Broker,
    Detach,
    Json,
    QueueIn,
    RecipeName,
    Resume,
    Sets,
    overrides,
)
from datagen.cli.queueing import carry_out, place
from datagen.cli.screen import Screen
from datagen.storage.address import Address, place_of

Out = Annotated[
    str, Option("--out", metavar="DIR|URL", help="A new folder, or s3://bucket/prefix.")
]
Count = Annotated[int | None, Option("--count", help="Images; else as in the recipe.")]
Seed = Annotated[int | None, Option("--seed", help="Else as in the recipe.")]
Workers = Annotated[int, Option("--workers", min=1, max=256, help="Processes; changes no byte.")]
ShardSize = Annotated[int | None, Option("--shard-size", help="Images published at a time.")]
AllowEmpty = Annotated[bool, Option("--allow-empty", help="Accept a count of 0.")]


def command(
    context: Context,
    source: RecipeName,
    out: Out,
    count: Count = None,
    seed: Seed = None,
    workers: Workers = 1,
    shard_size: ShardSize = None,
    resume: Resume = False,
    allow_empty: AllowEmpty = False,
    sets: Sets = None,
    assets: Assets = None,
    broker: Broker = None,
    jobs: QueueIn = None,
    detach: Detach = False,
    json: Json = False,
) -> None:
    """An interrupted run goes on with --resume; no image is made twice or lost."""
    from datagen import pipeline, recipe

    where = place_of(out)
    to = place(context, broker, jobs, detach)
    changed = overrides(sets, assets, count=count, seed=seed, shard_size=shard_size)
    loaded = recipe.load(source, changed, allow_empty=allow_empty)
    told = partial(tell, context.obj, where, json)
    if to is not None:
        order = pipeline.order(loaded, where, resume=resume)
        carry_out(context.obj, to, order, resume=resume, json=json, tell=told)
        return
    with context.obj.progress("images") as advance:
        report = pipeline.generate(
            loaded,
            where,
            workers=workers,
            resume=resume,
            progress=lambda p: advance(p.done, p.total, f"{p.images_per_second:.0f} images/s"),
        )
    told(report.to_json())


def tell(screen: Screen, out: Path | Address, json: bool, report: dict[str, Any]) -> None:
    """Show what came of it."""
    for text in said(report):
        screen.say(text)
    screen.result(str(out), report | {"out": str(out)}, as_json=json)


def said(report: dict[str, Any]) -> list[str]:
    """What came of it, in words."""
    rate = f"{report['rendered']} made now, {report['images_per_second']:.0f} a second"
    return [f"{report['count']} images ({rate}), {report['annotations']} labels"]
