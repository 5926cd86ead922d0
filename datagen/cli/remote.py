"""`datagen --server URL ...`: a command line as an order to a server, and what comes of it."""

import inspect
import json as as_text
import os
import re
import tomllib
from collections.abc import Callable
from copy import copy
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from typer import Context, Option
from typer.models import OptionInfo

from datagen.cli.options import merged, shares
from datagen.cli.screen import Screen
from datagen.decoding import decode, parse_toml, read_text
from datagen.errors import Detached, InputError, JobError, MissingError
from datagen.jobs.following import UNITS, remark, words
from datagen.jobs.ledger import State
from datagen.settings.serve import NAME

if TYPE_CHECKING:
    from datagen.client import Client
    from datagen.web import types

TOKEN = "DATAGEN_TOKEN"  # in the environment, since `ps` shows a command line to everybody
_OUT = Annotated[
    str | None,
    Option("--out", metavar="NAME", help="Its name there.", show_default="the job's id"),
]
_SHARED = ("context", "detach", "json")  # mean here what they mean everywhere
_GRAMMAR = re.compile(r"^grammar[ \t]*=.*$", re.M)
_CAP = 1_000_000  # bytes of a recipe or a grammar; a server may take fewer
Order = TypeVar("Order", bound="types.Message")


def client_of(context: Context) -> "Client | None":
    """The server that the command is for; None where it is for this machine."""
    url = context.find_root().params.get("server")
    if url is None:
        return None
    try:
        from datagen.client import Client
    except ModuleNotFoundError as error:
        if error.name != "httpx2":
            raise
        raise MissingError("--server needs the extra `web`: pip install 'datagen[web]'") from error
    client = Client(url, os.environ.get(TOKEN))
    context.call_on_close(client.close)
    return client


# ----------------------------------------------------------------------------------------- orders


def _generate(
    source: str,
    out: str | None,
    count: int | None,
    seed: int | None,
    shard_size: int | None,
    sets: list[str] | None,
) -> "types.Generate":
    from datagen.web import types

    sizes = {"count": count, "seed": seed, "shard_size": shard_size}
    return _made(types.Generate, name=out, world=_world(source, sets), **sizes)


def _learn(source: str, target: Path, out: str | None, sets: list[str] | None) -> "types.Learn":
    from datagen.web import types

    photos = _named("--target", "targets", target)
    return _made(types.Learn, name=out, world=_world(source, sets), target=photos)


def _train(
    source: str, out: str | None, val: Path | None, start: Path | None, sets: list[str] | None
) -> "types.Train":
    from datagen.web import types

    return _made(
        types.Train,
        name=out,
        dataset=_named("SOURCE", "datasets", source),
        val=val and _named("--val", "datasets", val),
        start=start and _named("--from", "detectors", start),
        sets=sets,
    )


def _evaluate(
    source: Path, dataset: Path, out: str | None, kitti_official: bool, merge: list[str] | None
) -> "types.Evaluate":
    from datagen.web import types

    return _made(
        types.Evaluate,
        name=out,
        detector=_named("RUN", "detectors", source),
        dataset=_named("DATASET", "datasets", dataset),
        merge=merged(merge),
        kitti_official=kitti_official,
    )


def _export(
    dataset: Path,
    format: str,
    out: str | None,
    min_visible: float,
    min_pixels: int,
    merge: list[str] | None,
    split: str,
) -> "types.Export":
    from datagen.web import types

    return _made(
        types.Export,
        name=out,
        dataset=_named("DATASET", "datasets", dataset),
        format=format,
        min_visible_fraction=min_visible,
        min_pixels=min_pixels,
        merge=merged(merge),
        splits=shares(split),
    )


# Verb -> the order that its options make. What else the verb knows is about this machine.
ORDERS: dict[str, Callable[..., Any]] = {
    "generate": _generate,
    "learn": _learn,
    "train": _train,
    "evaluate": _evaluate,
    "export": _export,
}


def command(verb: str, local: Callable[..., None]) -> Callable[..., None]:
    """The verb's command for a server: the options of `local`, of which ORDERS takes its own."""
    taken = {*inspect.signature(ORDERS[verb]).parameters, *_SHARED}

    def ordered(context: Context, **given: Any) -> None:
        _refuse_given(context, taken)
        asked = {name: given[name] for name in taken if name not in _SHARED}
        if asked["out"] is not None:
            asked["out"] = _named("--out", "", asked["out"])
        client = client_of(context)
        assert client is not None, "it is for a server that this command was made"
        job = client.submit(ORDERS[verb](**asked))
        if not given["detach"]:
            context.obj.say(f"job {job.id} at {client.url}")
            follow(context.obj, client, job.id, verb, as_json=given["json"])
            return
        about = {"id": job.id, "verb": job.verb, "makes": job.makes, "server": client.url}
        context.obj.say(f"queued; see how it goes: {again(client, job.id, 'show', '--follow')}")
        context.obj.result(job.id, about, as_json=given["json"])

    own = inspect.signature(local).parameters.values()
    ordered.__signature__ = inspect.Signature([_shown(one, taken) for one in own])  # type: ignore[attr-defined]
    ordered.__doc__ = "A server does it; NAMEs are those of the server's own things."
    return ordered


