"""datagen predict"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Context, Option

from datagen.cli.options import Json

Run = Annotated[
    Path,
    Argument(metavar="RUN", help="A run of `train`, its weights, or a run of `learn` with `gnm`."),
]
Photos = Annotated[
    Path, Argument(metavar="PHOTOS", help="A folder of photos, or a dataset folder.")
]
Out = Annotated[Path, Option("--out", metavar="FILE", help="A new .json file: COCO, with scores.")]
LeastScore = Annotated[
    float, Option("--least-score", min=0, max=1, help="What is less sure is left out.")
]
Masks = Annotated[
    bool, Option("--masks/--no-masks", help="Outlines where RUN knows them, or boxes alone.")
]


def command(
    context: Context,
    run: Run,
    photos: Photos,
    out: Out,
    least_score: LeastScore = 0.5,
    masks: Masks = True,
    json: Json = False,
) -> None:
    """Open the file in a labelling tool, or score it: `datagen evaluate FILE DATASET --out DIR`."""
    from datagen.detecting.predicting import predict  # torch takes seconds

    with context.obj.progress("looking") as advance:
        report = predict(run, photos, out, least_score=least_score, masks=masks, progress=advance)
    for text in said(report):
        context.obj.say(text)
    context.obj.result(str(out), report, as_json=json)


def said(report: dict[str, Any]) -> Iterator[str]:
    """What came of it, in words."""
    things = ", ".join(f"{count} {name}" for name, count in report["things"].items())
    yield f"in {report['photos']} photos: {things}; in {report['empty']} of them nothing"
    if left_out := report["left_out"]:
        name, reason = left_out[0]
        yield f"files that were left out: {len(left_out)} (the first: {name}: {reason})"
    yield "nobody has checked these labels yet: correct them before they are used"
