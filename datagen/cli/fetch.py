"""datagen fetch"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Context, Option

from datagen.cli.options import Json, Resume
from datagen.cli.remote import client_of
from datagen.dataset import fetch
from datagen.errors import InputError

Url = Annotated[
    str,
    Argument(
        metavar="URL",
        help="Of a dataset: s3://bucket/prefix. With --server: its name there, or KIND/NAME.",
    ),
]
Out = Annotated[Path, Option("--out", help="A new folder for it.")]


def command(
    context: Context, url: Url, out: Out, resume: Resume = False, json: Json = False
) -> None:
    """Every file is checked against the manifest; exits with 3 when one is not as promised."""
    client = client_of(context)
    if client is not None:
        if resume:
            raise InputError("--resume is for object stores; a server sends a dataset at once")
        with context.obj.progress("MB") as advance:
            client.download(
                url, out, progress=lambda at, size, _: advance(at >> 20, size >> 20, "")
            )
        context.obj.result(str(out), {"out": str(out), "url": client.url}, as_json=json)
        return
    with context.obj.progress("files") as advance:
        report = fetch.fetch(
            url, out, resume=resume, progress=lambda done, total: advance(done, total, "")
        )
    context.obj.say(f"{report.images} images; {report.fetched} of {report.files} files came now")
    context.obj.result(str(out), report.to_json(), as_json=json)
