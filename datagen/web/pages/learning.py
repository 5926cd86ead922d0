"""Learning from photos: what photos are here, and what was learned from them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import Field

from datagen.web import texts, types
from datagen.web.api import targets
from datagen.web.pages import ordering
from datagen.web.pages.recipes import ALONE, GRAMMAR, MAPS, told
from datagen.web.pages.rendering import page
from datagen.web.pages.results import listed
from datagen.web.service import By, Here

router = APIRouter(include_in_schema=False)


class Asked(types.Message):
    """What the forms of these pages hold."""

    world: str = Field(default="", max_length=100)  # recipes/NAME or grammars/NAME
    target: str = Field(default="", max_length=40)
    name: str = Field(default="", max_length=40)
    count: int | None = Field(default=None, ge=1, le=10_000_000)
    key: str = Field(default="", max_length=80)


Filled = Annotated[Asked, Form()]


@router.get("/learn")
def learning(request: Request, service: Here) -> Response:
    """Photos, runs, and a form to begin another."""
    recipes = [one for one in told(service.home) if one.verb == "learn" or one.is_own]
    worlds = {"Grammars kept here": [f"grammars/{n}" for n in texts.own(service.home, "grammars")]}
    for material in (GRAMMAR, ALONE, MAPS):
        worlds[material] = [f"recipes/{one.name}" for one in recipes if one.material == material]
    return page(
        request,
        "learn.html",
        worlds=worlds,
        targets=targets.listed(service),
        runs=listed(service, "runs"),
        key=ordering.new_key(),
    )


@router.post("/learn")
async def learn(asked: Filled, request: Request, service: Here, by: By) -> Response:
    """Fit a recipe, or a grammar as it is, to photos."""
    kind, _, name = asked.world.partition("/")
    if kind == "grammars":
        world = types.WorldOf(grammar=texts.text_of(service.home, "grammars", name))
    else:
        world = types.WorldOf(recipe=name)
    order = types.Learn(
        name=ordering.named(asked.name),
        world=world,
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
