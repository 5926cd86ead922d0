"""datagen evaluate"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Option

from datagen.cli.options import Json, Resume
from datagen.detecting.evaluation import Request, evaluate
from datagen.errors import InputError
from datagen.labelled import Kind
from datagen.report.evaluation import summary
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
Merge = Annotated[
    list[str] | None,
    Option("--merge", metavar="OLD=NEW", help="Put a category into another one; repeatable."),
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
    json: Json = False,
) -> None:
    """COCO's and KITTI's measures, and AP50 by what is known of the things."""
    pairs = _pairs(merge or [])
    request = Request(source, dataset, kind, workers, backend, kitti_official, pairs)
    with context.obj.progress("evaluating") as advance:
        report = evaluate(request, out, resume=resume, progress=advance)
    for text in summary(report):
        context.obj.say(text)
    if kitti_official and report["kitti"] is None:
        context.obj.say("KITTI's measure was left out: what is hidden of the things is not known.")
    context.obj.result(str(out / "report.html"), report, as_json=json)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for old, equals, new in pairs:
        if not (old and equals and new):
            raise InputError(f"--merge {old}{equals}{new}: write it as OLD=NEW")
    return {old: new for old, _, new in pairs}
