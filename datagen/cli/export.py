"""datagen export"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Context, Option

from datagen.cli.options import (
    Broker,
    DatasetFolder,
    Detach,
    Json,
    Merge,
    QueueIn,
    Resume,
    merged,
    shares,
)
from datagen.cli.queueing import carry_out, place
from datagen.cli.screen import Screen
from datagen.dataset import export
from datagen.dataset.export import job
from datagen.dataset.export.selection import Policy

Format = Annotated[str, Option("--format", help=f"One of: {', '.join(export.FORMATS)}.")]
Out = Annotated[Path, Option("--out", help="A new folder.")]
MinVisible = Annotated[
    float, Option("--min-visible", help="Least visible share of a thing, from 0 to 1.")
]
MinPixels = Annotated[int, Option("--min-pixels", help="Least visible pixels of a thing.")]
Split = Annotated[
    str, Option("--split", metavar="NAME=SHARE,...", help="For example train=0.8,val=0.2.")
]

Link = Annotated[
    bool, Option("--link", help="Hard links instead of copies: no room, but the same files.")
]


def command(
    context: Context,
    dataset: DatasetFolder,
    format: Format,
    out: Out,
    min_visible: MinVisible = 0.0,
    min_pixels: MinPixels = 1,
    merge: Merge = None,
    split: Split = "",
    link: Link = False,
    resume: Resume = False,
    broker: Broker = None,
    jobs: QueueIn = None,
    detach: Detach = False,
    json: Json = False,
) -> None:
    """What is left out or merged here is still in the dataset; export again as you like."""
    to = place(context, broker, jobs, detach)
    policy = Policy(min_visible, min_pixels, merged(merge), shares(split))
    told = partial(tell, context.obj, out, json)
    if to is not None:
        order = job.order(dataset, format, out, policy, link=link, resume=resume)
        carry_out(context.obj, to, order, resume=resume, json=json, tell=told)
        return
    with context.obj.progress("exporting") as advance:
        report = export.export(
            dataset, format, out, **vars(policy), link=link, resume=resume, progress=advance
        )
    told(report.to_json())


def tell(screen: Screen, out: Path, json: bool, report: dict[str, Any]) -> None:
    """Show what came of it."""
    for text in said(report):
        screen.say(text)
    screen.result(str(out), report, as_json=json)


def said(report: dict[str, Any]) -> list[str]:
    """What came of it, in words."""
    images, labels, dropped = (report[key] for key in ("images", "annotations", "dropped"))
    return [f"{images} images, {labels} labels, {dropped} left out"]
