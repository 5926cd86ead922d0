"""datagen learn"""

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

Target = Annotated[
    Path,
    Option(
        "--target",
        help="A folder of photos, or of label maps where parts learn from them; or a video.",
    ),
]
Out = Annotated[Path, Option("--out", help="A new folder for the run.")]
Truth = Annotated[
    Path | None,
    Option("--truth", help="COCO labels of the photos: for the report, never for learning."),
]


def command(
    context: Context,
    source: RecipeName,
    target: Target,
    out: Out,
    resume: Resume = False,
    truth: Truth = None,
    sets: Sets = None,
    assets: Assets = None,
    broker: Broker = None,
    jobs: QueueIn = None,
    detach: Detach = False,
    json: Json = False,
) -> None:
    """Give the run folder to generate: `datagen generate RUN --out DIR`."""
    from datagen import recipe
    from datagen.learning import job  # torch takes seconds, and options need none of it

    to = place(context, broker, jobs, detach)
    loaded = recipe.load(source, overrides(sets, assets), allow_empty=True)
    told = partial(tell, context.obj, out, json)
    if to is not None:
        order = job.order(loaded, target, out, resume=resume, truth=truth)
        carry_out(context.obj, to, order, resume=resume, json=json, tell=told)
        return
    with context.obj.progress("learning") as advance:
        report = job.learn(
            loaded,
            target,
            out,
            resume=resume,
            truth=truth,
            progress=lambda tick: advance(tick.step, tick.steps, tick.words),
        )
    told(report.to_json())


def tell(screen: Screen, out: Path, json: bool, report: dict[str, Any]) -> None:
    """Show what came of it."""
    for text in said(report):
        screen.say(text)
    can = report.get("makes_images", True)
    then = f"make images: datagen generate {out} --out DIR" if can else "it makes no images"
    screen.say(f"see {out / 'report.html'}; {then}")
    screen.result(str(out), report | {"run": str(out)}, as_json=json)


def said(report: dict[str, Any]) -> list[str]:
    """What came of it, in words."""
    return [f"{statement['kind']}: {statement['text']}" for statement in report["statements"]]
