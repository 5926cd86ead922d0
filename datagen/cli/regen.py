"""datagen regen"""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Context, Option

from datagen import pipeline
from datagen.cli.options import DatasetFolder, Json, Moved
from datagen.dataset.pictures import encode_image
from datagen.errors import InputError
from datagen.files import write_atomic

Index = Annotated[int, Argument(help="The image's number, from 0, as in its file name.")]
Out = Annotated[Path | None, Option("-o", "--out", help="The .png or .jpg file to write.")]


def command(
    context: Context,
    dataset: DatasetFolder,
    index: Index,
    out: Out = None,
    sets: Moved = None,
    json: Json = False,
) -> None:
    """It needs recipe.json only: the images may be gone, or never have been copied."""
    out = out or Path(f"{index:08d}.png")
    image_format = _format(out)
    _, frame = pipeline.regen(dataset, index, sets or ())
    write_atomic(out, encode_image(frame.image, image_format))
    context.obj.result(str(out), {"image": str(out), "index": index}, as_json=json)


def _format(path: Path) -> Literal["png", "jpg"]:
    match path.suffix.lower():
        case ".png":
            return "png"
        case ".jpg" | ".jpeg":
            return "jpg"
    raise InputError(f"{path}: end the name in .png or .jpg")
