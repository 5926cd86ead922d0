"""Exports: a dataset in the formats of other tools, asked for and fetched."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request, Response
from pydantic import Field

from datagen.web import exported, types
from datagen.web.api import exports as api
from datagen.web.pages import ordering
from datagen.web.pages.rendering import go, page
from datagen.web.service import By, Here

router = APIRouter(include_in_schema=False)

# How people know the formats of datagen.dataset.export, which would load numpy.
FORMATS = {
    "coco": "COCO, masks",
    "coco-polygons": "COCO, polygons",
    "yolo": "YOLO, boxes",
    "yolo-seg": "YOLO, outlines",
    "panoptic": "COCO panoptic",
    "kitti": "KITTI",
    "cityscapes": "Cityscapes",
    "mot": "MOTChallenge, of clips",
}
_SPLITS = {"train": 0.8, "val": 0.1, "test": 0.1}


class Asked(types.Message):
    """What the form of a dataset's page holds."""

    name: str = Field(default="", max_length=40)
    format: str = Field(default="coco", max_length=40)
    visible: float = Field(default=0.0, ge=0, le=1)
    split: bool = False
    key: str = Field(default="", max_length=80)


@router.get("/exports")
def exports(request: Request, service: Here) -> Response:
    """All of them, the newest first."""
    return page(request, "exports.html", exports=exported.listed(service.home), formats=FORMATS)


@router.get("/exports/{name}")
def export(name: types.Name, request: Request, service: Here) -> Response:
    """One of them."""
    found = exported.shown(service.home, name)
    return page(request, "export.html", export=found, formats=FORMATS)


@router.post("/datasets/{name}/export")
async def ask(
    name: types.Name,
    asked: Annotated[Asked, Form()],
    request: Request,
    service: Here,
    by: By,
) -> Response:
    """Ask for a dataset in another format."""
    order = types.Export(
        name=ordering.named(asked.name),
        dataset=name,
        format=asked.format,
        min_visible_fraction=asked.visible,
        splits=_SPLITS if asked.split else {},
    )
    return await ordering.submit(request, service, by, order, asked.key)


@router.post("/exports/{name}/remove")
def remove(
    name: types.Name, request: Request, service: Here, afterwards: BackgroundTasks
) -> Response:
    """Remove it for good."""
    api.remove(name, service, afterwards)
    return go(request, "/exports")
