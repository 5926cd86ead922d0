"""datagen preview"""

from pathlib import Path
from typing import Annotated

from typer import Context, Option

from datagen import labels, pipeline, recipe
from datagen.cli.options import Assets, Json, RecipeName, Sets, overrides
from datagen.edits import Edits
from datagen.report.edited import edited_sheet
from datagen.report.sheet import contact_sheet, save_png

Number = Annotated[int, Option("-n", "--number", min=1, max=400, help="Images.")]
Out = Annotated[Path, Option("-o", "--out", help="The PNG file to write.")]
Boxes = Annotated[bool, Option("--boxes/--no-boxes", help="Draw boxes and names.")]
Masks = Annotated[bool, Option("--masks/--no-masks", help="Draw masks.")]
Seed = Annotated[int | None, Option("--seed", help="Else as in the recipe.")]
Move = Annotated[
    list[str] | None, Option("--move", metavar="K:DX,DY", help="Thing K by px right and down.")
]
Drop = Annotated[list[int] | None, Option("--drop", min=1, metavar="K", help="Without thing K.")]
Recolour = Annotated[
    list[int] | None, Option("--recolour", min=1, metavar="K", help="Thing K with another look.")
]


def command(
    context: Context,
    source: RecipeName,
    number: Number = 12,
    out: Out = Path("preview.png"),
    boxes: Boxes = True,
    masks: Masks = True,
    seed: Seed = None,
    move: Move = None,
    drop: Drop = None,
    recolour: Recolour = None,
    sets: Sets = None,
    assets: Assets = None,
    json: Json = False,
) -> None:
    """These are the first images of the dataset that `generate` would write.

    With --move, --drop or --recolour, for recipes that learned from photos what things are: each
    image as it would be, beside itself with the change.
    """
    loaded = recipe.load(source, overrides(sets, assets, seed=seed), allow_empty=True)
    edits = Edits.parse(move or [], drop or [], recolour or [])
    loaded.check_worth()
    if edits:
        frames, changed = zip(*pipeline.first_edited(loaded, number, edits), strict=True)
        things = [labels.annotate(frame) for frame in frames]
        sheet = edited_sheet(frames, changed, edits, boxes=boxes, masks=masks)
    else:
        frames = list(pipeline.first(loaded, number))
        things = [labels.annotate(frame) for frame in frames]
        sheet = contact_sheet([f.image for f in frames], things, boxes=boxes, masks=masks)
    save_png(out, sheet)
    data = {"sheet": str(out), "images": number, "annotations": sum(map(len, things))}
    context.obj.result(str(out), data, as_json=json)
