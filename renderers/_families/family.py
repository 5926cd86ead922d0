"""What a family is: from a node's attributes to pieces of geometry."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .._attributes import Reads, Values
from .geometry import RGB, WHITE, Geometry


@dataclass(frozen=True, slots=True)
class Piece:
    """One geometry where it stands in its node's frame (x right, y ahead, z up, metres)."""

    geometry: Geometry
    matrix: np.ndarray  # float32 [3, 4]: the geometry's own units -> the node's frame
    first: RGB = WHITE  # what its materials are tinted with
    second: RGB = WHITE


class Family(Protocol):
    """Builds one kind of thing; `reads` lists the attributes that it looks at.

    The same values always give the same pieces: shapes that differ differ by an attribute
    (`exemplar`). Its geometries must be few and cached, because each stays on the GPU; what
    varies freely (width, length, height) belongs into a piece's matrix.
    """

    @property
    def reads(self) -> Reads: ...

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        """`distance`: metres from the camera; beyond some, fewer triangles do.

        Raises ValueError when the values cannot be drawn.
        """
        ...
