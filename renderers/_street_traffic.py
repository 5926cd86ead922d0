"""Painter of vehicles in the street, as seen from a car among them."""

import numpy as np

from datagen.scene import Transform

from ._attributes import Colour, Name, Number, Values
from ._canvas import Drawing
from ._painting import InPerspective, Site
from ._solids import ground_shadow, solid
from ._vehicle_models import KINDS, vehicle

# Colours of what is not painted, in the order of Stuff after PAINT; SECOND is the last.
_FIXED = [
    (40, 46, 52), (92, 102, 112), (38, 38, 40), (22, 22, 23), (112, 114, 116), (226, 226, 214),
    (150, 26, 26), (216, 216, 208), (206, 178, 64),
]  # fmt: skip


class Vehicle(InPerspective):
    """A vehicle that looks along its own y: `width` across, `height` long, `tall` above ground."""

    reads = (
        Number("width", 1.75, 0.1, 10.0),
        Number("height", 4.2, 0.1, 40.0),
        Number("tall", 1.48, 0.1, 10.0),
        Name("kind", "hatchback", KINDS),
        Colour("colour", "silver"),
        Colour("second", "white"),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        width, height, tall, kind, colour, second = self.reads
        size = np.array([width.of(values), height.of(values), tall.of(values)])
        palette = np.array([colour.of(values), *_FIXED, second.of(values)], float)
        body = solid(site, at, vehicle(kind.of(values)), size, palette).body
        return Drawing(body, ground_shadow(site, at, 1.06 * size[0], 1.03 * size[1], 0.48))
