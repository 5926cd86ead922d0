"""datagen view"""

from typer import Context

from datagen.cli.options import DatasetFolder, Json
from datagen.report.gallery import write_gallery


def command(context: Context, dataset: DatasetFolder, json: Json = False) -> None:
    """The page needs no server and no network; open it in a browser."""
    page = write_gallery(dataset)
    context.obj.result(str(page), {"page": str(page)}, as_json=json)
