"""datagen advise"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Option

from datagen.advising.job import Request, advise
from datagen.cli.options import Json

Evaluations = Annotated[
    list[Path],
    Argument(metavar="EVAL", help="Folders of `datagen evaluate`, all on the same dataset."),
]
Out = Annotated[Path, Option("--out", help="A new folder for the proposal and its report.")]
Source = Annotated[
    str | None,
    Option(
        "--recipe",
        metavar="RECIPE|DATASET",
        help="What to change; else what the detector was trained on.",
    ),
]
Strength = Annotated[
    float, Option("--strength", min=0.0, max=3.0, help="How far to go; 0 changes nothing.")
]
After = Annotated[
    Path | None,
    Option(
        "--after",
        metavar="EVAL",
        help="The evaluation of a detector trained on the proposed data.",
    ),
]


def command(
    context: Context,
    evaluations: Evaluations,
    out: Out,
    source: Source = None,
    strength: Strength = 1.0,
    after: After = None,
    json: Json = False,
) -> None:
    """What is missed most is made more of; several EVALs tell what more pictures would bring."""
    with context.obj.progress("advising") as advance:
        report = advise(Request(evaluations, source, strength, after), out, advance)
    for paragraph in report["summary"]:
        context.obj.say(f"{paragraph['about']}: {paragraph['text']}")
    context.obj.result(str(out / "report.html"), report, as_json=json)
