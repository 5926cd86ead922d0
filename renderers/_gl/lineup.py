"""Which pieces of a stage a pass draws, in what order, and what the GPU is told of each."""

from dataclasses import dataclass

import numpy as np

from .._stage import Stage
from .pool import COMMAND, INSTANCE, Pool, Slot


@dataclass(frozen=True)
class LineUp:
    """All pieces of a stage, N in tree order."""

    slots: list[Slot]
    records: np.ndarray  # INSTANCE [N]
    spheres: np.ndarray  # float32 [N, 4]: middle and radius of each piece in the scene's frame, m
    order: np.ndarray  # int64 [N]: pieces of one geometry side by side, the nearest first

    @classmethod
    def of(cls, pool: Pool, stage: Stage) -> "LineUp":
        slots = [pool.slot(piece.geometry) for piece in stage.pieces]
        numbers = np.array([slot.number for slot in slots], np.int64)
        spheres = _placed(pool.spheres[numbers], stage.matrices)
        return cls(slots, _records(stage), spheres, _order(numbers, spheres))

    def drawn(self, chosen: np.ndarray) -> "Drawn":
        """What a pass draws of the pieces for which `chosen`, bool [N], is true."""
        return Drawn.of(self.order[chosen[self.order]], self.slots)


@dataclass(frozen=True)
class Drawn:
    """The pieces of a pass in its order, and COMMAND records of each kind of them."""

    pieces: np.ndarray  # int64 [M]
    solid: np.ndarray
    sky: np.ndarray
    contact: np.ndarray

    @classmethod
    def of(cls, pieces: np.ndarray, slots: list[Slot]) -> "Drawn":
        """`slots`: of all pieces."""
        lined = [slots[k] for k in pieces.tolist()]
        starts = [k for k in range(len(lined)) if k == 0 or lined[k] is not lined[k - 1]]
        ends = [*starts[1:], len(lined)] if starts else []
        made = np.zeros(len(starts), COMMAND)
        for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
            slot = lined[start]
            made[k] = (slot.count, end - start, slot.first, slot.base, start)
        sky = np.array([lined[k].is_sky for k in starts], bool)
        contact = np.array([lined[k].is_contact for k in starts], bool)
        return cls(pieces, made[~sky & ~contact], made[sky], made[contact])


def _placed(spheres: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Spheres of geometries where the matrices put them; they grow with the largest scale."""
    middles = (matrices[:, :, :3] @ spheres[:, :3, None])[..., 0] + matrices[:, :, 3]
    grow = np.linalg.norm(matrices[:, :, :3], axis=1).max(axis=1, initial=0.0)
    return np.column_stack([middles, spheres[:, 3] * grow])


def _order(numbers: np.ndarray, spheres: np.ndarray) -> np.ndarray:
    """The nearest geometries first: what hides saves shading.

    The order follows from the stage alone, not from what was drawn before it: where two surfaces
    are equally far, it decides whose the pixel is.
    """
    if not len(numbers):
        return np.zeros(0, np.int64)
    away = np.abs(spheres[:, 1])
    _, first, kinds = np.unique(numbers, return_index=True, return_inverse=True)
    nearest = np.full(len(first), np.inf)
    np.minimum.at(nearest, kinds, away)
    return np.lexsort((away, first[kinds], nearest[kinds]))


def _records(stage: Stage) -> np.ndarray:
    records = np.zeros(len(stage.pieces), INSTANCE)
    if len(records):
        records["matrix"] = stage.matrices
        records["first"][:, :3] = [piece.first for piece in stage.pieces]
        records["second"][:, :3] = [piece.second for piece in stage.pieces]
        records["part"] = stage.parts
    return records
