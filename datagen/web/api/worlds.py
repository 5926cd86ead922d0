"""Recipes and grammars: those that came with datagen, the server's own, checks and previews."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from datagen.errors import DatagenError
from datagen.files import write_atomic
from datagen.web import texts, types
from datagen.web.described import content, problem
from datagen.web.paging import page, tagged
from datagen.web.problems import Refused
from datagen.web.service import By, Here, Service
from datagen.web.texts import Kind

router = APIRouter(
    prefix="/api/v1",
    tags=["recipes"],
    responses={
        404: problem("There is none of this name."),
        409: problem("It came with datagen, or there are too many."),
        422: problem("What is wrong and what to do; of a grammar with line and column."),
        429: problem("Too many of your checks and previews are under way."),
        504: problem("It took too long."),
    },
)

_KEEPING = threading.Lock()  # what is written aside has one name in a process

# Names of what came with datagen have underscores as well.
AnyName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,80}$", examples=["aerial"])]
Cursor = Annotated[str | None, Query(max_length=80)]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/recipes", response_model=types.Page[types.Recipe])
def recipes(service: Here, request: Request, cursor: Cursor = None, limit: Limit = 50) -> Any:
    """Recipes by name, those that came with datagen and the server's own."""
    found = [types.Recipe(name=n, built_in=b) for n, b in _names(service, "recipes")]
    return page(request, found, cursor, limit, key=lambda one: one.name)


@router.get("/recipes/{name}", response_model=types.Recipe)
def recipe(name: AnyName, service: Here, request: Request) -> Any:
    """A recipe with its TOML."""
    text, built_in = (
        texts.text_of(service.home, "recipes", name),
        texts.is_built_in("recipes", name),
    )
    found = types.Recipe(name=name, built_in=built_in, text=text)
    return tagged(request, found.model_dump_json().encode(), "application/json")


@router.put("/recipes/{name}", responses={201: {"model": types.Recipe}})
async def put_recipe(
    name: types.Name, asked: types.RecipeText, service: Here, by: By, response: Response
) -> types.Recipe:
    """Keep a recipe that `datagen check` finds nothing wrong with; one of this name goes."""
    _refuse_unkeepable(service, "recipes", name)
    with service.checking(by):
        await service.errand("recipe", asked.model_dump())
    response.status_code = await run_in_threadpool(_keep, service, "recipes", name, asked.text)
    return types.Recipe(name=name, built_in=False, text=asked.text)


@router.delete("/recipes/{name}", status_code=204)
def delete_recipe(name: AnyName, service: Here) -> None:
    """Forget a recipe of the server's own."""
    _forget(service, "recipes", name)


@router.get("/grammars", response_model=types.Page[types.Grammar])
def grammars(service: Here, request: Request, cursor: Cursor = None, limit: Limit = 50) -> Any:
    """Grammars by name, those that came with datagen and the server's own."""
    found = [types.Grammar(name=n, built_in=b) for n, b in _names(service, "grammars")]
    return page(request, found, cursor, limit, key=lambda one: one.name)


@router.get("/grammars/{name}", response_model=types.Grammar)
def grammar(name: AnyName, service: Here, request: Request) -> Any:
    """A grammar with its text."""
    text, built_in = (
        texts.text_of(service.home, "grammars", name),
        texts.is_built_in("grammars", name),
    )
    found = types.Grammar(name=name, built_in=built_in, text=text)
    return tagged(request, found.model_dump_json().encode(), "application/json")


@router.put("/grammars/{name}", responses={201: {"model": types.Grammar}})
async def put_grammar(
    name: types.Name, asked: types.GrammarText, service: Here, by: By, response: Response
) -> types.Grammar:
    """Keep a grammar that `datagen check` finds no error in; one of this name goes."""
    _refuse_unkeepable(service, "grammars", name)
    with service.checking(by):
        await service.errand("grammar", {"name": name, "text": asked.text})
    response.status_code = await run_in_threadpool(_keep, service, "grammars", name, asked.text)
    return types.Grammar(name=name, built_in=False, text=asked.text)


@router.delete("/grammars/{name}", status_code=204)
def delete_grammar(name: AnyName, service: Here) -> None:
    """Forget a grammar of the server's own; recipes that name it will say that it is not there."""
    _forget(service, "grammars", name)


@router.post("/check")
async def check(asked: types.GrammarText, service: Here, by: By) -> types.Checked:
    """What `datagen check` says of a grammar; a problem with line and column where it is wrong."""
    with service.checking(by):
        found = await service.errand("check", {"name": "grammar", "text": asked.text})
    return types.Checked.model_validate(found)


@router.post("/previews", response_class=Response, responses=content("image/png"))
async def preview(asked: types.Preview, service: Here, by: By) -> Response:
    """The first images that `generate` would make, as one PNG with their labels drawn on."""
    with service.checking(by):
        sheet = await service.errand("preview", asked.model_dump(mode="json"))
    return Response(base64.b64decode(sheet), media_type="image/png")


def _names(service: Service, kind: Kind) -> Iterator[tuple[str, bool]]:
    """Names in order, and whether each came with datagen."""
    built_in = set(texts.built_in(kind))
    return (
        (name, name in built_in) for name in sorted(built_in | set(texts.own(service.home, kind)))
    )


def _own(service: Service, kind: Kind, name: str) -> File:
    """Where one of the server's own lies, or would lie."""
    if texts.is_built_in(kind, name):
        raise Refused(409, f"`{name}` came with datagen and stays as it is; take another name")
    return service.home.place(kind, name, texts.ENDING[kind])


def _refuse_unkeepable(service: Service, kind: Kind, name: str) -> None:
    """For a name that is taken for good, and for one more than there may be."""
    most = service.settings.limits.texts
    is_new = not _own(service, kind, name).exists()
    if is_new and len(list(texts.own(service.home, kind))) >= most:
        raise Refused(409, f"the server keeps {most:,} {kind}, and no more; remove some")


def _keep(service: Service, kind: Kind, name: str, text: str) -> int:
    """The status of the answer: whether it is new."""
    path = _own(service, kind, name)
    with _KEEPING:
        is_new = not path.exists()
        write_atomic(path, text)
    return 201 if is_new else 200


def _forget(service: Service, kind: Kind, name: str) -> None:
    path = _own(service, kind, name)
    service.home.find(kind, name, texts.ENDING[kind])
    try:
        path.unlink()
    except OSError as error:
        raise DatagenError(f"{kind}/{name} cannot be removed ({error.strerror})") from error
