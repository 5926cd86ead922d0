"""Learning from photos: what photos are here, and what was learned from them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import Field

from datagen.web import types
from datagen.web.pages import ordering, targets
from datagen.web.pages.recipes import told
from datagen.web.pages.rendering import page
from datagen.web.pages.results import listed
from datagen.web.service import By, Here

router = APIRouter(include_in_schema=False)


class Asked(types.Message):
    """What the forms of these pages hold."""

    recipe: str = Field(default="", max_length=80)
    target: str = Field(default="", max_length=40)
    name: str = Field(default="", max_length=40)
    count: int | None = Field(default=None, ge=1, le=10_000_000)
    key: str = Field(default="", max_length=80)


Filled = Annotated[Asked, Form()]


@router.get("/learn")
def learning(request: Request, service: Here) -> Response:
    """Photos, runs, and a form to begin another."""
    recipes = [one for one in told(service.home) if one.verb == "learn"]
    return page(
        request,
        "learn.html",
        recipes=recipes,
        targets=targets.listed(service),
        runs=listed(service, "runs"),
        key=ordering.new_key(),
    )


@router.post("/learn")
async def learn(asked: Filled, request: Request, service: Here, by: By) -> Response:
    """Fit a recipe to photos."""
    order = types.Learn(
        name=ordering.named(asked.name),
        world=types.WorldOf(recipe=asked.recipe),
        target=ordering.chosen(asked.target, "photos"),
    )
    return await ordering.submit(request, service, by, order, asked.key)


@router.post("/runs/{name}/generate")
async def generate(
    name: types.Name, asked: Filled, request: Request, service: Here, by: By
) -> Response:
    """Make a dataset of what a run has learned."""
    order = types.Generate(
        name=ordering.named(asked.name),
        world=types.WorldOf(run=name),
        count=asked.count,
        shard_size=ordering.shard_size(asked.count) if asked.count else None,
    )
    return await ordering.submit(request, service, by, order, asked.key)
