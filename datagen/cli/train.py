"""datagen train"""

import json as as_text
from pathlib import Path
from shlex import quote
from typing import Annotated

from typer import Argument, Context, Option

from datagen.cli.options import Json, Resume, Sets
from datagen.detecting.job import train
from datagen.detecting.lessons import lesson
from datagen.detecting.snapshot import weights_of
from datagen.reading import read

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
    json: Json = False,
) -> None:
    """Labels: a dataset of ours, COCO, KITTI, YOLO or CamVid. An interrupted run can --resume."""
    given = lesson(source, [*(sets or ()), *_started(start)])
    other = None if val is None else read(val)
    with context.obj.progress("training") as advance:
        report = train(
            given,
            out,
            val=other,
            workers=workers,
            resume=resume,
            progress=advance,
            say=context.obj.say,
        )
    context.obj.say(f"{_good(report.ap50)}; see {out / 'report.html'}")
    context.obj.say(f"score it on other pictures: datagen evaluate {quote(str(out))} DATASET")
    context.obj.result(str(out), report.to_json(), as_json=json)


def _started(start: Path | None) -> list[str]:
    """`--from` as a `--set` text; the path in quotes, since values are TOML."""
    if start is None:
        return []
    return [f"train.start={as_text.dumps(str(weights_of(start)), ensure_ascii=False)}"]


def _good(ap50: float | None) -> str:
    if ap50 is None:
        return "how good it is was not measured"
    return f"AP50 {100 * ap50:.1f} % in the validation pictures"
