"""What was learned from label maps, and what they could not show, in sentences."""

from collections.abc import Iterator

import numpy as np

from datagen.learning.appearance.weights import unseen_classes
from datagen.learning.statements import Statement
from datagen.reading.maps import LabelMaps
from datagen.recipe import Recipe
from datagen.rng import Stream, rng_for
from datagen.taught import Section

_SAMPLES = 64
_UNSEEN = 1 << 41  # their numbers begin here
_NAMED = 8  # classes in a sentence
_FEW = 200  # pairs below which little variety can be expected


def statements(recipe: Recipe, maps: LabelMaps, taught: Recipe) -> list[Statement]:
    """Of the run as a whole; pictures are looked at in the report."""
    asked = set(recipe.untaught().values())
    found = [*_learned(asked, maps)]
    if "layout" in asked:
        found += _left_out(taught, maps)
    found += _unseen(recipe, asked, maps)
    found += _ignored(recipe, maps)
    if len(maps) < _FEW:
        found.append(
            Statement("warning", f"There are {len(maps)} label maps; a few hundred teach more.")
        )
    return found


def _ignored(recipe: Recipe, maps: LabelMaps) -> Iterator[Statement]:
    """Classes of the label maps that the world has no name for."""
    if not maps.ignored:
        return
    named = [f"{name} ({share:.1%})" for name, share in maps.ignored.items()]
    rest = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    yield Statement(
        "not learned",
        f"{recipe.world().world} has no {', '.join(named[:_NAMED])}{rest}: "
        f"{sum(maps.ignored.values()):.1%} of the label maps' pixels were learned as nothing. A "
        "class of the grammar with such a name would learn them.",
    )


def _undrawn(recipe: Recipe, maps: LabelMaps) -> list[str]:
    """Classes of the world that the pairs never show, and that look like no other."""
    like = recipe.learn.appearance.like
    return [name for name in unseen_classes(recipe.world(), maps.present) if name not in like]


def _learned(asked: set[Section], maps: LabelMaps) -> Iterator[Statement]:
    width, height = maps.size
    if "layout" in asked:
        text = f"Layouts of {width} x {height} px, from {len(maps)} label maps."
        yield Statement("learned", text)
        yield Statement(
            "unknown",
            "A label map does not tell where one thing ends and the next of its class begins: what "
            "touches is one thing.",
        )
    if "appearance" in asked:
        yield Statement("learned", f"What layouts look like, from {len(maps)} pairs.")


def _left_out(taught: Recipe, maps: LabelMaps) -> Iterator[Statement]:
    """Classes that label maps show and samples of the layouts do not."""
    shown: set[int] = set()
    with taught.generator.component("generators").open(taught.world()) as generate:
        for k in range(_SAMPLES):
            rng = rng_for(taught.learn.seed, _UNSEEN + k, Stream.EVALUATE)
            shown.update(np.unique(generate([rng])[0].class_map).tolist())
    if missing := sorted(set(maps.present) - shown - {0}):
        names = [(*maps.categories, *maps.stuff)[k - 1] for k in missing]
        yield Statement(
            "not learned",
            f"None of {_SAMPLES} layouts shows {', '.join(names)}, which label maps show: a "
            "dataset will have none of these, or few. More steps may teach them.",
        )


def _unseen(recipe: Recipe, asked: set[Section], maps: LabelMaps) -> Iterator[Statement]:
    if "appearance" in asked and (names := _undrawn(recipe, maps)):
        yield Statement(
            "not learned",
            f"No map shows {', '.join(names)}: they are drawn like what the world does not know; "
            "`learn.appearance.like` can name a class that they shall look like.",
        )
    elif "layout" in asked and (missing := unseen_classes(recipe.world(), maps.present)):
        yield Statement("not learned", f"No map shows {', '.join(missing)}.")
