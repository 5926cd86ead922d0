"""How an order becomes a job, whoever takes it: the API and the pages."""

from datagen import digest
from datagen.jobs.ledger import Job, drawn_id, id_of
from datagen.web import types
from datagen.web.home import MADE
from datagen.web.overview import shown
from datagen.web.problems import Refused
from datagen.web.service import Service

_LATER = {"Retry-After": "30"}  # seconds


async def submit(
    service: Service, by: str, order: types.AnyOrder, key: str | None
) -> tuple[types.Job, bool]:
    """The job of an order, and whether it is new: with a `key` it may have been asked for before.

    Refused over a quota, for a name that is taken, and for a key of another order.
    """
    request = digest.of_data(order.model_dump(mode="json"))
    name = drawn_id() if key is None else id_of(f"{by}\n{key}")
    # Of several that send the same at once, one makes the job and the others find it.
    async with service.turn(name):
        there = _asked_before(service, name, request)
        if there is not None:
            return there, False
        _refuse_over_quota(service, by, order)
        made = order.name or name
        _refuse_taken(service, order.verb, made)
        plain = {"order": order.model_dump(mode="json"), "name": made}
        claimed = await service.errand("order", plain)
        about = {"name": name, "by": by, "request": request}
        broker = service.broker and service.broker.name
        job = service.jobs.make(claimed["verb"], claimed["arguments"], broker, **about)
    service.overview.forget()
    return shown(job), True


def _asked_before(service: Service, name: str, request: str) -> types.Job | None:
    """The job of this id; Refused where it was another request."""
    job = Job(service.jobs.folder / name)
    if not job.folder.is_dir():
        return None
    if job.request != request:
        raise Refused(409, "this Idempotency-Key came with another request before; take a new one")
    return shown(job)


def _refuse_over_quota(service: Service, by: str, order: types.AnyOrder) -> None:
    quota = service.quota(by)
    open_jobs = [j for j in service.overview.all() if not j.state.is_final and (j.by or "") == by]
    if len(open_jobs) >= quota.jobs:
        raise Refused(
            429,
            f"{len(open_jobs)} of your jobs have not ended, and {quota.jobs} may; wait for some",
            **_LATER,
        )
    if isinstance(order, types.Generate):
        images = (order.count or 0) + sum(job.progress.total for job in open_jobs)
        if images > quota.images:
            raise Refused(
                429,
                f"{images:,} images would be under way, and {quota.images:,} may; ask for fewer",
                **_LATER,
            )


def _refuse_taken(service: Service, verb: str, name: str) -> None:
    """What is made has a name that no other job's has."""
    kind = MADE[verb]
    there = next((j for j in service.overview.all() if j.makes == f"{kind}/{name}"), None)
    if there is not None:
        raise Refused(409, f"{kind}/{name} is made by job {there.id} already; take another name")
