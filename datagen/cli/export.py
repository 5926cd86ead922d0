"""datagen export"""

from pathlib import Path
from typing import Annotated

from typer import Context, Option

from datagen.cli.options import DatasetFolder, Json, Merge, merged, pairs
from datagen.dataset import export
from datagen.errors import InputError

Format = Annotated[str, Option("--format", help=f"One of: {', '.join(export.FORMATS)}.")]
Out = Annotated[Path, Option("--out", help="A new folder.")]
MinVisible = Annotated[
    float, Option("--min-visible", help="Least visible share of a thing, from 0 to 1.")
]
MinPixels = Annotated[int, Option("--min-pixels", help="Least visible pixels of a thing.")]
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
        merge=merged(merge),
        splits=_shares(split),
        link=link,
    )
    told = f"{report.images} images, {report.annotations} labels, {report.dropped} left out"
    context.obj.say(told)
    context.obj.result(str(out), report.to_json(), as_json=json)


def _shares(split: str) -> dict[str, float]:
    parts = pairs("--split", [part for part in split.split(",") if part], "NAME=SHARE,...")
    try:
        return {name: float(share) for name, share in parts.items()}
    except ValueError as error:
        raise InputError(f"--split {split}: the shares must be numbers") from error
