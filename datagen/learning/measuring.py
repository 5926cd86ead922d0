"""Derivations to features, on several processes; who works changes no bit."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import Field

from datagen.decoding import decode
from datagen.derivation import Derivation
from datagen.features.counts import CHUNK
from datagen.interfaces import Component
from datagen.jobs.crew import Member
from datagen.jobs.work import Payload, Run, quoted, unquoted
from datagen.learning.extraction import Extract, extractor
from datagen.learning.painting import Paint, opened_painter
from datagen.learning.spec import read_spec
from datagen.learning.weights import load_moved
from datagen.threads import one_thread

log = logging.getLogger(__name__)


class Measure(Protocol):
    """Features, float32 [N, D], of the pictures that `Paint` makes of the same."""

    def __call__(
        self, derivations: Sequence[Derivation], first: int, arrangements: Sequence[int] = ()
    ) -> np.ndarray: ...


class MeasureJob(Component):
    """Pictures of `derivations`, numbered from `first`, seen by the features of the run folder."""

    run: str  # percent-encoded, as in ShardJob
    attributes: str | None  # file of learned ones in the run folder; None: the prior's
    derivations: list[list[int]]
    arrangements: list[int]
    first: int = Field(ge=0)


@contextmanager
def measuring() -> Iterator[Run]:
    """The work `measure`; renderers and network stay open while the jobs are of one run."""
    with ExitStack() as stack:
        at_hand: dict[str, Measure] = {}

        def run(payload: Payload, progress: Callable[[int], None]) -> dict[str, Any]:
            job = decode(MeasureJob, payload, "job")
            key = f"{job.run} {job.attributes}"
            if key not in at_hand:
                stack.close()
                at_hand.clear()
                opened = _opened(unquoted(job.run), job.attributes)
                at_hand[key] = stack.enter_context(opened)
            derivations = [tuple(d) for d in job.derivations]
            rows = at_hand[key](derivations, job.first, job.arrangements)
            progress(len(rows))
            return {"features": rows.tolist()}

        yield run


@contextmanager
def _opened(folder: Path, attributes: str | None) -> Iterator[Measure]:
    recipe = read_spec(folder).recipe
    moved = None if attributes is None else load_moved(folder / attributes, recipe.world())
    with (
        one_thread(),
        extractor(recipe.learn.features.part, folder).open() as extract,
        opened_painter(recipe, moved) as paint,
    ):
        yield lambda derivations, first, arrangements=(): extract(
            paint(derivations, first, arrangements)
        )


@contextmanager
def opened_measure(
    folder: Path, paint: Paint, extract: Extract, helpers: int, attributes: str | None = None
) -> Iterator[Measure]:
    """Features by this process and `helpers` others, which read the run folder.

    `attributes` is the file there with what `paint` moves attributes by, if it does.

    Processes rather than torch's threads: those wait for one another at every layer, and on a
    machine that does anything else they stand still.
    """
    crew = [Member("measure") for _ in range(helpers)]

    def measure(
        derivations: Sequence[Derivation], first: int, arrangements: Sequence[int] = ()
    ) -> np.ndarray:
        def seen(start: int) -> np.ndarray:
            part = slice(start, start + size)
            return extract(paint(derivations[part], first + start, arrangements[part]))

        # Whole chunks: a picture's last bits depend on how many others share its batch.
        size = CHUNK * math.ceil(len(derivations) / (CHUNK * (len(crew) + 1)))
        shares = range(size, len(derivations), size)
        asked = dict(zip(shares, crew, strict=False))
        for start, member in asked.items():
            part = [list(d) for d in derivations[start : start + size]]
            how = [int(a) for a in arrangements[start : start + size]]
            where = {"run": quoted(folder), "attributes": attributes}
            what = {"derivations": part, "arrangements": how, "first": first + start}
            member.send({**where, **what})
        rows = [seen(0)]
        for start, member in asked.items():
            answer = _answer(member)
            if answer is None:
                # What it failed at shall fail here, with an error that people can read.
                log.warning("a helper process is gone; going on with one less")
                crew.remove(member)
                answer = seen(start)
            rows.append(answer)
        return np.concatenate(rows)

    try:
        yield measure
    finally:
        for member in crew:
            member.dismiss()
        for member in crew:
            member.end()


def _answer(member: Member) -> np.ndarray | None:
    """The features that it found; None when it died or failed."""
    while (message := member.receive()) is not None and "done" in message:
        continue
    if message is None or "result" not in message:
        member.kill()
        member.end()
        return None
    return np.array(message["result"]["features"], np.float32)
