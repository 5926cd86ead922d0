"""Datasets: all of them, the pictures of one, and one picture with what is known of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response

from datagen.web import datasets, types
from datagen.web.api import datasets as api
from datagen.web.pages import cards, ordering
from datagen.web.pages.contact import CRISP, listed, shape, thumbnail
from datagen.web.pages.exporting import FORMATS
from datagen.web.pages.rendering import go, is_part, page
from datagen.web.service import Here

router = APIRouter(prefix="/datasets", include_in_schema=False)

_SHOWN = 48  # pictures on a page
_WIDE = 300  # px from which on pictures get wide cells
_MOST_WORDS = 12  # values of a factor that are offered

Text = Annotated[str, Query(max_length=200)]
Index = Annotated[int, Path(ge=0, lt=2**53)]


@router.get("")
def all_datasets(request: Request, service: Here) -> Response:
    """All datasets, the newest first."""
    return page(request, "datasets.html", datasets=list(listed(service.home)))


@router.get("/{name}")
def dataset(
    name: types.Name,
    request: Request,
    service: Here,
    cursor: Annotated[int, Query(ge=0, lt=2**53)] = 0,
    category: Text = "",
    visible: Annotated[float, Query(ge=0, le=1)] = 0.0,
    factor: Text = "",
) -> Response:
    """Pictures of one dataset, those that are asked for."""
    about = datasets.dataset(service.home, name)
    key, _, value = factor.partition("=")
    shown, following = datasets.images(
        service.home,
        name,
        cursor=cursor,
        limit=_SHOWN,
        category=category or None,
        least_visible=visible or None,
        factor=(key, value) if value else None,
    )
    wanted = {"category": category, "visible": visible, "factor": factor}
    asked = {key: value for key, value in wanted.items() if value}
    return page(
        request,
        "dataset.html",
        dataset=about,
        images=shown,
        classes=_classes(about, shown),
        factors=_factors(shown, factor),
        wanted=wanted,
        filtered=bool(asked),
        cursor=cursor,
        before=None if asked else max(0, cursor - _SHOWN),
        following=None if following is None else urlencode({**asked, "cursor": following}),
        asked=urlencode(asked),
        layers={layer for image in shown for layer in image.layers},
        formats=FORMATS,
        key=ordering.new_key(),
        **_looks(shown),
    )


@router.get("/{name}/card")
def card(name: types.Name, request: Request, service: Here) -> Response:
    """What a dataset says of itself."""
    about = datasets.dataset(service.home, name)
    text = cards.shown(datasets.card(service.home, name))
    return page(request, "card.html", dataset=about, card=text)


@router.post("/{name}/verify")
async def verify(name: types.Name, request: Request, service: Here) -> Response:
    """Whether every file is as it was made."""
    verdict = await api.verify(name, service)
    template = "_verdict.html" if is_part(request) else "verdict.html"
    return page(request, template, name=name, verdict=verdict)


@router.post("/{name}/remove")
def remove(
    name: types.Name, request: Request, service: Here, afterwards: BackgroundTasks
) -> Response:
    """Remove it for good."""
    api.remove(name, service, afterwards)
    return go(request, "/datasets")


@router.get("/{name}/{index}")
def image(name: types.Name, index: Index, request: Request, service: Here) -> Response:
    """One picture with its labels."""
    about = datasets.dataset(service.home, name)
    shown = datasets.image(service.home, name, index)
    counts = Counter((one.category_id, one.category) for one in shown.things)
    return page(
        request,
        "image.html",
        dataset=about,
        image=shown,
        counts=sorted(counts.items()),
        factors=_words(shown.factors),
        shape=shape(shown.width, shown.height),
        crisp=shown.width <= CRISP,
    )


@router.get("/{name}/thumbs/{index}")
def thumb(name: types.Name, index: Index, service: Here) -> Response:
    """A picture as lists show it. Its address says which dataset of this name is meant."""
    data, media = thumbnail(datasets.picture(service.home, name, index))
    return Response(data, media_type=media, headers={"Cache-Control": "private, max-age=86400"})


def _looks(images: list[types.Image]) -> dict[str, bool]:
    """How a grid shows them."""
    longest = max((image.width for image in images), default=0)
    return {"wide": longest >= _WIDE, "crisp": 0 < longest <= CRISP}


def _classes(about: types.Dataset, images: list[types.Image]) -> dict[str, int | None]:
    """Names to choose from, with the number of things in the whole dataset where it is known."""
    if about.categories is not None:
        return dict(sorted(about.categories.items()))
    return dict.fromkeys(sorted({one.category for image in images for one in image.things}))


def _factors(images: list[types.Image], chosen: str) -> dict[str, list[str]]:
    """Factor -> values that the images of this page tell apart, and what is chosen already."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for image in images:
        for key, value in _words(image.factors):
            found[key][value] += 1
    offered = {
        key: sorted(values)
        for key, values in sorted(found.items())
        if len(values) <= _MOST_WORDS and max(values.values()) < len(images)
    }
    key, _, value = chosen.partition("=")
    if value and value not in offered.get(key, ()):
        offered[key] = [*offered.get(key, ()), value]
    return offered


def _words(factors: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Each factor with each of its values."""
    return [(key, value) for key, values in factors.items() for value in values]
