"""datagen demo"""

import os
from pathlib import Path
from typing import Annotated

from typer import Context, Option

from datagen.cli.options import Json, Resume
from datagen.demo import demo

Out = Annotated[Path, Option("--out", help="A new folder for everything that the demo makes.")]


def command(
    context: Context, out: Out = Path("out/demo"), resume: Resume = False, json: Json = False
) -> None:
    """A hidden town is drawn, its labels are deleted, and it is learned from its pictures alone."""
    screen = context.obj
    with screen.progress("demo") as advance:
        report = demo(
            out,
            workers=len(os.sched_getaffinity(0)),
            resume=resume,
            say=screen.say,
            progress=lambda what, done, total: advance(done, total, what),
            tick=lambda tick: advance(tick.step, tick.steps, tick.words),
        )
    screen.result(report.text(), report.to_json(), as_json=json)
