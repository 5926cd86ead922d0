"""What is to be changed in pictures whose things a generator can still move: scene editing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from datagen.errors import EditError, InputError
from datagen.frame import Frame, Silhouette

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

    def refuse_leaving(self, before: Frame) -> None:
        """EditError for a move that would take the middle of a thing out of this picture."""
        for thing in before.instances:
            if thing.id not in self.moved or thing.silhouette.area == 0:
                continue
            right, down = self.moved[thing.id]
            x, y = _middle(thing.silhouette)
            x, y = x + right, y + down
            if not (0 <= x <= before.width and 0 <= y <= before.height):
                raise EditError(
                    f"--move: thing {thing.id} would be at ({x:.0f}, {y:.0f}) px, outside the "
                    f"picture of {before.width} x {before.height} px; move it less far"
                )

    @property
    def things(self) -> frozenset[int]:
        return self.dropped | self.recoloured | self.moved.keys()

    def __bool__(self) -> bool:
        return bool(self.things)


NO_EDITS = Edits()


def _middle(shape: Silhouette) -> tuple[float, float]:
    """Of its box; x, y in px."""
    height, width = shape.mask.shape
    return shape.x + width / 2, shape.y + height / 2


def _move(text: str) -> tuple[int, tuple[float, float]]:
    found = _MOVE.fullmatch(text)
    if found is None:
        raise InputError(
            f"--move {text[:40]}: write THING:RIGHT,DOWN in px, such as --move 1:5,-3; things "
            "count from 1"
        )
    return int(found[1]), (float(found[2]), float(found[3]))
