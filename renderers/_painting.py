"""What a painter is, and where it works."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from datagen.scene import Transform

from ._attributes import Reads, Values
from ._camera import View
from ._canvas import Drawing


@dataclass(frozen=True, slots=True)
class Site:
    """Canvas size in pixels, fine pixels per pixel at edges, and the image's own randomness.

    `view` is how painters in perspective see their map. Randomness may change pixels only: what a
    thing covers follows from its node alone.
    """

    width: int
    height: int
    supersample: int
    rng: np.random.Generator
    view: View


class Painter(Protocol):
    """Draws one kind of thing; `reads` lists the attributes that it looks at."""

    @property
    def reads(self) -> Reads: ...

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        """Raises ValueError when the values cannot be drawn."""
        ...


class InPerspective:
    """Mark of painters whose frame is the map (see _camera), and whose things the sky lights.

    Of one layer, things that stand come after all others, and among themselves the farther first.
    """

    stands: ClassVar[bool] = True
