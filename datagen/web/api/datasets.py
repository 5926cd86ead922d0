"""Datasets: list, look at images and their layers, download, verify, remove."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse

from datagen import __version__
from datagen.dataset import archive
from datagen.web import datasets as reading
from datagen.web import types
from datagen.web.described import content, problem
from datagen.web.paging import known, named, page, tag_of, tagged
from datagen.web.problems import Refused
from datagen.web.removal import put_away_unused, sweep
from datagen.web.rows import stamp_of
from datagen.web.sending import DESCRIBED, Archive, begun, resumable
from datagen.web.service import Here, Service

Index = Annotated[int, InPath(ge=0, le=10_000_000)]

_PICTURE = {".png": "image/png", ".jpg": "image/jpeg"}
_VERIFY = "verify"  # the errand, and the turn that it needs
_VERIFYING = 3600.0  # seconds after which verifying is given up
_LATER = {"Retry-After": "30"}  # seconds


router = APIRouter(
    prefix="/api/v1/datasets",
    tags=["datasets"],
    responses={
        404: problem("There is none of this name or number."),
        409: problem("It is not complete, in use, or damaged."),
    },
)


@router.get("", response_model=types.Page[types.Dataset])
def datasets(
    service: Here,
    request: Request,
    cursor: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Any:
    """Datasets, finished or under way, the newest first."""
    found = reading.listed(service.home)
    return page(request, found, cursor, limit, key=lambda one: one.name)


@router.get("/{name}", response_model=types.Dataset)
def dataset(name: types.Name, service: Here, request: Request) -> Any:
    """One dataset."""
    found = reading.dataset(service.home, name)
    return tagged(request, found.model_dump_json().encode(), "application/json")


@router.get("/{name}/card", response_class=Response, responses=content("text/markdown"))
def card(name: types.Name, service: Here, request: Request) -> Response:
    """The README of a complete dataset, with the front matter that dataset hubs read."""
    text = reading.card(service.home, name)
    return tagged(request, text.encode(), "text/markdown; charset=utf-8")


@router.get("/{name}/images", response_model=types.Page[types.Image])
def images(
    name: types.Name,
    service: Here,
    request: Request,
    cursor: Annotated[int | None, Query(ge=0, le=10_000_000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    category: Annotated[str | None, Query(max_length=80)] = None,
    least_visible: Annotated[float | None, Query(ge=0, le=1)] = None,
    factor: Annotated[
        str | None,
        Query(
            pattern=r"^[^=]{1,80}=.{1,80}$",
            description="SYMBOL.ATTRIBUTE=VALUE of some node of the scene, or symbol=SYMBOL",
            examples=["sky.shade=cloudy"],
        ),
    ] = None,
) -> Any:
    """Images by index; of a dataset under way, those that are published.

    `category` and `least_visible` ask for a thing of this class that shows this fraction of itself.
    With a filter a part may be short, or empty, and have a `next`; `total` is none then.
    """

    def part() -> bytes:
        found, more = reading.images(
            service.home,
            name,
            cursor=cursor,
            limit=limit,
            category=category,
            least_visible=least_visible,
            factor=None if factor is None else _pair(factor),
        )
        is_filtered = any(one is not None for one in (category, least_visible, factor))
        total = None if is_filtered else reading.dataset(service.home, name).images
        after = None if more is None else str(more)
        return (
            types.Page[types.Image](items=found, next=after, total=total).model_dump_json().encode()
        )

    return _once(service, request, name, "application/json", part)


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


@router.get("/{name}/images/{index}", response_model=types.Image)
def image(name: types.Name, index: Index, service: Here, request: Request) -> Any:
    """One image: its things, its layers, and the factors of its scene."""

    def one() -> bytes:
        return reading.image(service.home, name, index).model_dump_json().encode()

    return _once(service, request, name, "application/json", one)


@router.get(
    "/{name}/images/{index}/picture",
    response_class=FileResponse,
    responses=content(*_PICTURE.values()),
)
def picture(name: types.Name, index: Index, service: Here, request: Request) -> Response:
    """The picture itself, as it lies in the dataset."""
    path = reading.picture(service.home, name, index)
    tag = tag_of(*map(str, stamp_of(path)))
    media = _PICTURE[path.suffix]
    return known(request, tag) or FileResponse(path, headers=named(tag), media_type=media)


@router.get(
    "/{name}/images/{index}/boxes.svg",
    response_class=Response,
    responses=content("image/svg+xml"),
)
def boxes(name: types.Name, index: Index, service: Here, request: Request) -> Response:
    """The boxes of its things, to be laid over the picture."""

    def drawn() -> bytes:
        return reading.layer(service.home, name, index, "boxes")

    return _once(service, request, name, "image/svg+xml", drawn)


@router.get(
    "/{name}/images/{index}/{layer}.png",
    response_class=Response,
    responses=content("image/png"),
)
def layer(
    name: types.Name,
    index: Index,
    layer: Literal["masks", "instances", "class", "depth"],
    service: Here,
    request: Request,
) -> Response:
    """A layer of it as large as the picture; `layers` of the image tells which there are."""

    def drawn() -> bytes:
        return reading.layer(service.home, name, index, layer)

    return _once(service, request, name, "image/png", drawn)


@router.get("/{name}/download", response_class=Archive, responses=DESCRIBED)
def download(
    name: types.Name,
    service: Here,
    request: Request,
    format: Literal["tar", "webdataset"] = "tar",
) -> Response:
    """A complete dataset as a tar file, which is made while it is sent.

    `tar`: the whole folder, on which `datagen verify` can be run. `webdataset`: for each image
    KEY.png (or .jpg), KEY.json, KEY.scene.json and its passes, one after the other; always from
    the first byte on.
    """
    folder = reading.complete(service.home, name)
    tag = tag_of(format, reading.tag(service.home, name) or "")
    if format == "tar":
        return resumable(request, folder, archive.whole(folder), reading.archived(folder), tag)
    parts = archive.stream(folder, reading.samples(folder))
    return known(request, tag) or begun(parts, f"{name}-samples.tar", tag)


@router.post("/{name}/verify", responses={429: problem("Another is being verified.")})
async def verify(name: types.Name, service: Here) -> types.Verdict:
    """Read every file again, as `datagen verify` does; this takes minutes for a large dataset."""
    service.home.find("datasets", name)
    turn = service.turn(_VERIFY)
    if turn.locked():  # by one that takes long; other errands must find a clerk
        raise Refused(429, "a dataset is being verified; ask again when that is done", **_LATER)
    async with turn:
        found = await service.errand(_VERIFY, {"dataset": name}, _VERIFYING)
    return types.Verdict.model_validate(found)


@router.delete("/{name}", status_code=204)
def remove(name: types.Name, service: Here, afterwards: BackgroundTasks) -> None:
    """Remove it for good; not while a job that has not ended makes it, or needs it."""
    folder = service.home.find("datasets", name)
    put_away_unused(service.overview, service.jobs, folder)
    afterwards.add_task(sweep, folder.parent)


def _once(
    service: Service, request: Request, name: str, media: str, make: Callable[[], bytes]
) -> Response:
    """What is told of a complete dataset is made once for each client: it never changes."""
    marker = reading.tag(service.home, name)
    if marker is None:
        return tagged(request, make(), media)
    tag = tag_of(__version__, marker, request.url.path, request.url.query)
    return known(request, tag) or Response(make(), 200, named(tag), media)
