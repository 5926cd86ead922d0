"""What came of learning, training and scoring: lists, reports, readings, pictures."""

from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response
from fastapi.responses import FileResponse

from datagen.web import results, types
from datagen.web.described import content, problem
from datagen.web.paging import known, named, page, tag_of, tagged
from datagen.web.removal import put_away_unused, sweep
from datagen.web.results import Kind
from datagen.web.sending import DESCRIBED, Archive, everything
from datagen.web.service import Here

Cursor = Annotated[str | None, Query(max_length=40)]
Limit = Annotated[int, Query(ge=1, le=200)]
Begin = Annotated[int, Query(ge=0, lt=2**62)]
Lines = Annotated[int, Query(ge=1, le=5000)]
PictureName = Annotated[str, Path(max_length=85, examples=["target.png"])]


def _routes(kind: Kind) -> APIRouter:
    """The addresses of one kind."""
    router = APIRouter(
        prefix=f"/api/v1/{kind}",
        tags=[kind],
        responses={
            404: problem("There is none of this name, or it is not made yet."),
            409: problem("It is not complete, or a job needs it that has not ended."),
        },
    )

    @router.get("", response_model=types.Page[types.Run])
    def listed(service: Here, request: Request, cursor: Cursor = None, limit: Limit = 50) -> Any:
        """The newest first."""
        found = results.listed(service.home, kind)
        return page(request, found, cursor, limit, key=lambda one: one.name)

    @router.get("/{name}", response_model=types.Run)
    def one(name: types.Name, service: Here, request: Request) -> Any:
        """What is told of one: what it was started with, and which pictures it has."""
        found = results.told(service.home, kind, name)
        return tagged(request, found.model_dump_json().encode(), "application/json")

    @router.get(
        "/{name}/report.html",
        response_class=FileResponse,
        responses=content("text/html"),
    )
    def report(name: types.Name, service: Here, request: Request) -> Response:
        """Its report, with a policy under which nothing in it runs."""
        path = results.file_of(service.home, kind, name, results.REPORT)
        policy = {"Content-Security-Policy": results.policy_of(path)}
        return _file(request, path, "text/html; charset=utf-8", **policy)

    @router.get(
        "/{name}/report.json",
        response_class=FileResponse,
        responses=content("application/json"),
    )
    def numbers(name: types.Name, service: Here, request: Request) -> Response:
        """The numbers behind the report."""
        return _file(request, results.numbers(service.home, kind, name), "application/json")

    @router.get(
        "/{name}/pictures/{file}",
        response_class=FileResponse,
        responses=content(*results.PICTURES.values()),
    )
    def picture(name: types.Name, file: PictureName, service: Here, request: Request) -> Response:
        """A picture that GET of one names, larger than in the report."""
        path = results.picture(service.home, kind, name, file)
        return _file(request, path, results.PICTURES[path.suffix])

    @router.get("/{name}/download", response_class=Archive, responses=DESCRIBED)
    def download(name: types.Name, service: Here, request: Request) -> Response:
        """Its folder as tar, once it is complete."""
        return everything(request, results.complete(service.home, kind, name))

    @router.delete("/{name}", status_code=204)
    def remove(name: types.Name, service: Here, afterwards: BackgroundTasks) -> None:
        """Remove it for good; not while a job that has not ended makes it, or needs it."""
        folder = service.home.find(kind, name)
        put_away_unused(service.overview, service.jobs, folder)
        afterwards.add_task(sweep, folder.parent)

    if kind != "evaluations":

        @router.get("/{name}/metrics", responses={410: problem("Begin without cursor.")})
        def metrics(
            name: types.Name, service: Here, cursor: Begin = 0, limit: Lines = 1000
        ) -> types.Readings:
            """Readings of the training, in order; ask again from `next` on for those to come."""
            return results.readings(service.home, kind, name, cursor, limit)

    if kind == "runs":

        @router.get(
            "/{name}/learned.scene",
            response_class=FileResponse,
            responses=content("text/plain"),
        )
        def learned(name: types.Name, service: Here, request: Request) -> Response:
            """The grammar with what was learned, where a grammar was."""
            path = results.file_of(service.home, kind, name, "learned.scene")
            return _file(request, path, "text/plain; charset=utf-8")

    return router


def _file(request: Request, path: File, media: str, **headers: str) -> Response:
    """A file as it lies there; 304 where the client has it."""
    status = path.stat()
    tag = tag_of(f"{status.st_mtime_ns} {status.st_size} {status.st_ino}")
    return known(request, tag, **headers) or FileResponse(
        path, headers=named(tag, **headers), media_type=media
    )


router = APIRouter()
for _kind in results.KINDS:
    router.include_router(_routes(_kind))
