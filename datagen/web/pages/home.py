"""The first page: what is under way, what was made last, and how to begin."""

from itertools import islice

from fastapi import APIRouter, Request, Response

from datagen.web.pages.contact import listed
from datagen.web.pages.jobs import tagged, under_way
from datagen.web.pages.rendering import page
from datagen.web.service import Here

router = APIRouter(include_in_schema=False)

_DATASETS = 6


@router.get("/")
def home(request: Request, service: Here) -> Response:
    """The first page."""
    jobs = under_way(service)
    return page(
        request,
        "home.html",
        jobs=jobs,
        tag=tagged(*jobs),
        datasets=list(islice(listed(service.home), _DATASETS)),
    )
