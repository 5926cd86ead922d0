"""datagen submit: the command line itself turns `submit VERB ...` into `VERB --detach ...`."""

from typing import Annotated

from typer import Argument

from datagen.errors import InputError
from datagen.jobs.conducted import VERBS

Verb = Annotated[
    str, Argument(metavar="VERB ...", help=f"One of {', '.join(VERBS)}, with its arguments.")
]


def command(verb: Verb) -> None:
    """The verb's own command with --detach: `datagen submit generate aerial --out data`."""
    raise InputError(f"`{verb}` cannot be queued; can be: {', '.join(VERBS)}")
