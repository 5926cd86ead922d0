"""datagen regen"""

import re
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Context, Option

from datagen import pipeline
from datagen.cli.options import DatasetFolder, Json, Moved
from datagen.dataset.pictures import ENDINGS, encode_image, encode_passes
from datagen.errors import InputError
from datagen.files import write_atomic

_SIDES = range(8, 8193)  # px, as of a grammar's canvas

Index = Annotated[int, Argument(help="The image's number, from 0, as in its file name.")]
Out = Annotated[Path | None, Option("-o", "--out", help="The .png or .jpg file to write.")]
Passes = Annotated[
    list[str] | None,
    Option("--pass", metavar="PASS", help=f"Also one of: {', '.join(ENDINGS)}; repeatable."),
]
Size = Annotated[
    str, Option("--size", metavar="WxH", help="Other pixels, such as 1242x375, seen by a camera.")
]


def command(
    context: Context,
    dataset: DatasetFolder,
    index: Index,
    out: Out = None,
    passes: Passes = None,
    size: Size = "",
    sets: Moved = None,
    json: Json = False,
) -> None:
    """It needs recipe.json only: the images may be gone, or never have been copied."""
    out = out or Path(f"{index:08d}.png")
    image_format, wanted = _format(out), _known(passes or [])
    _, frame = pipeline.regen(dataset, index, sets or (), passes=wanted, size=_size(size))
    beside = {out.with_suffix(f".{k}"): v for k, v in encode_passes(frame, wanted).items()}
    for path, data in ({out: encode_image(frame.image, image_format)} | beside).items():
        write_atomic(path, data)
    told = {"image": str(out), "index": index} | ({"passes": [*map(str, beside)]} if beside else {})
    context.obj.result(str(out), told, as_json=json)


def _known(passes: list[str]) -> list[str]:
    for name in passes:
        if name not in ENDINGS:
            raise InputError(
                f"--pass {name}: there is no such pass; there are: {', '.join(ENDINGS)}"
            )
    return list(dict.fromkeys(passes))


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    width, height = map(int, found.groups()) if found else (0, 0)
    if width not in _SIDES or height not in _SIDES:
        raise InputError(f"--size {text}: write WIDTHxHEIGHT, such as 1242x375, 8 to 8192 px each")
    return width, height


def _format(path: Path) -> Literal["png", "jpg"]:
    match path.suffix.lower():
        case ".png":
            return "png"
        case ".jpg" | ".jpeg":
            return "jpg"
    raise InputError(f"{path}: end the name in .png or .jpg")
