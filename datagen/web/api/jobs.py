"""Jobs: submit, list, follow, cancel, retry, remove."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from datagen.errors import InputError
from datagen.jobs.following import Tail
from datagen.jobs.ledger import Job, State
from datagen.web import orders, types
from datagen.web.home import NotHere
from datagen.web.paging import page, tagged
from datagen.web.problems import Refused
from datagen.web.service import By, Here, Service

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

_PAUSE = 0.25  # seconds between two looks of who follows a job
_LINES = 1000  # of a log, in an answer
_BEAT = 15.0  # seconds without news after which a comment shows that the connection lives

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.post("", status_code=201, responses={200: {"description": "It was asked for before."}})
async def submit(
    order: types.AnyOrder, service: Here, by: By, response: Response, key: Key = None
) -> types.Job:
    """Queue a job.

    With an `Idempotency-Key` the same request makes one job, however often it is sent: send it
    again when an answer is lost.
    """
    job, is_new = await orders.submit(service, by, order, key)
    if is_new:
        response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    else:
        response.status_code = 200
    return job


@router.get("", response_model=types.Page[types.Job])
async def jobs(
    service: Here,
    request: Request,
    state: State | None = None,
    verb: Annotated[str | None, Query(max_length=20)] = None,
    cursor: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Jobs, the newest first."""
    await service.overview.fresh()
    every = service.overview.all()
    chosen = [j for j in every if state in (None, j.state) and verb in (None, j.verb)]
    line = service.overview.line
    return page(request, chosen, cursor, limit, key=lambda job: job.id, line=line)


@router.get("/{name}", response_model=types.Job)
async def job(name: types.Name, service: Here, request: Request) -> Response:
    """How a job stands, with its result once it is done."""
    await service.overview.fresh()
    whole = service.overview.whole(name)
    if whole is None:
        # Raises for one that is damaged, or not there.
        service.overview.shown(_found(service, name))
        raise NotHere(f"there is no job `{name}`")
    return tagged(request, whole, "application/json")


@router.post("/{name}/cancel")
def cancel(name: types.Name, service: Here) -> types.Job:
    """Stop it; what is published is kept. One that has ended stays as it is."""
    found = _found(service, name)
    found.cancel()
    service.overview.forget()
    return service.overview.shown(found)


@router.post("/{name}/retry")
def retry(name: types.Name, service: Here) -> types.Job:
    """Let it go on where it ended without being done."""
    found = _found(service, name)
    try:
        found.retry()
    except InputError as error:  # it is about to stop
        raise Refused(409, str(error)) from error
    service.overview.forget()
    return service.overview.shown(found)


@router.delete("/{name}", status_code=204)
def remove(name: types.Name, service: Here) -> None:
    """Forget a job that has ended; what it made stays."""
    found = _found(service, name)
    try:
        service.jobs.remove(found)
    except InputError as error:
        raise Refused(409, str(error)) from error
    service.overview.forget()


@router.get("/{name}/log")
def log(name: types.Name, service: Here) -> types.Log:
    """What happened to it: the last thousand lines."""
    lines = list(Tail(_found(service, name).log).lines())
    told = [service.home.named(line) for line in lines[-_LINES:]]
    return types.Log(lines=told, left_out=max(0, len(lines) - _LINES))


@router.get("/{name}/events")
async def events(name: types.Name, service: Here, request: Request) -> StreamingResponse:
    """Server-sent events: `job` whenever it has changed, `log` for each line; ends with the job."""
    _found(service, name)
    # nginx, and who took it for a model, would else keep events until it has a page of them.
    headers = {"X-Accel-Buffering": "no"}
    told = _events(service, name, request)
    return StreamingResponse(told, headers=headers, media_type="text/event-stream")


async def _events(service: Service, name: str, request: Request) -> AsyncIterator[str]:
    tail = Tail(service.jobs.folder.joinpath(name, "log.txt"))
    told: types.Job | None = None
    quiet = 0.0
    while not await request.is_disconnected():
        now = await asyncio.to_thread(service.overview.get, name)
        if now is None:
            return  # removed
        if now != told:
            told, quiet = now, 0.0
            yield f"event: job\ndata: {now.model_dump_json()}\n\n"
        for line in await asyncio.to_thread(lambda: list(tail.lines())):
            yield f"event: log\ndata: {json.dumps(service.home.named(line))}\n\n"
        if now.state.is_final:
            return
        quiet += _PAUSE
        if quiet >= _BEAT:
            quiet = 0.0
            yield ": it goes on\n\n"
        await asyncio.sleep(_PAUSE)


def _found(service: Service, name: str) -> Job:
    job = Job(service.jobs.folder / name)
    if not job.folder.is_dir():
        raise NotHere(f"there is no job `{name}`")
    return job
