"""How an order becomes a job, whoever takes it: the API and the pages."""

from collections.abc import Iterator
from contextlib import contextmanager

from datagen import digest
from datagen.errors import BusyError
from datagen.jobs.ledger import Job, drawn_id, id_of
from datagen.web import types
from datagen.web.home import MADE
from datagen.web.problems import Refused
from datagen.web.service import Service

_LATER, _SOON = {"Retry-After": "30"}, {"Retry-After": "2"}  # seconds


async def submit(
    service: Service, by: str, order: types.AnyOrder, key: str | None
) -> tuple[types.Job, bool]:
    """The job of an order, and whether it is new: with a `key` it may have been asked for before.

    Refused over a quota, for a name that is taken, and for a key of another order.
    """
    request = digest.of_data(order.model_dump(mode="json"))
    name = drawn_id() if key is None else id_of(f"{by}\n{key}")
    made = order.name or name
    # One after the other: a request that is sent again while the first is looked at finds its job,
    # and of two for one place one is refused.
    async with service.turn(f"{MADE[order.verb]}/{made}"):
        there = _asked_before(service, name, request)
        if there is not None:
            return there, False
        _refuse_taken(service, order.verb, made)
        with _under_way(service, by, order):
            job = await _made(service, by, order, name, made, request)
    if job is None:
        there = _asked_before(service, name, request)
        assert there is not None
        return there, False
    return service.overview.shown(job), True


async def _made(
    service: Service, by: str, order: types.AnyOrder, name: str, made: str, request: str
) -> Job | None:
    """A new job; None where another process has made it meanwhile."""
    plain = {"order": order.model_dump(mode="json"), "name": made}
    try:
        claimed = await service.errand("order", plain)
    except BusyError as error:  # the clerk of a server that was killed is not dead yet
        raise Refused(503, str(error), **_SOON) from error
    broker = service.broker and service.broker.name
    try:
        return service.jobs.make(
            claimed["verb"], claimed["arguments"], broker, name=name, by=by, request=request
        )
    except BusyError:
        return None
    finally:
        service.overview.forget()


@contextmanager
def _under_way(service: Service, by: str, order: types.AnyOrder) -> Iterator[None]:
    """Refused over a quota, of which an order takes its part before there is a job."""
    _refuse_over_quota(service, by, order)
    service.orders.append((by, order))
    try:
        yield
    finally:
        service.orders.remove((by, order))


def _asked_before(service: Service, name: str, request: str) -> types.Job | None:
    """The job of this id; Refused where it was another request."""
    job = Job(service.jobs.folder / name)
    if not job.folder.is_dir():
        return None
    if job.request != request:
        raise Refused(409, "this Idempotency-Key came with another request before; take a new one")
    return service.overview.shown(job)


def _refuse_over_quota(service: Service, by: str, order: types.AnyOrder) -> None:
    quota = service.quota(by)
    open_jobs = [j for j in service.overview.all() if not j.state.is_final and (j.by or "") == by]
    coming = [one for asker, one in service.orders if asker == by]
    number = len(open_jobs) + len(coming)
    if number >= quota.jobs:
        raise Refused(
            429,
            f"{number} of your jobs have not ended, and {quota.jobs} may; wait for some",
            **_LATER,
        )
    if isinstance(order, types.Generate):
        ordered = [one.count or 0 for one in coming if isinstance(one, types.Generate)]
        others = sum(ordered) + sum(job.progress.total for job in open_jobs)
        images = (order.count or 0) + others
        if images > quota.images:
            raise Refused(
                429,
                f"{images:,} images would be under way, and {quota.images:,} may; ask for fewer",
                **(_LATER if others else {}),  # alone it is too much at any time
            )


def _refuse_taken(service: Service, verb: str, name: str) -> None:
    """What is made has a name that no other job's has."""
    kind = MADE[verb]
    there = next((j for j in service.overview.all() if j.makes == f"{kind}/{name}"), None)
    if there is not None:
        raise Refused(409, f"{kind}/{name} is made by job {there.id} already; take another name")
