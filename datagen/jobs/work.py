"""What a worker can be asked for: plain data in, plain data out.

Each entry opens, so that what is dear (a renderer, a network) is made once for many payloads.
A payload may come from a queue that others can write to: it is validated like any input.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from pydantic import Field

from datagen.dataset.shelves import shelf_of
from datagen.dataset.store import Shard, Shelf
from datagen.dataset.verify import read_recipe
from datagen.decoding import decode
from datagen.errors import InputError
from datagen.frames import MakeFrame, opened
from datagen.interfaces import Component
from datagen.recipe import Recipe
from datagen.shards import make_shard
from datagen.storage.address import Address, address, is_url

Payload = dict[str, Any]
Run = Callable[[Payload, Callable[[int], None]], dict[str, Any]]  # (payload, progress) -> result


class ShardJob(Component):
    """Images `start` to `stop` - 1 of the dataset begun in `out`, a folder or an object store.

    `to_come`: images that later jobs of the same run make there, for which the disk needs room.
    `out` is percent-encoded: the name of a folder need not be text, and JSON must be.
    """

    out: str
    start: int = Field(ge=0)
    stop: int = Field(ge=1)
    to_come: int = Field(ge=0)

    @property
    def place(self) -> Path | Address:
        return place_in(self.out)


def shard_payloads(out: Path | Address, shards: Sequence[Shard]) -> list[Payload]:
    """A ShardJob for each shard, as plain data."""
    to_come, payloads = sum(map(len, shards)), []
    for shard in shards:
        to_come -= len(shard)
        place = {"out": quoted(out), "start": shard.start, "stop": shard.stop}
        payloads.append({**place, "to_come": to_come})
    return payloads


def quoted(place: Path | Address) -> str:
    """A path, or an address, as text that JSON can hold."""
    return quote(str(place) if isinstance(place, Address) else os.fsencode(place))


def unquoted(text: str) -> Path:
    """Undo `quoted` for a path."""
    return Path(os.fsdecode(unquote_to_bytes(text)))


def place_in(text: str) -> Path | Address:
    """Undo `quoted`; InputError for an address that is none."""
    plain = os.fsdecode(unquote_to_bytes(text))
    return address(plain) if is_url(plain) else Path(plain)


@contextmanager
def shard_making() -> Iterator[Run]:
    """Makes shards; components stay open while the jobs are of one dataset."""
    with ExitStack() as stack:
        at_hand: dict[str, tuple[Recipe, MakeFrame, Shelf]] = {}

        def run(payload: Payload, progress: Callable[[int], None]) -> dict[str, Any]:
            job = decode(ShardJob, payload, "job")
            if job.out not in at_hand:
                stack.close()
                at_hand.clear()
                shelf = stack.enter_context(shelf_of(job.place))
                recipe = read_recipe(shelf.folder)
                at_hand[job.out] = recipe, stack.enter_context(opened(recipe)), shelf
            recipe, make_frame, shelf = at_hand[job.out]
            if not job.start < job.stop <= recipe.count:
                raise InputError(f"job: {job.place} has no images {job.start} to {job.stop - 1}")
            shard = Shard(job.start, job.stop)
            return make_shard(recipe, make_frame, shelf, shard, job.to_come, progress)

        yield run


# Name -> where its function is; a module is loaded when its work is asked for. Nothing else can be
# named from outside.
WORK = {
    "make_shard": "datagen.jobs.work:shard_making",
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
