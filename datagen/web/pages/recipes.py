"""Recipes: those that came with datagen, the server's own, and what is made of one."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from pydantic import Field

from datagen.errors import DatagenError
from datagen.web import texts, types
from datagen.web.home import Home
from datagen.web.pages import ordering, static
from datagen.web.pages.rendering import page
from datagen.web.service import By, Here

router = APIRouter(prefix="/recipes", include_in_schema=False)

_COMMAND = re.compile(r"datagen (\w+)")  # in the comment that a recipe begins with
_EXPECT = re.compile(r"Expect (.*?)(?:\. |\.?$)")
_SKETCHES = 6
# What a recipe learns from, by the first plug-in that it names of these.
_USED = re.compile(r'^use = "(semgan|imle|relate|relate_clips|gnm)"', re.MULTILINE)
_MAPS = ("semgan", "imle")
GRAMMAR, ALONE, MAPS = (
    "A grammar, fitted to photos",
    "Photos alone, without a grammar",
    "Label maps with photos, a folder of the server",
)

AnyName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,80}$")]


@dataclass(frozen=True)
class Told:
    """A recipe as its first comment tells of it."""

    name: str
    is_own: bool  # of the server
    verb: str  # what it is for
    material: str  # what it would learn from
    about: str

    @property
    def brief(self) -> str:
        """What comes of it, or else the first sentence."""
        return next(iter(_EXPECT.findall(self.about)), self.about.partition(". ")[0])

    @property
    def needs_maps(self) -> bool:
        return self.material == MAPS

    @property
    def picture(self) -> str | None:
        """Name of a file of the folder `static` that shows some of its images."""
        name = f"recipes/{self.name}.webp"
        return name if static.has(name) and not self.is_own else None


class Asked(types.Message):
    """What the forms of a recipe's page hold."""

    name: str = Field(default="", max_length=40)
    count: int | None = Field(default=None, ge=1, le=10_000_000)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    target: str = Field(default="", max_length=40)
    key: str = Field(default="", max_length=80)


Filled = Annotated[Asked, Form()]


@router.get("")
def recipes(request: Request, service: Here) -> Response:
    """All of them, by what they are for."""
    found = told(service.home)
    groups = {
        "Make images": [one for one in found if one.verb not in ("learn", "train")],
        "Learn from photos": [one for one in found if one.verb == "learn"],
        "Teach a detector": [one for one in found if one.verb == "train"],
    }
    return page(request, "recipes.html", groups=groups)


@router.get("/{name}")
def recipe(name: AnyName, request: Request, service: Here) -> Response:
    """One recipe, with forms to begin with it."""
    text = texts.text_of(service.home, "recipes", name)
    return page(
        request,
        "recipe.html",
        recipe=_told(name, text),
        text=text,
        targets=list(service.home.names("targets")),
        key=ordering.new_key(),
    )


@router.post("/{name}/sketches")
async def sketches(name: AnyName, request: Request, service: Here, by: By) -> Response:
    """Some images of it."""
    asked = types.Preview(world=types.WorldOf(recipe=name), number=_SKETCHES)
    try:
        with service.checking(by):
            sheet = await service.errand("sketches", asked.model_dump(mode="json"))
    except DatagenError as error:
        return page(request, "_sketches.html", sheet=None, refusal=service.home.named(str(error)))
    return page(request, "_sketches.html", sheet=sheet, refusal=None)


@router.post("/{name}/generate")
async def generate(
    name: AnyName, asked: Filled, request: Request, service: Here, by: By
) -> Response:
    """Ask for a dataset of it."""
    order = types.Generate(
        name=ordering.named(asked.name),
        world=types.WorldOf(recipe=name),
        count=asked.count,
        seed=asked.seed,
        shard_size=ordering.shard_size(asked.count) if asked.count else None,
    )
    return await ordering.submit(request, service, by, order, asked.key)


@router.post("/{name}/learn")
async def learn(name: AnyName, asked: Filled, request: Request, service: Here, by: By) -> Response:
    """Fit it to photos."""
    order = types.Learn(
        name=ordering.named(asked.name),
        world=types.WorldOf(recipe=name),
        target=ordering.named(asked.target) or "",
    )
    return await ordering.submit(request, service, by, order, asked.key)


def told(home: Home) -> list[Told]:
    """All recipes, the server's own first."""
    names = dict.fromkeys([*texts.own(home, "recipes"), *texts.built_in("recipes")])
    return [_told(name, texts.text_of(home, "recipes", name)) for name in names]


def _told(name: str, text: str) -> Told:
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    command = _COMMAND.match(lines[0]) if lines else None
    is_own = not texts.is_built_in("recipes", name)
    verb = command[1] if command else "generate"
    used = _USED.search(text)
    material = GRAMMAR if used is None else MAPS if used[1] in _MAPS else ALONE
    return Told(name, is_own, verb, material, " ".join(lines[1:] if command else lines))
