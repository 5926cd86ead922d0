"""Photos to learn from: what is here, a look at some, and a form to bring more."""

import os
import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path as File
from typing import Annotated, BinaryIO

from fastapi import APIRouter, BackgroundTasks, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from datagen.errors import InputError
from datagen.web import types
from datagen.web.api import targets as api
from datagen.web.home import NotHere
from datagen.web.pages import ordering
from datagen.web.pages.contact import thumbnail
from datagen.web.pages.rendering import go, page
from datagen.web.problems import Refused
from datagen.web.service import Here, Service
from datagen.web.uploads import Picture, aside, one_picture

router = APIRouter(prefix="/targets", include_in_schema=False)

_MOST = 1000  # files of one form
_SHOWN = 24  # photos of a page
_ENDINGS = (".png", ".jpg", ".jpeg")

Place = Annotated[int, Path(ge=0, lt=_SHOWN)]


@router.get("/{name}")
def target(name: types.Name, request: Request, service: Here) -> Response:
    """Some of its photos."""
    folder = service.home.find("targets", name)
    photos = range(len(_photos(folder, folder.stat().st_mtime_ns)))
    return page(request, "target.html", target=api.shown(service, name), photos=photos)


@router.get("/{name}/thumbs/{place}")
def thumb(name: types.Name, place: Place, service: Here) -> Response:
    """One of the photos that its page shows."""
    folder = service.home.find("targets", name)
    photos = _photos(folder, folder.stat().st_mtime_ns)
    if place >= len(photos):
        raise NotHere("there is no such photo")
    data, media = thumbnail(photos[place])
    return Response(data, media_type=media, headers={"Cache-Control": "no-cache"})


@router.post("")
async def upload(request: Request, service: Here) -> Response:
    """Photos of a form. A browser with scripts sends them one by one to the API instead."""
    async with request.form(max_files=_MOST, max_fields=2) as form:
        name = ordering.named(str(form.get("name", "")))
        files = [one for one in form.getlist("photos") if isinstance(one, UploadFile)]
        if name is None:
            raise InputError("give the photos a name")
        await _kept(service, name, [one for one in files if one.size])
    return go(request, f"/targets/{name}")


@router.post("/{name}/remove")
def remove(
    name: types.Name, request: Request, service: Here, afterwards: BackgroundTasks
) -> Response:
    """Remove all its photos for good."""
    api.remove(name, service, afterwards)
    return go(request, "/learn")


async def _kept(service: Service, name: str, files: Sequence[UploadFile]) -> None:
    """All of them, or none; Refused where one is no photo."""
    if not files:
        raise Refused(422, "choose some photos first")
    await run_in_threadpool(api.refuse_change, service, name)
    async with service.albums.opened(name) as album, aside(album) as folder:
        with album.room() as take:
            found: list[Picture] = []
            for k, file in enumerate(files):
                take(file.size or 0)
                part = folder / str(k)
                await run_in_threadpool(_copied, file.file, part)
                found.append(await run_in_threadpool(one_picture, str(file.filename), part))
            await run_in_threadpool(album.publish, found)


def _copied(source: BinaryIO, part: File) -> None:
    with part.open("xb") as target:
        shutil.copyfileobj(source, target)


@lru_cache(maxsize=256)
def _photos(folder: File, written: int) -> list[File]:
    """The first photos of a folder that was last written at this time, ns."""
    found: list[File] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(_ENDINGS) and not name.startswith("."):
                found.append(File(place, name))
                if len(found) == _SHOWN:
                    return found
    return found
