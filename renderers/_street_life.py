"""Painters of what grows and walks in the street: trees, pedestrians, cyclists."""

import math

from datagen.scene import Transform

from ._attributes import Colour, Name, Number, Values
from ._billboards import billboard
from ._canvas import Drawing
from ._colours import RGB
from ._painting import InPerspective, Site
from ._people_models import RIDERS, WALKERS, rider, walker
from ._plant_models import ASPECT, KINDS, VARIANTS, tree
from ._solids import ground_shadow

_SKIN: RGB = (186, 146, 124)
_WOOD: RGB = (104, 92, 80)


class StreetTree(InPerspective):
    """A tree `tall` metres high; a bare one is all wood and has the colour of wood."""

    reads = (
        Number("tall", 7.0, 0.1, 60.0),
        Name("kind", "bare", KINDS),
        Number("exemplar", 0.0, 0.0, 1.0),
        Colour("colour", "forest"),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        tall, kind, exemplar, colour = self.reads
        picture = tree(kind.of(values), exemplar.pick(values, VARIANTS))
        size = ASPECT * tall.of(values), tall.of(values)
        body = billboard(site, at, picture, size, (_WOOD, colour.of(values), _SKIN)).body
        spot = 0.25 * tall.of(values)
        return Drawing(body, ground_shadow(site, at, spot, 0.6 * spot, 0.25))


class Pedestrian(InPerspective):
    """Someone on foot, `tall` metres high; `exemplar` in [0, 1) picks the pose."""

    reads = (
        Number("tall", 1.72, 0.3, 3.0),
        Number("exemplar", 0.0, 0.0, 1.0),
        Colour("colour", "charcoal"),
        Colour("trousers", "charcoal"),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        tall, exemplar, colour, trousers = self.reads
        picture = walker(exemplar.pick(values, WALKERS))
        size = 0.5 * tall.of(values), tall.of(values)
        colours = colour.of(values), trousers.of(values), _SKIN
        mirrored = exemplar.of(values) * WALKERS % 1 < 0.5
        body = billboard(site, at, picture, size, colours, mirrored=mirrored).body
        return Drawing(body, ground_shadow(site, at, 0.6, 0.4, 0.35))


class Cyclist(InPerspective):
    """Someone on a bicycle who looks along their own y."""

    reads = (
        Number("tall", 1.72, 0.3, 3.0),
        Number("exemplar", 0.0, 0.0, 1.0),
        Colour("colour", "navy"),
        Colour("trousers", "charcoal"),
    )

    def draw(self, at: Transform, values: Values, site: Site) -> Drawing:
        tall, exemplar, colour, trousers = self.reads
        side = math.sin(at.yaw + math.atan2(at.x, at.y))  # 1: it goes to the left before us
        view, aspect = ("across", 1.1) if abs(side) > 0.6 else ("along", 0.5)
        picture = rider(view, exemplar.pick(values, RIDERS))
        size = aspect * tall.of(values), tall.of(values)
        colours = colour.of(values), trousers.of(values), _SKIN
        body = billboard(site, at, picture, size, colours, mirrored=side > 0).body
        return Drawing(body, ground_shadow(site, at, 0.9 * aspect, 0.8, 0.35))
