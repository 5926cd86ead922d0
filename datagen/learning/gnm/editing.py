"""Scenes of GNM with edits: an object elsewhere, gone, or with the look of one of another scene."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from datagen.edits import Edits
from datagen.errors import EditError
from datagen.models.gnm import Gnm, Noise, Objects

_EDGE = 0.999  # of tanh: where a cell's reach ends
_TRIES = 100  # at a scene that has an object


def edited(
    model: Gnm, objects: Objects, numbers: Mapping[int, int], edits: Edits, rng: np.random.Generator
) -> tuple[Objects, dict[int, int]]:
    """One sample [1, K, ...] with `edits`; and which cell each object has now.

    `numbers`: cell -> number of the object, as edits name it.
    """
    presence, values = objects.presence.clone(), objects.values.clone()
    cells = {number: cell for cell, number in numbers.items()}
    for number in edits.dropped & cells.keys():
        presence[0, cells.pop(number)] = 0
    for number in sorted(edits.recoloured & cells.keys()):
        _look(model, values)[0, cells[number]] = _another(model, rng)
    for number in sorted(edits.moved.keys() & cells.keys()):
        old = cells[number]
        centre = model.boxes(Objects(presence, values, None))[0, old, :2]
        goal = centre + torch.tensor(edits.moved[number])
        presence[0, old] = 0
        new = _cell_for(model, presence[0], goal, number)
        presence[0, new], values[0, new] = 1, values[0, old].clone()
        values[0, new, 2:4] = torch.atanh(_offset(model, goal)[new])
        cells[number] = new
    changed = Objects(presence, values, objects.background)
    return changed, {cell: number for number, cell in cells.items()}


def _look(model: Gnm, values: Tensor) -> Tensor:
    """z_what, as a view."""
    return values[..., model.sizes.look]


def _another(model: Gnm, rng: np.random.Generator) -> Tensor:
    """z_what of an object of a fresh scene."""
    for _ in range(_TRIES):
        scene = model.generate(Noise.of(model.sizes, rng, 1))
        there = torch.nonzero(scene.presence[0] > 0.5)[:, 0]
        if len(there):
            return _look(model, scene.values)[0, there[rng.integers(len(there))]]
    raise EditError("--recolour: this model hardly ever makes an object, so there is no look")


def _offset(model: Gnm, goal: Tensor) -> Tensor:
    """[K, 2]: how far a place is from the centres of the cells, in cells; their reach is 1."""
    rows, columns = model.sizes.grid
    k = torch.arange(rows * columns)
    home = torch.stack([k % columns, k // columns], 1) + 0.5
    return goal / model.sizes.cell - home


def _cell_for(model: Gnm, presence: Tensor, goal: Tensor, number: int) -> int:
    """The nearest free cell that reaches a place."""
    far = _offset(model, goal).abs().amax(1)
    far = torch.where((presence < 0.5) & (far < _EDGE), far, math.inf)
    nearest = int(far.argmin())
    if math.isinf(float(far[nearest])):
        x, y = goal.round().int().tolist()
        raise EditError(
            f"--move: thing {number} would be at ({x}, {y}) px, where no cell is free to hold it; "
            "move it less far"
        )
    return nearest
