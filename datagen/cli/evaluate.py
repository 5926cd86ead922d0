"""datagen evaluate"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Context, Option

from datagen.cli.options import Broker, Detach, Json, Merge, QueueIn, Resume, merged
from datagen.cli.queueing import carry_out, place
from datagen.cli.screen import Screen
from datagen.labelled import Kind
from datagen.scoring.coco import Backend

Source = Annotated[
    Path,
    Argument(metavar="RUN", help="A run of `train`, its weights, or a JSON file of detections."),
]
Dataset = Annotated[Path, Argument(metavar="DATASET", help="Labelled pictures of any tool.")]
Out = Annotated[Path, Option("--out", help="A new folder for the report.")]
Sort = Annotated[Kind | None, Option("--kind", help="What DATASET is.", show_default="by its look")]
Workers = Annotated[int, Option("--workers", min=1, max=256, help="Processes that detect.")]
By = Annotated[Backend, Option("--backend", help="Whose COCO evaluator; the numbers are equal.")]
Official = Annotated[
    bool, Option("--kitti-official", help="KITTI's IoU of 0.7 for cars, not 0.5 for all.")
]


def command(
    context: Context,
    source: Source,
    dataset: Dataset,
    out: Out,
    kind: Sort = None,
    workers: Workers = 1,
    backend: By = "pycocotools",
    kitti_official: Official = False,
    merge: Merge = None,
    resume: Resume = False,
    broker: Broker = None,
    jobs: QueueIn = None,
    detach: Detach = False,
    json: Json = False,
) -> None:
    """COCO's and KITTI's measures, and AP50 by what is known of the things."""
    from datagen.detecting import evaluation  # torch takes seconds, and options need none of it

    to = place(context, broker, jobs, detach)
    request = evaluation.Request(
        source, dataset, kind, workers, backend, kitti_official, merged(merge)
    )
    told = partial(tell, context.obj, out, json, official=kitti_official)
    if to is not None:
        order = evaluation.order(request, out, resume=resume)
        carry_out(context.obj, to, order, resume=resume, json=json, tell=told)
        return
    with context.obj.progress("evaluating") as advance:
        report = evaluation.evaluate(request, out, resume=resume, progress=advance)
    told(report)


def tell(
    screen: Screen, out: Path, json: bool, report: dict[str, Any], *, official: bool = False
) -> None:
    """Show what came of it."""
    for text in said(report):
        screen.say(text)
    if official and report["kitti"] is None:
        screen.say("KITTI's measure was left out: what is hidden of the things is not known.")
    screen.result(str(out / "report.html"), report, as_json=json)


def said(report: dict[str, Any]) -> list[str]:
    """What came of it, in words."""
    from datagen.report.evaluation import summary

    return list(summary(report))
