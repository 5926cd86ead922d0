"""datagen jobs"""

import time
from datetime import datetime
from typing import Annotated

from typer import Argument, Context, Option, Typer

from datagen.cli.books import Book, Shown, book_of
from datagen.cli.options import JobsFolder, Json
from datagen.errors import InputError
from datagen.jobs.following import words
from datagen.jobs.ledger import State

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

group = Typer(no_args_is_help=True)


@group.command("list", help="All jobs, the oldest first.")
def list_jobs(context: Context, jobs: JobsFolder = None, json: Json = False) -> None:
    book = book_of(context, jobs)
    found = book.all()
    text = "\n".join(map(_line, found)) or f"no jobs {book.where}"
    context.obj.result(text, found, as_json=json)


@group.command("show", help="How a job stands; with --follow, until its end.")
def show(
    context: Context,
    name: Name,
    jobs: JobsFolder = None,
    follow: Follow = False,
    json: Json = False,
) -> None:
    book = book_of(context, jobs)
    job = book.get(book.id_of(name))
    if follow:
        book.follow(context.obj, job, as_json=json)
        return
    context.obj.result(_text(book, job), job, as_json=json)


@group.command("cancel", help="Stop a job; what is published is kept.")
def cancel(context: Context, name: Name, jobs: JobsFolder = None, json: Json = False) -> None:
    book = book_of(context, jobs)
    found = book.id_of(name)
    before = book.cancel(found)
    if before.is_final:
        context.obj.say(f"job {found} is {before} already")
    else:
        context.obj.say(f"job {found} stops; it can go on: {book.again(found, 'retry')}")
    context.obj.result(found, book.get(found), as_json=json)


@group.command("retry", help="Queue a job again that failed, paused, or was cancelled.")
def retry(context: Context, name: Name, jobs: JobsFolder = None, json: Json = False) -> None:
    book = book_of(context, jobs)
    found = book.id_of(name)
    before = book.retry(found)
    match before:
        case State.DONE:
            context.obj.say(f"job {found} is done: there is nothing to do again")
        case State.QUEUED | State.RUNNING:
            context.obj.say(f"job {found} is {before} already")
        case _:
            follow = book.again(found, "show", "--follow")
            context.obj.say(f"job {found} goes on; follow it: {follow}")
    context.obj.result(found, book.get(found), as_json=json)


@group.command("remove", help="Forget jobs that have ended; what they made stays.")
def remove(
    context: Context,
    names: Names = None,
    ended_before: EndedBefore = None,
    jobs: JobsFolder = None,
    json: Json = False,
) -> None:
    book = book_of(context, jobs)
    found = _ended(book, names or [], ended_before)
    for job in found:  # before anything is done
        if not State(job["state"]).is_final:
            raise InputError(
                f"job {job['id']} is {job['state']}; stop it first, and wait for its end: "
                f"`{book.again(job['id'], 'cancel')}`"
            )
    for job in found:
        book.remove(job["id"])
        context.obj.say(f"job {job['id']} is removed")
    ids = [job["id"] for job in found]
    context.obj.result("\n".join(ids) or "no job to remove", ids, as_json=json)


def _ended(book: Book, names: list[str], days: float | None) -> list[Shown]:
    """Those that are named, or ended more than so many days ago."""
    if bool(names) == (days is not None):
        raise InputError("name the jobs to remove, or give --ended-before DAYS")
    if days is None:
        return [book.get(one) for one in dict.fromkeys(map(book.id_of, names))]
    first = time.time() - days * _DAY
    return [job for job in book.all() if State(job["state"]).is_final and job["since"] < first]


@group.command("logs", help="What happened to a job, as its conductors wrote it down.")
def logs(
    context: Context,
    name: Name,
    jobs: JobsFolder = None,
    follow: Follow = False,
    json: Json = False,
) -> None:
    book = book_of(context, jobs)
    found = book.id_of(name)
    lines = book.log(found)
    context.obj.result("\n".join(lines), {"id": found, "lines": lines}, as_json=json)
    if follow:
        book.follow_log(found, lambda line: context.obj.result(line, line, as_json=json))


def _line(job: Shown) -> str:
    """One line of the list."""
    when = _time(job["created"])
    return (
        f"{job['id']}  {job['verb']:<8}  {job['state']:<9}  {_done(job):>15}  {when}  {job['out']}"
    )


def _done(job: Shown) -> str:
    progress = job["progress"]
    return f"{progress['done']}/{progress['total']}" if progress.get("total") else ""


def _text(book: Book, job: Shown) -> str:
    """All about one job."""
    rows = {"job": job["id"], "verb": job["verb"], "out": job["out"]}
    rows["created"] = _time(job["created"])
    rows["state"] = f"{job['state']} since {_time(job['since'])}"
    is_final = State(job["state"]).is_final
    if job.get("conductor") is not None:
        by = f"process {job['conductor']['pid']} on {job['conductor']['host']}"
        rows["conductor"] = by if job["conducted"] else f"{by}, which is gone"
    if done := _done(job):
        how = "" if is_final else words(job["verb"], job["progress"])
        rows["progress"] = f"{done}  {how}".rstrip()
    if job["error"]:
        rows["error"] = job["error"]
    if not is_final and (remark := book.waits(job["id"])) is not None:
        rows["waits"] = remark
    if is_final and job["state"] != State.DONE:
        rows["go on"] = book.again(job["id"], "retry")
    rows["log"] = book.log_place(job["id"])
    return "\n".join(f"{name:<10}{text}" for name, text in rows.items())


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
