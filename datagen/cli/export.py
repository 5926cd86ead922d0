"""datagen export"""

from pathlib import Path
from typing import Annotated

from typer import Context, Option

from datagen.cli.options import DatasetFolder, Json
from datagen.dataset import export
from datagen.errors import InputError

Format = Annotated[str, Option("--format", help=f"One of: {', '.join(export.FORMATS)}.")]
Out = Annotated[Path, Option("--out", help="A new folder.")]
MinVisible = Annotated[
    float, Option("--min-visible", help="Least visible share of a thing, from 0 to 1.")
]
MinPixels = Annotated[int, Option("--min-pixels", help="Least visible pixels of a thing.")]
Merge = Annotated[
    list[str] | None,
    Option("--merge", metavar="OLD=NEW", help="Put a category into another one; repeatable."),
]
Split = Annotated[
    str, Option("--split", metavar="NAME=SHARE,...", help="For example train=0.8,val=0.2.")
]

Link = Annotated[
    bool, Option("--link", help="Hard links instead of copies: no room, but the same files.")
]


def command(
    context: Context,
    dataset: DatasetFolder,
    format: Format,
    out: Out,
    min_visible: MinVisible = 0.0,
    min_pixels: MinPixels = 1,
    merge: Merge = None,
    split: Split = "",
    link: Link = False,
    json: Json = False,
) -> None:
    """What is left out or merged here is still in the dataset; export again as you like."""
    report = export.export(
        dataset,
        format,
        out,
        min_visible_fraction=min_visible,
        min_pixels=min_pixels,
        merge=_pairs("--merge", merge or []),
        splits=_shares(split),
        link=link,
    )
    told = f"{report.images} images, {report.annotations} labels, {report.dropped} left out"
    context.obj.say(told)
    context.obj.result(str(out), report.to_json(), as_json=json)


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise InputError(f"{option} {name}{equals}{value}: write it as NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _shares(split: str) -> dict[str, float]:
    pairs = _pairs("--split", [part for part in split.split(",") if part])
    try:
        return {name: float(share) for name, share in pairs.items()}
    except ValueError as error:
        raise InputError(f"--split {split}: the shares must be numbers") from error
