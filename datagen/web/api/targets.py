"""Targets: folders of unlabelled photos, uploaded or named by the configuration."""

import os
from pathlib import Path as File
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from datagen.web import types
from datagen.web.described import body, problem
from datagen.web.home import NotHere
from datagen.web.paging import page, tagged
from datagen.web.problems import Refused
from datagen.web.removal import refuse_used, sweep
from datagen.web.service import Here, Service
from datagen.web.unpacking import Contents, unpack
from datagen.web.uploads import Album, aside, one_picture, received

router = APIRouter(
    prefix="/api/v1/targets",
    tags=["targets"],
    responses={
        404: problem("There is none of this name."),
        409: problem("It belongs to the configuration, is in use, or is one too many."),
        413: problem("More bytes or pictures than there may be."),
        415: problem("Neither PNG nor JPEG."),
        422: problem("A picture too large or too small, or an archive that is not sound."),
    },
)

FileName = Annotated[str, Path(max_length=255, examples=["frame_0001.jpg"])]


@router.get("", response_model=types.Page[types.Target])
def targets(
    service: Here,
    request: Request,
    cursor: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Any:
    """Targets by name."""
    return page(request, listed(service), cursor, limit, key=lambda one: one.name)


@router.get("/{name}", response_model=types.Target)
def target(name: types.Name, service: Here, request: Request) -> Any:
    """One target."""
    return tagged(request, shown(service, name).model_dump_json().encode(), "application/json")


@router.put(
    "/{name}/pictures/{file}",
    openapi_extra=body("image/png", "image/jpeg"),
    responses={201: {"model": types.Target}},
)
async def put_picture(
    name: types.Name, file: FileName, service: Here, request: Request, response: Response
) -> types.Target:
    """Add a picture to a target, or replace the one of this name; the first one makes the target.

    PNG or JPEG, whatever the name says. What is not sent to its end leaves nothing.
    """
    await run_in_threadpool(refuse_change, service, name)
    async with service.albums.opened(name) as album, aside(album) as folder:
        with album.room() as take:
            part = folder / "picture"
            await received(request, part, take)
            is_new = await run_in_threadpool(_put, service, name, album, file, part)
    response.status_code = 201 if is_new else 200
    return await run_in_threadpool(shown, service, name)


@router.post("/{name}/archive", openapi_extra=body("application/octet-stream", "application/x-tar"))
async def put_archive(name: types.Name, service: Here, request: Request) -> types.Unpacked:
    """Add the pictures of a tar, plain or gzipped: all that are any, or none of them.

    Other files are left out, and hidden ones passed over. A clip is a folder of frames.
    """
    await run_in_threadpool(refuse_change, service, name)
    async with service.albums.opened(name) as album, aside(album) as folder:
        with album.room() as take:
            packed = folder / "archive"
            await received(request, packed, take)
            limits = service.settings.limits
            found = await run_in_threadpool(unpack, packed, folder, limits, take)
            await run_in_threadpool(_put_all, service, name, album, found)
    reasons = [types.LeftOut(name=one, reason=why) for one, why in found.reasons]
    return types.Unpacked(
        target=await run_in_threadpool(shown, service, name),
        taken=len(found.pictures),
        left_out=found.left_out,
        reasons=reasons,
    )


@router.delete("/{name}", status_code=204)
def remove(name: types.Name, service: Here, afterwards: BackgroundTasks) -> None:
    """Remove all its pictures for good."""
    folder = service.home.find("targets", name)
    service.overview.forget()
    refuse_change(service, name)
    service.albums.remove(name)
    afterwards.add_task(sweep, folder.parent)


def listed(service: Service) -> list[types.Target]:
    """All targets, by name."""
    found = []
    for name in service.home.names("targets"):
        try:
            found.append(shown(service, name))
        except NotHere:  # removed meanwhile
            continue
    return found


def shown(service: Service, name: str) -> types.Target:
    """One of them; NotHere."""
    pictures, size = service.albums.size(name)
    uploaded = name not in service.home.shared
    return types.Target(name=name, pictures=pictures, bytes=size, uploaded=uploaded)


def refuse_change(service: Service, name: str) -> None:
    """For a folder of the configuration, and while a job learns from what is there."""
    if name in service.home.shared:
        raise Refused(
            409, f"targets/{name} is named by the server's configuration, and stays as it is"
        )
    refuse_used(service.overview, service.jobs, service.home.place("targets", name))


def _put(service: Service, name: str, album: Album, original: str, part: File) -> bool:
    picture = one_picture(original, part)
    refuse_change(service, name)  # a job may have begun meanwhile
    return album.publish([picture])


def _put_all(service: Service, name: str, album: Album, found: Contents) -> None:
    if not found.pictures:
        why = "".join(f"; {one}: {reason}" for one, reason in found.reasons[:1])
        raise Refused(422, f"the archive holds no PNG or JPEG picture{why}")
    os.sync()  # one by one would take minutes
    refuse_change(service, name)
    album.publish(found.pictures)
