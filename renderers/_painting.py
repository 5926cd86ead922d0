"""What a painter is, and where it works."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from datagen.scene import Transform

from ._attributes import Reads, Values
from ._canvas import Drawing


@dataclass(frozen=True, slots=True)
class Site:
    """Canvas size in pixels, fine pixels per pixel at edges, and the image's own randomness.

    Randomness may change pixels only: what a thing covers follows from its node alone.
    """

    width: int
    height: int
    supersample: int
    rng: np.random.Generator


class Painter(Protocol):
    """Draws one kind of thing; `reads` lists the attributes that it looks at."""

    @property
    def reads(self) -> Reads: ...

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        """Raises ValueError when the values cannot be drawn."""
        ...
