"""The work `make_shard`: images of a dataset that was begun, published shard by shard."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from datagen.dataset.shelves import shelf_of
from datagen.dataset.store import Shard, Shelf
from datagen.dataset.verify import read_recipe
from datagen.decoding import decode
from datagen.errors import InputError
from datagen.frames import MakeFrame, opened
from datagen.interfaces import Component
from datagen.jobs.work import Payload, Run
from datagen.recipe import Recipe
from datagen.shards import make_shard
from datagen.storage.address import Address, place_in, quoted


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
