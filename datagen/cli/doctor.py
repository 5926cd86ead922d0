"""datagen doctor"""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Context, Exit

from datagen.cli.options import Json
from datagen.doctor.check import Check, State
from datagen.doctor.machine import examine

PIPE_WIDTH = 200  # columns; a line a check, for grep
COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


def command(context: Context, json: Json = False) -> None:
    """Exits with 5 only when something is missing without which nothing works."""
    context.obj.say("looking; this takes some seconds")
    checks = examine()
    fit = all(check.state is not State.FAIL for check in checks)
    if json:
        data = {"ok": fit, "checks": [check.to_json() for check in checks]}
        context.obj.result("", data, as_json=True)
    else:
        Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(_table(checks))
    if not fit:
        raise Exit(5)


def _table(checks: list[Check]) -> Table:
    table = Table("", "check", "found", "remedy", box=None, pad_edge=False)
    for check in checks:
        state = Text(check.state, COLOURS[check.state])
        table.add_row(state, check.name, Text(check.found), Text(check.remedy))
    return table
