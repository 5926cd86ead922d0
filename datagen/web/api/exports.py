"""Exports: datasets in the formats of other tools."""

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response

from datagen.web import exported, types
from datagen.web.described import problem
from datagen.web.paging import page, tagged
from datagen.web.removal import put_away_unused, sweep
from datagen.web.sending import DESCRIBED, Archive, everything
from datagen.web.service import Here

router = APIRouter(
    prefix="/api/v1/exports",
    tags=["exports"],
    responses={
        404: problem("There is none of this name, or it is not made yet."),
        409: problem("A job needs it that has not ended, or it is damaged."),
    },
)


@router.get("", response_model=types.Page[types.Exported])
def exports(
    service: Here,
    request: Request,
    cursor: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Any:
    """Exports that are complete, the newest first."""
    found = exported.listed(service.home)
    return page(request, found, cursor, limit, key=lambda one: one.name)


@router.get("/{name}", response_model=types.Exported)
def export(name: types.Name, service: Here, request: Request) -> Any:
    """One export: its format, and what is in it."""
    found = exported.shown(service.home, name)
    return tagged(request, found.model_dump_json().encode(), "application/json")


@router.get("/{name}/download", response_class=Archive, responses=DESCRIBED)
def download(name: types.Name, service: Here, request: Request) -> Response:
    """Its folder as tar."""
    return everything(request, exported.complete(service.home, name))


@router.delete("/{name}", status_code=204)
def remove(name: types.Name, service: Here, afterwards: BackgroundTasks) -> None:
    """Remove it for good; not while a job that has not ended makes it."""
    folder = service.home.find("exports", name)
    put_away_unused(service.overview, service.jobs, folder)
    afterwards.add_task(sweep, folder.parent)
