"""What a person sees: text and progress on stderr; results alone go to stdout."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer

from datagen.progress import Advance

PLAIN_SECONDS = 10.0  # between two lines of progress where there is no terminal


@dataclass(frozen=True)
class Screen:
    """`quiet` leaves errors and results only."""

    quiet: bool = False

    @property
    def has_bar(self) -> bool:
        """Whether progress is a bar, with the time to go."""
        return not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        """A remark for the person who waits."""
        if not self.quiet:
            typer.echo(printable(text), err=True)

    def result(self, text: str, data: Any, *, as_json: bool) -> None:
        """What the command was asked for: `text` for people, `data` for programs."""
        typer.echo(json.dumps(data, allow_nan=False, indent=2) if as_json else printable(text))

    @contextmanager
    def progress(self, what: str) -> Iterator[Advance]:
        """A bar on a terminal, else a line every ten seconds, or nothing when quiet."""
        if self.quiet:
            yield lambda done, total, note: None
        elif self.has_bar:
            with _bar(what) as advance:
                yield advance
        else:
            yield _lines(self, what)


def printable(text: str) -> str:
    """File names may hold bytes that are no text; show those as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def _bar(what: str) -> Iterator[Advance]:
    # rich is slow to import and needed on a terminal only.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    note = TextColumn("{task.fields[note]}", markup=False)
    with Progress(*columns, note, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None, note="")

        def advance(done: int, total: int, note: str) -> None:
            progress.update(task, completed=done, total=total, note=note)

        yield advance


def _lines(screen: Screen, what: str) -> Advance:
    shown = time.monotonic()

    def advance(done: int, total: int, note: str) -> None:
        nonlocal shown
        if time.monotonic() - shown >= PLAIN_SECONDS:
            shown = time.monotonic()
            screen.say(f"{what} {done}/{total} {note}".rstrip())

    return advance
