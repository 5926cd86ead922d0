"""What a worker can be asked for: plain data in, plain data out.

Each entry opens, so that what is dear (a renderer, a network) is made once for many payloads.
A payload may come from a queue that others can write to: it is validated like any input.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from datagen.dataset.store import Shard
from datagen.dataset.verify import read_recipe
from datagen.decoding import decode
from datagen.errors import InputError
from datagen.frames import MakeFrame, opened
from datagen.interfaces import Component
from datagen.recipe import Recipe
from datagen.shards import make_shard

Payload = dict[str, Any]
Run = Callable[[Payload, Callable[[int], None]], dict[str, Any]]  # (payload, progress) -> result


class ShardJob(Component):
    """Images `start` to `stop` - 1 of the dataset begun in the folder `out`."""

    out: str
    start: int = Field(ge=0)
    stop: int = Field(ge=1)


@contextmanager
def shard_making() -> Iterator[Run]:
    """Makes shards; components stay open while the jobs are of one dataset."""
    with ExitStack() as stack:
        at_hand: dict[str, tuple[Recipe, MakeFrame]] = {}

        def run(payload: Payload, progress: Callable[[int], None]) -> dict[str, Any]:
            job = decode(ShardJob, payload, "job")
            if job.out not in at_hand:
                stack.close()
                at_hand.clear()
                recipe = read_recipe(Path(job.out))
                at_hand[job.out] = recipe, stack.enter_context(opened(recipe))
            recipe, make_frame = at_hand[job.out]
            if not job.start < job.stop <= recipe.count:
                raise InputError(f"job: {job.out} has no images {job.start} to {job.stop - 1}")
            shard = Shard(job.start, job.stop)
            return make_shard(recipe, make_frame, Path(job.out), shard, progress)

        yield run


WORK: dict[str, Callable[[], AbstractContextManager[Run]]] = {"make_shard": shard_making}


def find(name: str) -> Callable[[], AbstractContextManager[Run]]:
    if name not in WORK:
        raise InputError(f"there is no work called `{name[:40]}`")
    return WORK[name]
