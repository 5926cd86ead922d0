"""datagen jobs"""

import time
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Context, Option, Typer

from datagen.cli.options import JobsFolder, Json
from datagen.cli.queueing import again, finished, jobs_folder
from datagen.errors import InputError
from datagen.jobs.following import Tail, lonely, words
from datagen.jobs.ledger import Job, Jobs, State
from datagen.storage.address import Address, place_in

Name = Annotated[str, Argument(metavar="ID", help="Of a job, or as much of it as is unique.")]
Names = Annotated[
    list[str] | None,
    Argument(metavar="[ID]...", help="Of jobs, or as much of each as is unique."),
]
EndedBefore = Annotated[
    float | None,
    Option("--ended-before", metavar="DAYS", min=0, help="All that ended longer ago than that."),
]
Follow = Annotated[bool, Option("--follow", "-f", help="Go on until the job ends.")]
_DAY = 86400.0  # seconds
_PAUSE = 0.2  # seconds between two looks

group = Typer(no_args_is_help=True)


@group.command("list", help="All jobs, the oldest first.")
def list_jobs(context: Context, jobs: JobsFolder = None, json: Json = False) -> None:
    folder = Jobs(jobs_folder(jobs))
    found = folder.all()
    context.obj.result(
        "\n".join(map(_line, found)) or f"no jobs in {folder.folder}",
        [_described(job) for job in found],
        as_json=json,
    )


@group.command("show", help="How a job stands; with --follow, until its end.")
def show(
    context: Context,
    name: Name,
    jobs: JobsFolder = None,
    follow: Follow = False,
    json: Json = False,
) -> None:
    job = Jobs(jobs_folder(jobs)).find(name)
    if follow:
        report = finished(context.obj, job, whole=False)
        import_module(f"datagen.cli.{job.verb}").tell(context.obj, _out(job), json, report)
        return
    described = _described(job)
    context.obj.result(_text(job, described), described, as_json=json)


@group.command("cancel", help="Stop a job; what is published is kept.")
def cancel(context: Context, name: Name, jobs: JobsFolder = None, json: Json = False) -> None:
    job = Jobs(jobs_folder(jobs)).find(name)
    before = job.cancel()
    if before.state.is_final:
        context.obj.say(f"job {job.id} is {before.state} already")
    else:
        context.obj.say(f"job {job.id} stops; it can go on: {again(job, 'retry')}")
    context.obj.result(job.id, _described(job), as_json=json)


@group.command("retry", help="Queue a job again that failed, paused, or was cancelled.")
def retry(context: Context, name: Name, jobs: JobsFolder = None, json: Json = False) -> None:
    job = Jobs(jobs_folder(jobs)).find(name)
    before = job.retry()
    match before.state:
        case State.DONE:
            context.obj.say(f"job {job.id} is done: there is nothing to do again")
        case State.QUEUED | State.RUNNING:
            context.obj.say(f"job {job.id} is {before.state} already")
        case _:
            context.obj.say(f"job {job.id} goes on; follow it: {again(job, 'show', '--follow')}")
    context.obj.result(job.id, _described(job), as_json=json)


@group.command("remove", help="Forget jobs that have ended; what they made stays.")
def remove(
    context: Context,
    names: Names = None,
    ended_before: EndedBefore = None,
    jobs: JobsFolder = None,
    json: Json = False,
) -> None:
    folder = Jobs(jobs_folder(jobs))
    found = _ended(folder, names or [], ended_before)
    for job in found:  # before anything is done
        job.refuse_unended()
    for job in found:
        folder.remove(job)
        context.obj.say(f"job {job.id} is removed")
    ids = [job.id for job in found]
    context.obj.result("\n".join(ids) or "no job to remove", ids, as_json=json)


def _ended(folder: Jobs, names: list[str], days: float | None) -> list[Job]:
    """Those that are named, or ended more than so many days ago."""
    if bool(names) == (days is not None):
        raise InputError("name the jobs to remove, or give --ended-before DAYS")
    if days is None:
        return list({job.id: job for job in map(folder.find, names)}.values())
    first = time.time() - days * _DAY
    standings = [(job, job.standing()) for job in folder.all()]
    return [job for job, now in standings if now.state.is_final and now.since < first]


@group.command("logs", help="What happened to a job, as its conductors wrote it down.")
def logs(
    context: Context,
    name: Name,
    jobs: JobsFolder = None,
    follow: Follow = False,
    json: Json = False,
) -> None:
    job = Jobs(jobs_folder(jobs)).find(name)
    tail = Tail(job.log)
    lines = list(tail.lines())
    context.obj.result("\n".join(lines), {"id": job.id, "lines": lines}, as_json=json)
    while follow and not job.standing().state.is_final:
        time.sleep(_PAUSE)
        for line in tail.lines():
            context.obj.result(line, line, as_json=json)


def _described(job: Job) -> dict[str, Any]:
    """A job as --json shows it."""
    about = {"id": job.id, "verb": job.verb, "out": str(_out(job)), "created": job.created}
    return about | {
        **vars(job.standing()),
        "broker": job.broker,
        "conducted": job.is_conducted(),
        "progress": job.progress(),
        "result": job.result(),
        "folder": str(job.folder),
    }


def _out(job: Job) -> Path | Address:
    return place_in(str(job.arguments.get("out", "")))


def _line(job: Job) -> str:
    """One line of the list."""
    when = _time(job.created)
    return (
        f"{job.id}  {job.verb:<8}  {job.standing().state:<9}  {_done(job):>15}  {when}  {_out(job)}"
    )


def _done(job: Job) -> str:
    progress = job.progress()
    return f"{progress['done']}/{progress['total']}" if progress.get("total") else ""


def _text(job: Job, described: dict[str, Any]) -> str:
    """All about one job."""
    standing, progress = job.standing(), job.progress()
    rows = {"job": job.id, "verb": job.verb, "out": str(_out(job)), "created": _time(job.created)}
    rows["state"] = f"{standing.state} since {_time(standing.since)}"
    if standing.conductor is not None:
        by = f"process {standing.conductor['pid']} on {standing.conductor['host']}"
        rows["conductor"] = by if described["conducted"] else f"{by}, which is gone"
    if done := _done(job):
        how = "" if standing.state.is_final else words(job.verb, progress)
        rows["progress"] = f"{done}  {how}".rstrip()
    if standing.error:
        rows["error"] = standing.error
    if not standing.state.is_final and (remark := lonely(job)) is not None:
        rows["waits"] = remark
    if standing.state.is_final and standing.state is not State.DONE:
        rows["go on"] = again(job, "retry")
    rows["log"] = str(job.log)
    return "\n".join(f"{name:<10}{text}" for name, text in rows.items())


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
