"""The protocols: frozen descriptions that `open` into plain callables."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from datagen.frame import Frame, Layout
from datagen.grammar import Grammar
from datagen.labelled import Detections
from datagen.scene import Scene

Rngs = Sequence[np.random.Generator]


class Component(BaseModel):
    """A frozen description whose options are typed fields; it travels as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def software(self) -> dict[str, str]:
        """Name -> version of what its results depend on, beside what every dataset depends on."""
        return {}

    def may_reject(self) -> bool:
        """May it raise RejectedError for a picture whose labels cannot be trusted?"""
        return False

    def check_worth(self, grammar: Grammar) -> None:
        """Refuses, by InputError, a generator whose labels would be worthless, whatever is drawn.

        It may take as long as many pictures: it is asked once, when a dataset begins. `open` does
        not ask again.
        """

    def may_edit(self) -> bool:
        """Does the `open` of this generator also take `edits.Edits`, as `Generator` says?"""
        return False

    def may_move(self) -> bool:
        """Does this generator make clips of its own, by `open_clips`, as `Generator` says?"""
        return False

    def may_find(self) -> bool:
        """Does this generator find its things in photos, by `open_finder`, as `Generator` says?"""
        return False


Find = Callable[[Sequence[np.ndarray]], list[Detections]]  # as `Detector` says


@dataclass(frozen=True)
class Finder:
    """What finds things in pictures, open."""

    categories: tuple[str, ...]  # detections name them by their place
    find: Find


class Generator(Protocol):
    """Starts from noise.

    One that makes edits, by its `may_edit()`, takes a sequence of them as a second argument of
    `open`. Of each rng it then gives the picture that it would have given without, once with each
    of them; it rejects the same pictures.

    One that makes clips, by its `may_move()`, has `open_clips(grammar, frames)`: of each rng it
    gives a list of so many frames. What it gives for more frames begins with what it gives for
    fewer, where it does not reject them.

    One that finds its things in photos, by its `may_find()`, has `open_finder(grammar)`, which
    yields a Finder.
    """

    gives: ClassVar[type[Scene] | type[Layout] | type[Frame]]

    def open(self, grammar: Grammar) -> AbstractContextManager[Callable[[Rngs], list[Any]]]: ...


LABELS = "labels"  # among the passes: instances with their silhouettes, for who wants labels


class Renderer(Protocol):
    """Scene or Layout in, Frame out; one rng for each input.

    `passes`: what is wanted beside the image, such as LABELS and "depth", so that nothing else
    need be made; a Frame may hold more.
    """

    takes: ClassVar[type[Scene] | type[Layout]]

    def open(
        self, grammar: Grammar, passes: frozenset[str]
    ) -> AbstractContextManager[Callable[[Sequence[Any], Rngs], list[Frame]]]: ...


class FeatureExtractor(Protocol):
    """Images to vectors: uint8 [N, H, W, 3] -> float32 [N, dim].

    A row is a function of its own picture, up to rounding.
    """

    name: ClassVar[str]  # stands in reports beside every distance
    standardise: ClassVar[bool]  # columns have no unit of their own: each is divided by its spread

    def open(self) -> AbstractContextManager[Callable[[np.ndarray], np.ndarray]]: ...


class Detector(Protocol):
    """Pictures in, detections out: uint8 [H, W, 3] RGB of any sizes -> Detections of each.

    `detecting.teaching.Teachable` is what `datagen train` asks of one beside this.
    """

    weights: str | None  # the file of a trained one; it names its categories

    def open(self) -> AbstractContextManager[Find]: ...


class Executor(Protocol):
    """Runs one work function over many payloads; reports arrive in completion order."""

    def run(self, work: str, payloads: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]: ...
