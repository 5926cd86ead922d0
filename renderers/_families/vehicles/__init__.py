"""Vehicles: cars by kind, a bus and a box lorry."""

from functools import cache

import numpy as np

from ..._attributes import Colour, Name, Number, Values
from ..family import Piece
from ..geometry import Geometry, placement
from .bus import LENGTH as BUS_LENGTH
from .bus import WIDTH as BUS_WIDTH
from .bus import bus
from .car_models import CARS
from .cars import car
from .parts import contact
from .skin import smoothed
from .truck import LENGTH as TRUCK_LENGTH
from .truck import WIDTH as TRUCK_WIDTH
from .truck import truck

KINDS = (*CARS, "bus", "truck")
COARSER = (35.0, 80.0)  # m from the camera
_CREASE = (40.0, 50.0, 60.0)  # degrees; what has fewer faces is as round by larger steps
_FADE = 0.35  # m outside of a vehicle where its darkness on the ground ends


class Vehicle:
    """A vehicle that looks along its own y: `width` across, `height` long, `tall` above ground."""

    reads = (
        Number("width", 1.75, 0.1, 10.0),
        Number("height", 4.2, 0.1, 40.0),
        Number("tall", 1.48, 0.1, 10.0),
        Name("kind", "hatchback", KINDS),
        Colour("colour", "silver"),
        Colour("second", "white"),
    )

    def pieces(self, values: Values, distance: float) -> list[Piece]:
        width, height, tall, kind, colour, second = self.reads
        across, along = width.of(values), height.of(values)
        level = int(np.searchsorted(COARSER, distance))
        name = kind.of(values)
        return [
            Piece(
                _vehicle(name, level),
                placement(size=(across, along, tall.of(values))),
                colour.of(values),
                second.of(values),
            ),
            Piece(_ground(name), placement(size=(across, along, 1.0))),
        ]


@cache
def _vehicle(kind: str, level: int) -> Geometry:
    """1 wide, 1 long, 1 high."""
    if kind in CARS:
        skin = car(kind, level)
    else:
        skin = bus(level) if kind == "bus" else truck(level)
    return smoothed(skin, _CREASE[level])


@cache
def _ground(kind: str) -> Geometry:
    """The darkness below a vehicle 1 wide and 1 long, as soft as at the kind's usual size."""
    if kind in CARS:
        width, length = CARS[kind].width, CARS[kind].length
    elif kind == "bus":
        width, length = BUS_WIDTH, BUS_LENGTH
    else:
        width, length = TRUCK_WIDTH, TRUCK_LENGTH
    return contact((width, length), _FADE, 0.75)
