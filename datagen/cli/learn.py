"""datagen learn"""

from pathlib import Path
from typing import Annotated

from typer import Context, Option

from datagen import recipe
from datagen.cli.options import Assets, Json, RecipeName, Resume, Sets, overrides
from datagen.learning.job import learn
from datagen.learning.loop import Tick

Target = Annotated[Path, Option("--target", help="A folder of photos; labels are not needed.")]
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
    json: Json = False,
) -> None:
    """Give the run folder to generate: `datagen generate RUN --out DIR`."""
    loaded = recipe.load(source, overrides(sets, assets), allow_empty=True)
    with context.obj.progress("learning") as advance:
        report = learn(
            loaded,
            target,
            out,
            resume=resume,
            truth=truth,
            progress=lambda tick: advance(tick.step, tick.steps, note(tick)),
        )
    for statement in report.statements:
        context.obj.say(f"{statement.kind}: {statement.text}")
    context.obj.say(f"see {out / 'report.html'}; make images: datagen generate {out} --out DIR")
    context.obj.result(str(out), report.to_json(), as_json=json)


def note(tick: Tick) -> str:
    """The phase and its readings, in a few words."""
    values = "  ".join(f"{name} {value:.3g}" for name, value in tick.values.items())
    return f"{tick.phase}  {values}"
