"""Detectors: taught on datasets that are here, and scored on them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import Field

from datagen.web import types
from datagen.web.pages import ordering
from datagen.web.pages.contact import complete
from datagen.web.pages.rendering import page
from datagen.web.pages.results import listed
from datagen.web.service import By, Here

router = APIRouter(include_in_schema=False)


class Asked(types.Message):
    """What the forms of these pages hold."""

    dataset: str = Field(default="", max_length=40)
    detector: str = Field(default="", max_length=40)
    name: str = Field(default="", max_length=40)
    key: str = Field(default="", max_length=80)


Filled = Annotated[Asked, Form()]


@router.get("/detectors")
def detectors(request: Request, service: Here) -> Response:
    """Detectors and their scores, and forms to make more."""
    return page(
        request,
        "detectors.html",
        detectors=listed(service, "detectors"),
        evaluations=listed(service, "evaluations"),
        datasets=complete(service.home),
        keys=[ordering.new_key(), ordering.new_key()],
    )


@router.post("/detectors")
async def train(asked: Filled, request: Request, service: Here, by: By) -> Response:
    """Teach one what is in a dataset."""
    dataset = ordering.chosen(asked.dataset, "a dataset")
    order = types.Train(name=ordering.named(asked.name), dataset=dataset)
    return await ordering.submit(request, service, by, order, asked.key)


@router.post("/evaluations")
async def evaluate(asked: Filled, request: Request, service: Here, by: By) -> Response:
    """Score one on a dataset."""
    order = types.Evaluate(
        name=ordering.named(asked.name),
        detector=ordering.chosen(asked.detector, "a detector"),
        dataset=ordering.chosen(asked.dataset, "a dataset"),
    )
    return await ordering.submit(request, service, by, order, asked.key)
