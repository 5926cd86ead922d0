"""What a worker can be asked for, by name: plain data in, plain data out.

Each entry opens, so that what is dear (a renderer, a network) is made once for many payloads.
A payload may come from a queue that others can write to: it is validated like any input.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from datagen.errors import InputError

Payload = dict[str, Any]
Run = Callable[[Payload, Callable[[int], None]], dict[str, Any]]  # (payload, progress) -> result


# Name -> where its function is; a module is loaded when its work is asked for. Nothing else can be
# named from outside.
WORK = {
    "make_shard": "datagen.jobs.making:shard_making",
    "measure": "datagen.learning.measuring:measuring",
    "detect": "datagen.detecting.work:detecting",
    "rehearse": "datagen.estimating.rehearsal:rehearsing",
    "errand": "datagen.web.errands:errands",
}

# Queues that workers attend, and which work is sent to which. Errands are a server's own.
QUEUES = ("render", "eval")
QUEUE_OF = {"make_shard": "render", "measure": "render", "detect": "eval", "rehearse": "render"}


def find(name: str) -> Callable[[], AbstractContextManager[Run]]:
    if name not in WORK:
        raise InputError(f"there is no work called `{name[:40]}`")
    module, _, function = WORK[name].partition(":")
    return getattr(import_module(module), function)
