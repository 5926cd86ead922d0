"""What was learned from label maps, and what they could not show, in sentences."""

from collections.abc import Iterator

from datagen.learning.appearance.weights import unseen_classes
from datagen.learning.statements import Statement
from datagen.reading.maps import LabelMaps
from datagen.recipe import Recipe
from datagen.taught import Section

_FEW = 200  # pairs below which little variety can be expected


def statements(recipe: Recipe, maps: LabelMaps) -> list[Statement]:
    """Of the run as a whole; pictures are looked at in the report."""
    asked = set(recipe.untaught().values())
    found = [*_learned(asked, maps), *_unseen(recipe, asked, maps)]
    if len(maps) < _FEW:
        found.append(
            Statement("warning", f"There are {len(maps)} label maps; a few hundred teach more.")
        )
    return found


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


def _unseen(recipe: Recipe, asked: set[Section], maps: LabelMaps) -> Iterator[Statement]:
    if "appearance" in asked and (names := _undrawn(recipe, maps)):
        yield Statement(
            "not learned",
            f"No map shows {', '.join(names)}: they are drawn like what the world does not know; "
            "`learn.appearance.like` can name a class that they shall look like.",
        )
    elif "layout" in asked and (missing := unseen_classes(recipe.world(), maps.present)):
        yield Statement("not learned", f"No map shows {', '.join(missing)}.")
