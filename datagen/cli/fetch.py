"""datagen fetch"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Option

from datagen.cli.options import Json, Resume
from datagen.dataset import fetch

Url = Annotated[str, Argument(metavar="URL", help="Of a dataset: s3://bucket/prefix.")]
Out = Annotated[Path, Option("--out", help="A new folder for it.")]


def command(
    context: Context, url: Url, out: Out, resume: Resume = False, json: Json = False
) -> None:
    """Every file is checked against the manifest; exits with 3 when one is not as promised."""
    with context.obj.progress("files") as advance:
        report = fetch.fetch(
            url, out, resume=resume, progress=lambda done, total: advance(done, total, "")
        )
    context.obj.say(f"{report.images} images; {report.fetched} of {report.files} files came now")
    context.obj.result(str(out), report.to_json(), as_json=json)
