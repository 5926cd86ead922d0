"""datagen compare"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Option

from datagen.cli.options import Json
from datagen.comparing.job import Request, compare
from datagen.errors import InputError
from datagen.learning.gap.measure import ROWS

Generated = Annotated[
    Path, Argument(metavar="GENERATED", help="A dataset folder, pictures, or a video.")
]
Target = Annotated[
    Path, Argument(metavar="TARGET", help="A folder of photos, a video, or a dataset folder.")
]
Out = Annotated[Path, Option("--out", help="A new folder for the report.")]
Features = Annotated[
    str | None,
    Option(
        "--features",
        metavar="NAME|RUN",
        help="An extractor, or a run folder for its own.",
        show_default="pixels, or squeezenet with --weights",
    ),
]
Weights = Annotated[
    Path | None, Option("--weights", help="The extractor's file; alone, that of SqueezeNet.")
]
Prior = Annotated[
    Path | None, Option("--prior", help="A dataset of the prior, which GENERATED should beat.")
]
Also = Annotated[
    list[str] | None,
    Option("--also", metavar="NAME=FOLDER", help="Another set beside GENERATED; repeatable."),
]
Images = Annotated[
    int, Option("--images", min=4, max=100_000, help="Pictures of each side, at most.")
]
Truth = Annotated[Path | None, Option("--truth", help="COCO labels of the target's photos.")]
Seed = Annotated[int, Option("--seed", min=0, help="Of the random halves.")]
_GIVEN, _PRIOR = "generated", "prior"
_TAKEN = (_GIVEN, _PRIOR, "target")


def command(
    context: Context,
    generated: Generated,
    target: Target,
    out: Out,
    features: Features = None,
    weights: Weights = None,
    prior: Prior = None,
    also: Also = None,
    images: Images = ROWS,
    truth: Truth = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Each distance stands beside the one between random halves of the target."""
    first = {} if prior is None else {_PRIOR: prior}
    sets = first | {_GIVEN: generated} | _others(also or [])
    request = Request(sets, target, features, weights, truth, images, seed)
    with context.obj.progress("comparing") as advance:
        report = compare(request, out, advance)
    for paragraph in report["summary"]:
        context.obj.say(f"{paragraph['about']}: {paragraph['text']}")
    context.obj.result(str(out / "report.html"), report, as_json=json)


def _others(texts: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or not folder or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
            raise InputError(f"--also {text}: write it as NAME=FOLDER, the name in plain letters")
        if name in found or name in _TAKEN:
            raise InputError(f"--also {text}: the name `{name}` is taken; choose another")
        found[name] = Path(folder)
    return found
