"""datagen preview"""

from pathlib import Path
from typing import Annotated

from typer import Context, Option

from datagen import labels, pipeline, recipe
from datagen.cli.options import Assets, Json, RecipeName, Sets, overrides
from datagen.report.sheet import contact_sheet, save_png

Number = Annotated[int, Option("-n", "--number", min=1, max=400, help="Images.")]
Out = Annotated[Path, Option("-o", "--out", help="The PNG file to write.")]
Boxes = Annotated[bool, Option("--boxes/--no-boxes", help="Draw boxes and names.")]
Masks = Annotated[bool, Option("--masks/--no-masks", help="Draw masks.")]
Seed = Annotated[int | None, Option("--seed", help="Else as in the recipe.")]


def command(
    context: Context,
    source: RecipeName,
    number: Number = 12,
    out: Out = Path("preview.png"),
    boxes: Boxes = True,
    masks: Masks = True,
    seed: Seed = None,
    sets: Sets = None,
    assets: Assets = None,
    json: Json = False,
) -> None:
    """These are the first images of the dataset that `generate` would write."""
    loaded = recipe.load(source, overrides(sets, assets, seed=seed), allow_empty=True)
    with pipeline.opened(loaded) as make_frame:
        frames = [make_frame(index)[1] for index in range(number)]
    things = [labels.annotate(frame) for frame in frames]
    sheet = contact_sheet([f.image for f in frames], things, boxes=boxes, masks=masks)
    save_png(out, sheet)
    data = {"sheet": str(out), "images": number, "annotations": sum(map(len, things))}
    context.obj.result(str(out), data, as_json=json)
