"""The command line: loads only the verb that was asked for; an error is one line and a code."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Annotated

import typer
from typer.exceptions import TyperException

from datagen import __version__
from datagen.cli.screen import Screen
from datagen.errors import DatagenError, Detached, InputError
from datagen.storage.address import address, is_url

# Each verb is the module datagen/cli/<verb>.py, whose `command` does it.
VERBS = {
    "demo": "Go from unlabelled images to a labelled dataset, in minutes.",
    "check": "Show what a grammar makes, and its mistakes.",
    "preview": "Draw a contact sheet of a few images with their labels.",
    "estimate": "Say what a dataset will take in time, memory and disk.",
    "generate": "Write a labelled dataset.",
    "learn": "Fit a recipe's grammar to a folder of unlabelled images.",
    "train": "Teach a detector what is in labelled images.",
    "evaluate": "Score a detector on labelled images, and show where it fails.",
    "predict": "Find things in photos: labels for a person to correct.",
    "compare": "Report how far generated pictures are from a target's.",
    "advise": "Propose what to make more of, from what a detector misses.",
    "fetch": "Bring a dataset from an object store into a folder.",
    "verify": "Check every file and label of a dataset, or any COCO file.",
    "export": "Write a dataset in another format.",
    "view": "Write a dataset's gallery as a static HTML page.",
    "regen": "Make one image of a dataset again.",
    "submit": "Queue a job for workers, and do not wait for it.",
    "serve": "Answer programs and browsers: jobs, datasets, previews.",
    "worker": "Do the work of a jobs folder, here and on other machines.",
    "jobs": "List, show, cancel or retry jobs.",
    "list": "Name the grammars, recipes and plug-ins that are here.",
    "cite": "Print BibTeX for the methods that a recipe uses.",
    "doctor": "Say what this machine can do, and what is missing.",
}
GROUPS = ("jobs",)  # verbs with commands of their own, in the module's `group`
GLOBALS = ("--debug", "--quiet")  # understood anywhere, since people put them last
SERVER = "--server"  # so is this, with a URL
# What a server does, beside jobs of datagen.cli.remote.ORDERS. Without --server it is asked where
# work is queued for it: see `_at_server`.
AT_SERVER = ("jobs", "fetch", "list", "submit")
BROKEN_PIPE = 141  # what a shell shows for a program that wrote to a closed pipe


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 to 5 as in the README, 130 when interrupted."""
    args = _at_server(_detached(_globals_first(sys.argv[1:] if argv is None else argv)))
    try:
        _refuse_urls(args)
        code = _app(args)(args, prog_name="datagen", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at exit; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if "--debug" in args[: len(GLOBALS)]:
            raise
        code, message = explain(error)
        typer.echo(message, err=True)
        return code
    if code == 130:
        typer.echo("interrupted; what was published is kept, --resume goes on", err=True)
    return code if isinstance(code, int) else 0


def explain(error: Exception) -> tuple[int, str]:
    """Exit code and text for whatever came up from below."""
    match error:
        case TyperException():
            return error.exit_code, _usage(error)
        case Detached():
            return error.exit_code, str(error)
        case DatagenError():
            return error.exit_code, f"error: {error}"
        case MemoryError():
            return 1, "error: out of memory; use fewer --workers or a smaller canvas or batch"
        case ModuleNotFoundError(name=str(name)) if not name.startswith("datagen"):
            return 5, f"error: the package `{name}` is not installed; run `datagen doctor`"
        case OSError(errno=errno.ENOSPC):
            return 1, "error: the disk is full; free some space and go on with --resume"
        case OSError(filename=str(path), strerror=str(reason)):
            return 2, f"error: {path}: {reason.lower()}"
    kind = type(error).__name__
    return 1, f"error: unexpected {kind}: {error}; run again with --debug and please report it"


def _usage(error: TyperException) -> str:
    text = error.format_message()
    if text.startswith("Usage:"):  # nothing was asked for, and this is the help
        return text
    context = getattr(error, "ctx", None)
    hint = f"\nsee `{context.command_path} --help`" if context is not None else ""
    return f"error: {text}{hint}"


def _app(args: Sequence[str]) -> typer.Typer:
    app = typer.Typer(
        help="Labelled synthetic datasets for a place you have only unlabelled photos of.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_globals)
    asked, server = _verb(args), _server(args)
    for verb, summary in VERBS.items():
        module = import_module(f"datagen.cli.{verb}") if verb == asked else None
        if module is not None and verb in GROUPS:
            app.add_typer(module.group, name=verb, help=summary)
            continue
        command = _not_loaded if module is None else module.command
        if module is not None and server is not None:
            command = _for_server(verb, command)
        app.command(verb, help=_help(command, summary), short_help=summary)(command)
    return app


def _for_server(verb: str, command: Callable[..., None]) -> Callable[..., None]:
    from datagen.cli.remote import ORDERS
    from datagen.cli.remote import command as ordered

    if verb in ORDERS:
        return ordered(verb, command)
    if verb in AT_SERVER:
        return command
    known = ", ".join((*ORDERS, *AT_SERVER))
    raise InputError(f"`{verb}` is done here: leave out {SERVER}; a server does {known}")


def _help(command: Callable[..., None], summary: str) -> str:
    return f"{summary}\n\n{cleandoc(command.__doc__ or '')}".strip()


def _not_loaded() -> None:
    raise AssertionError("a verb that is run is loaded first")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"datagen {__version__}")
        raise typer.Exit


def _globals(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Errors and results only.")] = False,
    server: Annotated[
        str | None,
        typer.Option(
            SERVER, metavar="URL", help="Let a server do it (token: DATAGEN_TOKEN; DATAGEN_SERVER)."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    # `main` reads --debug, since that is where exceptions arrive; commands ask for the server.
    del debug, version, server
    context.obj = Screen(quiet=quiet)


def _globals_first(argv: Sequence[str]) -> list[str]:
    """In one word each, so that the first word that is no option is the verb."""
    end = argv.index("--") if "--" in argv else len(argv)
    found = [flag for flag in GLOBALS if flag in argv[:end]]
    rest: list[str] = []
    for k, word in enumerate(argv):
        if k >= end or word not in GLOBALS:
            rest.append(word)
        if k < end and rest[-2:-1] == [SERVER]:
            found.append(f"{SERVER}={rest.pop()}")
            rest.pop()
        elif k < end and word.startswith(f"{SERVER}="):
            found.append(rest.pop())
    return found + rest


def _is_global(word: str) -> bool:
    return word in GLOBALS or word.startswith(f"{SERVER}=")


def _verb(args: Sequence[str]) -> str:
    return next((word for word in args if not word.startswith("-")), "")


def _server(args: Sequence[str]) -> str | None:
    given = (word.partition("=")[2] for word in args if word.startswith(f"{SERVER}="))
    return next(given, None)


def _at_server(args: list[str]) -> list[str]:
    """With the server of the environment, where work is queued and nothing else is said."""
    url = os.environ.get("DATAGEN_SERVER")
    verb, options = _verb(args), {word.partition("=")[0] for word in args}
    brings = verb == "fetch" and not any(map(is_url, args))
    queued = verb == "jobs" or "--detach" in options or brings
    if not url or not queued or options & {SERVER, "--jobs", "--broker"}:
        return args
    return [f"{SERVER}={url}", *args]


def _refuse_urls(args: Sequence[str]) -> None:
    """Only `generate --out` and `fetch` know object stores; a Path would make a folder `s3:`."""
    verb = _verb(args)
    for before, word in zip(["", *args], args, strict=False):
        option, _, value = word.partition("=") if word.startswith("--") else (before, "", word)
        known = verb == "fetch" or (verb == "generate" and option == "--out")
        if known or option in ("--broker", SERVER) or not is_url(value):
            continue
        place = address(value)  # or what is wrong with it
        raise InputError(
            f"{place}: only `datagen generate --out` and `datagen fetch` know object stores; "
            f"run `datagen fetch {place} --out DIR` and give that folder"
        )


def _detached(args: list[str]) -> list[str]:
    """`submit VERB ...` is VERB with --detach; what cannot be queued, `submit` itself refuses."""
    k = next((k for k, word in enumerate(args) if not _is_global(word)), len(args))
    if args[k : k + 1] != ["submit"] or args[k + 1 : k + 2] == []:
        return args
    from datagen.cli.submit import VERBS as queued

    verb = args[k + 1]
    if verb in queued:
        return [*args[:k], verb, "--detach", *args[k + 2 :]]
    return args if verb.startswith("-") else args[: k + 2]
