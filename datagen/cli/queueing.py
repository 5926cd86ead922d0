"""What the verbs share that can be queued: where to, and what is shown until the end."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from typer import Context

from datagen.cli.screen import Screen
from datagen.errors import Detached, InputError, JobError
from datagen.jobs.broker import Broker, chosen
from datagen.jobs.conducted import Order
from datagen.jobs.following import UNITS, follow
from datagen.jobs.ledger import Job, Jobs, Standing, State
from datagen.recipe import changes


@dataclass(frozen=True)
class Place:
    """Where a command's work is queued."""

    jobs: Jobs
    broker: Broker | None  # None: whoever attends the jobs folder
    detach: bool


def place(context: Context, broker: str | None, jobs: Path | None, detach: bool) -> Place | None:
    """Where the options ask to queue the work; None: it is done here.

    InputError for a broker that cannot be used. One that is away may come back.
    """
    if broker is None and jobs is None and not detach:
        return None
    source = context.get_parameter_source("workers")
    if source is not None and source.name == "COMMANDLINE":
        raise InputError(
            "--workers is for work that is done here; how many work at a queue is said there: "
            "datagen worker --concurrency"
        )
    found = chosen(broker)
    if found is not None and not found.answers():
        context.obj.say(f"the broker at {found.name} does not answer now; the job will wait for it")
    return Place(Jobs(jobs_folder(jobs)), found, detach)


def jobs_folder(given: Path | None) -> Path:
    return given or Path(os.environ.get("DATAGEN_JOBS") or "out/jobs")


def carry_out(
    screen: Screen,
    to: Place,
    order: Order,
    *,
    resume: bool,
    json: bool,
    tell: Callable[[Any], None],
) -> None:
    """Queue a job, or find the one that does it, and follow it; `tell` shows its result."""
    job = _under_way(to.jobs, order, resume)
    attached = job is not None
    if job is None:
        order.claim()
        job = to.jobs.make(order.verb, order.arguments, to.broker and to.broker.name)
    if to.detach:
        about = {"id": job.id, "verb": job.verb, "jobs": str(to.jobs.folder)}
        screen.say(f"queued; see how it goes: {again(job, 'show', '--follow')}")
        screen.result(job.id, about, as_json=json)
        return
    screen.say(f"job {job.id} in {to.jobs.folder}{', under way already' if attached else ''}")
    tell(finished(screen, job, whole=not attached))


def _under_way(jobs: Jobs, order: Order, resume: bool) -> Job | None:
    """The job that writes to the same folder, which must be the same job."""
    for job in jobs.unfinished():
        if job.arguments.get("out") != order.arguments["out"] or job.is_cancelled():
            continue
        if not resume:
            raise InputError(
                f"job {job.id} writes to this folder already; add --resume to follow it, stop it "
                f"with `{again(job, 'cancel')}`, or give a new folder with --out"
            )
        different = changes({"verb": job.verb, **job.arguments}, _described(order))
        if different:
            raise InputError(
                f"job {job.id} writes to this folder already, and differs in "
                f"{'; '.join(different[:8])}; give a new folder with --out"
            )
        return job
    return None


def _described(order: Order) -> dict[str, Any]:
    return {"verb": order.verb, **order.arguments}


def finished(screen: Screen, job: Job, *, whole: bool) -> Any:
    """The result of a job, which is followed to its end; JobError where it has none."""
    try:
        with screen.progress(UNITS.get(job.verb, job.verb)) as advance:
            left = not screen.has_bar  # which tells the time to go
            standing = follow(job, advance, screen.say, whole=whole, left=left)
    except KeyboardInterrupt:
        raise Detached(
            f"job {job.id} goes on; follow it: {again(job, 'show', '--follow')}; "
            f"stop it: {again(job, 'cancel')}"
        ) from None
    if standing.state is not State.DONE:
        raise JobError(_why(job, standing), standing.exit_code or 1)
    return job.result()


def _why(job: Job, standing: Standing) -> str:
    said = standing.error or "it ended without a word"
    return f"{said}\njob {job.id} is {standing.state}; it can go on: {again(job, 'retry')}"


def again(job: Job, *words: str) -> str:
    """A command about a job, ready to be typed."""
    folder = job.folder.parent
    where = [] if folder == jobs_folder(None) else ["--jobs", quote(str(folder))]
    return " ".join(["datagen jobs", words[0], job.id, *words[1:], *where])
