"""datagen train"""

from functools import partial
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

from typer import Argument, Context, Option

from datagen.cli.options import Broker, Detach, Json, QueueIn, Resume, Sets
from datagen.cli.queueing import carry_out, place
from datagen.cli.screen import Screen

Source = Annotated[
    str,
    Argument(metavar="SOURCE", help="A folder of labelled pictures, or a recipe that makes them."),
]
Out = Annotated[Path, Option("--out", help="A new folder for the run.")]
Val = Annotated[
    Path | None,
    Option("--val", help="Labelled pictures to validate on; else a share is held out."),
]
From = Annotated[
    Path | None,
    Option("--from", metavar="RUN|FILE", help="Go on from another training's weights."),
]
Workers = Annotated[
    int, Option("--workers", min=1, max=256, help="Processes that make a recipe's pictures.")
]


def command(
    context: Context,
    source: Source,
    out: Out,
    val: Val = None,
    start: From = None,
    resume: Resume = False,
    sets: Sets = None,
    workers: Workers = 1,
    broker: Broker = None,
    jobs: QueueIn = None,
    detach: Detach = False,
    json: Json = False,
) -> None:
    """Labels: a dataset of ours, COCO, KITTI, YOLO or CamVid. An interrupted run can --resume."""
    from datagen.detecting import job  # torch takes seconds, and options need none of it
    from datagen.detecting.lessons import lesson
    from datagen.reading import read

    to = place(context, broker, jobs, detach)
    given = lesson(source, sets or (), start)
    told = partial(tell, context.obj, out, json)
    if to is not None:
        order = job.order(given, Path(source), out, val=val, resume=resume)
        carry_out(context.obj, to, order, resume=resume, json=json, tell=told)
        return
    other = None if val is None else read(val)
    with context.obj.progress("training") as advance:
        report = job.train(
            given,
            out,
            val=other,
            workers=workers,
            resume=resume,
            progress=advance,
            say=context.obj.say,
        )
    told(report.to_json())


def tell(screen: Screen, out: Path, json: bool, report: dict[str, Any]) -> None:
    """Show what came of it."""
    for text in said(report):
        screen.say(text)
    screen.say(f"see {out / 'report.html'}")
    screen.say(f"score it on other pictures: datagen evaluate {quote(str(out))} DATASET")
    screen.result(str(out), report | {"run": str(out)}, as_json=json)


def said(report: dict[str, Any]) -> list[str]:
    """What came of it, in words."""
    if report["AP50"] is None:
        return ["how good it is was not measured"]
    return [f"AP50 {100 * report['AP50']:.1f} % in the validation pictures"]
