"""Contact sheets of a run on label maps: what was given beside what was learned."""

from collections.abc import Sequence

import numpy as np

from datagen.frame import Layout
from datagen.learning.parts.material import COLUMNS, SHOWN, spread
from datagen.parts import Part
from datagen.reading.maps import LabelMaps
from datagen.recipe import Recipe
from datagen.report import PALETTE, Colour
from datagen.report.sheet import contact_sheet
from datagen.rng import Stream, rng_for

_PAIRS, _STYLES = 6, 3  # on the sheet of the appearance
_NOTHING = (32, 36, 42)
_SHADE = 0.55  # of a palette's colour, where it is used again


def given_maps(maps: LabelMaps) -> np.ndarray:
    chosen = [maps.class_map(k) for k in spread(len(maps), SHOWN)]
    return _sheet(chosen, *maps.categories, *maps.stuff)


def learned_layouts(recipe: Recipe) -> np.ndarray:
    """Layouts of the generator, as `datagen generate` makes them."""
    with recipe.generator.component("generators").open(recipe.world()) as generate:
        made = [
            generate([rng_for(recipe.seed, k, Stream.SCENE)])[0].class_map for k in range(SHOWN)
        ]
    world = recipe.world()
    return _sheet(made, *world.categories, *world.stuffs)


def learned_pairs(recipe: Recipe, part: Part, maps: LabelMaps) -> np.ndarray:
    """A row for a pair: the label map, its photo, and what `part` draws in some styles."""
    options = {name: value for name, value in part.options.items() if name not in ("gate", "code")}
    free = part.model_copy(update={"options": options})
    styles = _STYLES if recipe.learn.appearance.style else 1
    cells = []
    with free.component("renderers").open(recipe.world(), frozenset()) as render:
        for k in spread(len(maps), _PAIRS):
            class_map = maps.class_map(k)
            layout = _layout(class_map, maps)
            numbers = range(styles * k, styles * (k + 1))
            rngs = [rng_for(recipe.learn.seed, n, Stream.EVALUATE) for n in numbers]
            drawn = [frame.image for frame in render([layout] * styles, rngs)]
            cells += [_coloured(class_map), maps.image(k), *drawn]
    return contact_sheet(cells, columns=2 + styles)


def _sheet(class_maps: Sequence[np.ndarray], *classes: str) -> np.ndarray:
    """Of uint8 [H, W], with a legend of those classes that they show; `classes` are from 1 on."""
    names = ("nothing", *classes)
    present = np.unique(np.concatenate([np.unique(one) for one in class_maps])).tolist()
    legend = {names[k]: _colour(k) for k in present}
    return contact_sheet(list(map(_coloured, class_maps)), columns=COLUMNS, legend=legend)


def _coloured(class_map: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] of a class map."""
    return np.array([_colour(k) for k in range(256)], np.uint8)[class_map]


def _colour(kind: int) -> Colour:
    """Of a class; categories have those of their boxes."""
    if kind == 0:
        return _NOTHING
    lap, place = divmod(kind - 1, len(PALETTE))
    red, green, blue = PALETTE[place]
    return round(red * _SHADE**lap), round(green * _SHADE**lap), round(blue * _SHADE**lap)


def _layout(class_map: np.ndarray, maps: LabelMaps) -> Layout:
    """As far as its appearance goes: no instances."""
    ids = np.zeros(class_map.shape, np.int32)
    return Layout(class_map, ids, None, (), maps.categories, maps.stuff)
