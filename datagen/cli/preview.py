"""datagen preview"""

from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Context, Option

from datagen import labels, pipeline, recipe
from datagen.cli.options import Assets, Json, RecipeName, Sets, overrides
from datagen.edits import Edits
from datagen.errors import InputError
from datagen.frame import Frame
from datagen.recipe import Recipe
from datagen.report.edited import edited_sheet
from datagen.report.sheet import contact_sheet, save_png

_STEPS = 7  # from one style to another

Number = Annotated[int, Option("-n", "--number", min=1, max=400, help="Images.")]
Out = Annotated[Path, Option("-o", "--out", help="The PNG file to write.")]
Boxes = Annotated[bool, Option("--boxes/--no-boxes", help="Draw boxes and names.")]
Masks = Annotated[bool, Option("--masks/--no-masks", help="Draw masks.")]
Seed = Annotated[int | None, Option("--seed", help="Else as in the recipe.")]
Move = Annotated[
    list[str] | None,
    Option("--move", metavar="K:DX,DY", help="Thing K, px right and down; or m right and ahead."),
]
Drop = Annotated[list[int] | None, Option("--drop", min=1, metavar="K", help="Without thing K.")]
Recolour = Annotated[
    list[int] | None, Option("--recolour", min=1, metavar="K", help="Thing K with another look.")
]
Between = Annotated[
    str | None,
    Option("--between", metavar="A,B", help="Each image from style A to style B of `imle`."),
]
Like = Annotated[
    Path | None,
    Option("--like", metavar="PHOTO", help="In the style of a photo that has a label map."),
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
    between: Between = None,
    like: Like = None,
    sets: Sets = None,
    assets: Assets = None,
    json: Json = False,
) -> None:
    """These are the first images of the dataset that `generate` would write.

    With --move, --drop or --recolour: each image as it would be, beside itself with the change.
    With --between or --like, for runs that learned an appearance: in these styles.
    """
    loaded = recipe.load(source, overrides(sets, assets, seed=seed), allow_empty=True)
    edits = Edits.parse(move or [], drop or [], recolour or [])
    if between is not None and (edits or like is not None):
        raise InputError("--between goes with no change and not with --like; leave one of them out")
    loaded.check_worth()
    text, data = str(out), {"sheet": str(out), "images": number}
    if like is not None:
        loaded, data["code"] = _like(loaded, like)
        text = f"{out}: style {data['code']}"
    if edits:
        frames, changed = zip(*pipeline.first_edited(loaded, number, edits), strict=True)
        sheet = edited_sheet(frames, changed, edits, boxes=boxes, masks=masks)
    elif between is not None:
        frames, sheet = _between(loaded, number, between, boxes=boxes, masks=masks)
    else:
        frames = list(pipeline.first(loaded, number))
        things = list(map(labels.annotate, frames))
        sheet = contact_sheet([f.image for f in frames], things, boxes=boxes, masks=masks)
    save_png(out, sheet)
    data["annotations"] = sum(len(labels.annotate(frame)) for frame in frames)
    context.obj.result(text, data, as_json=json)


def _like(loaded: Recipe, photo: Path) -> tuple[Recipe, int]:
    from datagen.learning.appearance import looks  # torch takes seconds, and others need none of it

    code = looks.like(loaded, photo)
    return looks.in_style(loaded, code), code


def _between(
    loaded: Recipe, number: int, codes: str, *, boxes: bool, masks: bool
) -> tuple[list[Frame], np.ndarray]:
    """The images in the first style, and a sheet with a row for each."""
    from datagen.learning.appearance import looks

    columns = [list(pipeline.first(one, number)) for one in looks.between(loaded, codes, _STEPS)]
    shown = [frame for row in zip(*columns, strict=True) for frame in row]
    things = list(map(labels.annotate, shown))
    sheet = contact_sheet(
        [f.image for f in shown], things, columns=_STEPS, boxes=boxes, masks=masks, legend={}
    )
    return columns[0], sheet
