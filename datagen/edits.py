"""What is to be changed in pictures whose things a generator can still move: scene editing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from datagen.errors import InputError

_MOVE = re.compile(r"([1-9]\d*):([+-]?\d+(?:\.\d+)?),([+-]?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Edits:
    """Things by their `instance_id`, which counts from 1. A picture without such a thing stays.

    What one thing does changes no other: these are not the model's own ideas of a better scene.
    """

    moved: Mapping[int, tuple[float, float]] = field(default_factory=dict)  # px right, px down
    dropped: frozenset[int] = frozenset()
    recoloured: frozenset[int] = frozenset()  # they get another look

    @classmethod
    def parse(cls, moves: Sequence[str], drops: Iterable[int], recolours: Iterable[int]) -> Self:
        """`moves` as people type them: "2:5,-3" moves thing 2 by 5 px right and 3 px up."""
        moved = dict(map(_move, moves))
        if len(moved) < len(moves):
            raise InputError("--move: names a thing twice; give one way for each")
        return cls(moved, frozenset(drops), frozenset(recolours))

    @property
    def things(self) -> frozenset[int]:
        return self.dropped | self.recoloured | self.moved.keys()

    def __bool__(self) -> bool:
        return bool(self.things)


NO_EDITS = Edits()


def _move(text: str) -> tuple[int, tuple[float, float]]:
    found = _MOVE.fullmatch(text)
    if found is None:
        raise InputError(
            f"--move {text[:40]}: write THING:RIGHT,DOWN in px, such as --move 1:5,-3; things "
            "count from 1"
        )
    return int(found[1]), (float(found[2]), float(found[3]))
