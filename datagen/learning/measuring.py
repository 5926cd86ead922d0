"""Derivations and scenes to features, here and by others who read the run folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import Field

from datagen import digest
from datagen.decoding import decode
from datagen.derivation import Derivation
from datagen.errors import InputError
from datagen.interfaces import Component
from datagen.jobs.work import Payload, Run
from datagen.learning.attributes.gradients import See
from datagen.learning.attributes.scenery import viewer
from datagen.learning.extraction import FILE, Extract, extractor, is_trained
from datagen.learning.painting import Paint, opened_painter
from datagen.learning.sharing import Shares
from datagen.learning.spec import META, read_spec
from datagen.learning.weights import load_moved
from datagen.parts import Part
from datagen.rendering import opened_renderers
from datagen.scene import Scene
from datagen.storage.address import quoted, unquoted
from datagen.threads import one_thread

MEASURE = "measure"  # the work
ATTRIBUTES = "attributes.safetensors"  # in the run folder, what learned attributes are moved by


class Measure(Protocol):
    """Features, float32 [N, D], of the pictures that `Paint` makes of the same."""

    def __call__(
        self, derivations: Sequence[Derivation], first: int, arrangements: Sequence[int] = ()
    ) -> np.ndarray: ...


# ----------------------------------------------------------------------------- what is asked for


class Derived(Component):
    """Pictures that a painter makes, numbered from `first`; their features are those of `learn`."""

    derivations: list[list[int]]
    arrangements: list[int]
    first: int = Field(ge=0)


class Posed(Component):
    """Pictures of scenes as they are, with a number each; features of `learn.attributes`."""

    scenes: list[dict[str, Any]]
    numbers: list[int]


class MeasureJob(Component):
    """Some of a batch of pictures, to be measured."""

    run: str  # percent-encoded, as in ShardJob
    reads: dict[str, str]  # files of the run folder that it takes, with their sha256
    start: int = Field(ge=0)  # where they are in the batch
    pictures: Derived | Posed


@dataclass(frozen=True)
class Origin:
    """Where others find what a measurement depends on, and what they must find there."""

    folder: Path
    reads: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path, part: Part, *more: str) -> "Origin":
        """For features described by `part`; `more` are other files that are read."""
        names = [META, *([FILE] if is_trained(part) else []), *more]
        return cls(folder.resolve(), {name: digest.of_path(folder / name) for name in names})

    def to_json(self) -> dict[str, Any]:
        return {"run": quoted(self.folder), "reads": dict(self.reads)}


def shared_measure(shares: Shares, origin: Origin, paint: Paint, extract: Extract) -> Measure:
    """Features by this process and others; `paint` and `extract` are what they find at `origin`."""

    def measure(
        derivations: Sequence[Derivation], first: int, arrangements: Sequence[int] = ()
    ) -> np.ndarray:
        def payload(part: slice) -> Payload:
            pictures = {
                "derivations": [list(d) for d in derivations[part]],
                "arrangements": [int(a) for a in arrangements[part]],
                "first": first + part.start,
            }
            return {**origin.to_json(), "pictures": pictures}

        def seen(part: slice) -> np.ndarray:
            return extract(paint(derivations[part], first + part.start, arrangements[part]))

        return shares.rows(len(derivations), payload, seen)

    return measure


def shared_see(shares: Shares, origin: Origin, see: See) -> See:
    """The same pictures by this process and others, who find `see` at `origin`."""

    def shared(scenes: Sequence[Scene], numbers: Sequence[int]) -> np.ndarray:
        def payload(part: slice) -> Payload:
            posed = [scene.to_json() for scene in scenes[part]]
            pictures = {"scenes": posed, "numbers": [int(n) for n in numbers[part]]}
            return {**origin.to_json(), "pictures": pictures}

        return shares.rows(len(scenes), payload, lambda part: see(scenes[part], numbers[part]))

    return shared


# ------------------------------------------------------------------------------------- the work

_See = Callable[[Any], np.ndarray]  # Derived or Posed -> float32 [N, D]


@contextmanager
def measuring() -> Iterator[Run]:
    """The work `measure`; renderers and network stay open while the jobs need the same."""
    with one_thread(), ExitStack() as stack:
        at_hand: dict[tuple[object, ...], _See] = {}

        def run(payload: Payload, progress: Callable[[int], None]) -> dict[str, Any]:
            job = decode(MeasureJob, payload, "job")
            key = job.run, tuple(sorted(job.reads.items())), type(job.pictures)
            if key not in at_hand:
                stack.close()
                at_hand.clear()
                at_hand[key] = stack.enter_context(_opened(job))
            rows = at_hand[key](job.pictures)
            progress(len(rows))
            return {"features": rows.tolist()}

        yield run


@contextmanager
def _opened(job: MeasureJob) -> Iterator[_See]:
    folder = unquoted(job.run)
    _check(folder, job.reads)
    recipe = read_spec(folder).recipe
    learn = recipe.learn
    for name, source in recipe.sources():
        if name.endswith(".weights"):
            source.check(name)
    with ExitStack() as stack:
        if isinstance(job.pictures, Posed):
            extract = stack.enter_context(extractor(learn.attributes.features, folder).open())
            render = stack.enter_context(opened_renderers(recipe, frozenset()))
            see = viewer(render, extract, learn.seed)
            yield lambda p: see([Scene.from_json(scene) for scene in p.scenes], p.numbers)
        else:
            moved = None
            if ATTRIBUTES in job.reads:
                moved = load_moved(folder / ATTRIBUTES, recipe.world())
            extract = stack.enter_context(extractor(learn.features.part, folder).open())
            paint = stack.enter_context(opened_painter(recipe, moved))
            yield lambda p: extract(
                paint([tuple(d) for d in p.derivations], p.first, p.arrangements)
            )


def _check(folder: Path, reads: Mapping[str, str]) -> None:
    """A machine may see the run folder as it was, or have another one there."""
    for name, expected in reads.items():
        if name not in (META, FILE, ATTRIBUTES):
            raise InputError(f"job: a run folder holds no {name[:40]!r}")
        try:
            found = digest.of_path(folder / name)
        except OSError as error:
            raise InputError(f"{folder / name}: cannot read it: {error.strerror}") from error
        if found != expected:
            raise InputError(f"{folder / name}: is not what the run has there; is it shared?")
