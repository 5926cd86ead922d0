"""Jobs: what is under way, what has ended, and one of them with what it makes."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from datagen.errors import InputError
from datagen.jobs.following import Tail
from datagen.jobs.ledger import Job
from datagen.web import types
from datagen.web.home import NotHere
from datagen.web.pages import contact
from datagen.web.pages.contact import Sheet
from datagen.web.pages.rendering import go, nothing_new, page, tag_of
from datagen.web.problems import Refused
from datagen.web.service import Here, Service

router = APIRouter(prefix="/jobs", include_in_schema=False)

_SHOWN = 50  # jobs in a list
_FIRST = 8  # jobs on the first page
_CELLS = 96  # pictures of a sheet
_LINES = 200  # of a log

Mark = Annotated[str, Query(max_length=40)]
Open = Annotated[bool, Query(alias="open")]
Indices = Annotated[tuple[int, ...], Query(max_length=_CELLS)]


@router.get("")
def jobs(request: Request, service: Here, after: Mark = "") -> Response:
    """All jobs, the newest first."""
    part, following = _part(service, after)
    return page(
        request, "jobs.html", jobs=part, following=following, after=after, tag=tagged(*part)
    )


@router.get("/rows")
def rows(
    request: Request, service: Here, after: Mark = "", seen: Mark = "", is_open: Open = False
) -> Response:
    """The list as it stands now; with `open`, of jobs that have not ended, as the first page."""
    part = under_way(service) if is_open else _part(service, after)[0]
    if seen == (tag := tagged(*part)):
        return nothing_new()
    again = f"/jobs/rows?{'open=1&' if is_open else f'after={after}&'}"
    return page(request, "_jobs.html", jobs=part, again=again, tag=tag)


def under_way(service: Service) -> list[types.Job]:
    """Jobs that have not ended, the newest first, as many as a first page shows."""
    return [job for job in service.overview.all() if not job.state.is_final][:_FIRST]


@router.get("/{name}")
def job(name: types.Name, request: Request, service: Here) -> Response:
    """One job."""
    found = _found(service, name)
    return page(
        request,
        "job.html",
        job=found,
        tag=tagged(found),
        sheet=_sheet(service, found),
        landed=[],
        log=_log(service, name),
    )


@router.get("/{name}/live")
def live(
    name: types.Name, request: Request, service: Here, seen: Mark = "", empty: Indices = ()
) -> Response:
    """How it stands now, and what has come of the pictures that were not there yet."""
    found = _found(service, name)
    tag = tagged(found)
    sheet = _sheet(service, found)
    landed = [one for one in sheet.cells if one.is_there and one.index in empty] if sheet else []
    if seen == tag and not landed:
        return nothing_new()
    return page(request, "_job.html", job=found, tag=tag, landed=landed)


@router.post("/{name}/cancel")
def cancel(name: types.Name, request: Request, service: Here) -> Response:
    """Stop it; what is published is kept."""
    Job(service.jobs.folder / _found(service, name).id).cancel()
    service.overview.forget()
    return go(request, f"/jobs/{name}")


@router.post("/{name}/retry")
def retry(name: types.Name, request: Request, service: Here) -> Response:
    """Let it go on where it ended."""
    try:
        Job(service.jobs.folder / _found(service, name).id).retry()
    except InputError as error:  # it is about to stop
        raise Refused(409, str(error)) from error
    service.overview.forget()
    return go(request, f"/jobs/{name}")


def _part(service: Service, after: str) -> tuple[list[types.Job], str | None]:
    """The jobs behind that one, and behind which there are more."""
    every = service.overview.all()
    start = next((k + 1 for k, job in enumerate(every) if job.id == after), 0)
    part = every[start : start + _SHOWN]
    return part, part[-1].id if start + _SHOWN < len(every) else None


def _found(service: Service, name: str) -> types.Job:
    found = service.overview.get(name)
    if found is None:
        raise NotHere(f"there is no job `{name}`")
    return found


def _sheet(service: Service, job: types.Job) -> Sheet | None:
    """Of the dataset that it makes; of other jobs none."""
    kind, _, name = (job.makes or "").partition("/")
    try:
        return contact.sheet(service.home, name, _CELLS) if kind == "datasets" else None
    except NotHere:  # it was removed
        return None


def _log(service: Service, name: str) -> list[str]:
    """The last lines of it."""
    lines = list(Tail(Job(service.jobs.folder / name).log).lines())
    return [service.home.named(line) for line in lines[-_LINES:]]


def tagged(*shown: types.Job) -> str:
    """Tells whether a browser shows these jobs as they are."""
    return tag_of([job.model_dump(mode="json") for job in shown])
