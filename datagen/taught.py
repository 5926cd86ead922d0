"""Parts that `datagen learn` teaches from label maps, and which of a recipe's have not learned."""

from collections.abc import Mapping
from typing import Literal

from datagen.errors import RecipeError
from datagen.parts import Part, Source

Section = Literal["layout", "appearance"]  # of [learn]: how it is learned

_TAUGHT: Mapping[tuple[str, str], Section] = {
    ("generator", "semgan"): "layout",
    ("renderers", "imle"): "appearance",
}

Parts = Mapping[str, Part]  # "generator", "renderers.0", ... -> part


def untaught(parts: Parts) -> dict[str, Section]:
    """Key -> section, of those that have no weights and can learn them."""
    found: dict[str, Section] = {}
    for key, part in parts.items():
        section = _TAUGHT.get((key.partition(".")[0], part.use))
        if section is not None and part.weights is None:
            found[key] = section
    return found


def check(parts: Parts) -> None:
    """Refuses parts that cannot do anything yet."""
    for key in untaught(parts):
        raise RecipeError(
            f"{key}: `{parts[key].use}` has not learned anything yet; give this recipe and label "
            "maps to `datagen learn`, then use its run in place of the recipe"
        )


def with_weights(parts: Parts, weights: Mapping[Section, Source]) -> list[Part]:
    """The parts in their order; those that have none get the weights of their section."""
    missing = untaught(parts)
    return [
        part.model_copy(update={"weights": weights[missing[key]]}) if key in missing else part
        for key, part in parts.items()
    ]