def _shown(parameter: inspect.Parameter, taken: set[str]) -> inspect.Parameter:
    """The same parameter; `--out` is a name, and what a server does not take is not in --help."""
    if parameter.name == "out":
        return parameter.replace(annotation=_OUT, default=None, kind=parameter.KEYWORD_ONLY)
    parameter = parameter.replace(kind=parameter.KEYWORD_ONLY)
    if parameter.name in taken:
        return parameter
    kind, info = get_args(parameter.annotation)
    assert isinstance(info, OptionInfo), "what must be given is taken"
    hidden = copy(info)
    hidden.hidden = True
    return parameter.replace(annotation=Annotated[kind, hidden])


def _refuse_given(context: Context, taken: set[str]) -> None:
    for one in context.command.params:
        source = context.get_parameter_source(one.name or "")
        if one.name not in taken and source is not None and source.name == "COMMANDLINE":
            raise InputError(
                f"{one.opts[0]} is about work that is done here; leave it out, or --server"
            )


def _made(kind: "type[Order]", **given: Any) -> "Order":
    return decode(kind, {name: one for name, one in given.items() if one is not None}, "the order")


def _named(option: str, kind: str, given: str | Path) -> str:
    """A name at the server, which may be written as KIND/NAME; InputError for what is none."""
    name = str(given).removeprefix(f"{kind}/")
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"{option} {given}: with --server this is a name there, of a-z, 0-9 and -, at most 40"
        )
    return name


def _world(source: str, sets: list[str] | None) -> dict[str, Any]:
    """The recipe that is meant: a file of this machine as text, all else by its name there."""
    changes = {"sets": sets or []}
    if source.endswith(".scene"):
        return {"grammar": read_text(Path(source), _CAP), **changes}
    if source.endswith(".toml"):
        return {"toml": _whole(Path(source)), **changes}
    for kind, key in (("runs/", "run"), ("datasets/", "dataset")):
        if source.startswith(kind):
            return {key: _named("RECIPE", kind.rstrip("/"), source), **changes}
    if "/" in source or not source:
        raise InputError(
            f"{source}: with --server a recipe is a .toml or .scene file of this machine, or what "
            "the server calls it: a recipe's name, runs/NAME or datasets/NAME"
        )
    return {"recipe": source, **changes}


def _whole(path: Path) -> str:
    """A recipe's TOML; a grammar that is a file beside it is put in, since the server has none."""
    text = read_text(path, _CAP)
    data = parse_toml(text, str(path))
    named = data.get("grammar")
    if not isinstance(named, str) or not (named.endswith(".scene") or "/" in named):
        return text
    place = path.resolve().parent / named
    grammar = {"name": re.sub(r"[^\w-]", "-", place.stem)[:40], "text": read_text(place, _CAP)}
    inline = ", ".join(f"{key} = {_toml(value)}" for key, value in grammar.items())
    whole = _GRAMMAR.sub(lambda _: f"grammar = {{ {inline} }}", text, count=1)
    if tomllib.loads(whole) != data | {"grammar": grammar}:
        raise InputError(f"{path}: write its grammar as one line, grammar = {named!r}")
    return whole


def _toml(text: str) -> str:
    return as_text.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# -------------------------------------------------------------------------------------- following


def follow(screen: Screen, client: "Client", name: str, verb: str, *, as_json: bool) -> None:
    """A job to its end, and what came of it; JobError where that is not good."""
    job = None
    try:
        with screen.progress(UNITS.get(verb, verb)) as advance:
            for job in client.follow(name, said=lambda line: _tell(screen, line)):
                done = job.progress
                if done.total and not job.state.is_final:
                    left = not screen.has_bar  # which tells the time to go
                    advance(done.done, done.total, words(verb, done.model_dump(), left=left))
    except KeyboardInterrupt:
        raise Detached(
            f"job {name} goes on; follow it: {again(client, name, 'show', '--follow')}; stop it: "
            f"{again(client, name, 'cancel')}"
        ) from None
    assert job is not None, "a job that is followed is told of at least once"
    if job.state is not State.DONE:
        said = job.error or "it ended without a word"
        go_on = again(client, name, "retry")
        raise JobError(
            f"{said}\njob {name} is {job.state}; it can go on: {go_on}", job.exit_code or 1
        )
    for text in import_module(f"datagen.cli.{verb}").said(job.result):
        screen.say(text)
    made = str(job.makes).rpartition("/")[2]
    fetch = f"fetch {str(job.makes).removeprefix('datasets/')} --out {made}"
    screen.say(f"bring it here: datagen --server {quote(client.url)} {fetch}")
    screen.result(str(job.makes), job.result | {"out": job.makes}, as_json=as_json)


def again(client: "Client", name: str, *rest: str) -> str:
    """A command about a job, ready to be typed."""
    return " ".join(["datagen --server", quote(client.url), "jobs", rest[0], name, *rest[1:]])


def _tell(screen: Screen, line: str) -> None:
    if (text := remark(line)) is not None:
        screen.say(text)
