"""What a job may be, and what the function that carries one out is given."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from datagen.errors import InputError
from datagen.jobs.executors import MakeExecutor
from datagen.progress import Advance


@dataclass(frozen=True)
class Conducted:
    """The means of a job: who does its work, and who is told how far it is."""

    executor: MakeExecutor
    progress: Advance
    say: Callable[[str], None]  # a remark, for the job's log


@dataclass(frozen=True)
class Order:
    """A job to be made: its arguments as plain data, checked."""

    verb: str
    arguments: dict[str, Any]  # `out`, the folder that it writes to, is percent-encoded
    claim: Callable[[], None]  # takes that folder, or tells what is wrong; nothing is made then


Conduct = Callable[[dict[str, Any], Conducted], Any]  # arguments -> what the verb gives with --json

# Verb -> where its function is; a module is loaded when its job is carried out.
VERBS = {
    "generate": "datagen.pipeline:conduct",
    "evaluate": "datagen.detecting.evaluation:conduct",
    "learn": "datagen.learning.job:conduct",
    "train": "datagen.detecting.job:conduct",
    "export": "datagen.dataset.export.job:conduct",
}
TRAIN = "train"  # conducted by workers with the duty of this name, all others by `CONTROL`
CONTROL = "control"


def duty_of(verb: str) -> str:
    """The duty of a worker that carries out jobs of this verb."""
    return TRAIN if verb == TRAIN else CONTROL


def find(verb: str) -> Conduct:
    if verb not in VERBS:
        raise InputError(f"there is no job called `{verb[:40]}`; known: {', '.join(VERBS)}")
    module, _, function = VERBS[verb].partition(":")
    return getattr(import_module(module), function)
