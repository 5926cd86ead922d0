"""Parts that `datagen learn` teaches, from what, and which of a recipe's have not learned."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from datagen.errors import RecipeError
from datagen.parts import Part, Source

# Of [learn]: how it is learned.
Section = Literal["layout", "appearance", "relate", "relate_clips", "gnm"]
Given = Literal["label maps", "photos"]  # what it is learned from

_TAUGHT: Mapping[tuple[str, str], Section] = {
    ("generator", "semgan"): "layout",
    ("generator", "relate"): "relate",
    ("generator", "relate_clips"): "relate_clips",
    ("generator", "gnm"): "gnm",
    ("renderers", "imle"): "appearance",
}
_FROM: Mapping[Section, Given] = {
    "layout": "label maps",
    "appearance": "label maps",
    "relate": "photos",
    "relate_clips": "photos",
    "gnm": "photos",
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


def taken_from(parts: Parts) -> Given | None:
    """What the parts that have not learned yet learn from, all of them; None: all have learned."""
    keys: dict[Given, str] = {_FROM[section]: key for key, section in untaught(parts).items()}
    if len(keys) > 1:
        listed = " and ".join(f"{key} (`{parts[key].use}`) from {of}" for of, key in keys.items())
        raise RecipeError(
            f"{listed} cannot learn in one run; give one of them `weights`, or take it out"
        )
    return next(iter(keys), None)


def check(parts: Parts) -> None:
    """Refuses parts that cannot do anything yet."""
    for key, section in untaught(parts).items():
        raise _ignorant(key, parts[key].use, section)


def weights_of(kind: str, use: str, weights: str | None) -> Path:
    """The file of a part that can learn, a "generator" or one of the "renderers".

    RecipeError while it has none.
    """
    if weights is None:
        raise _ignorant(kind, use, _TAUGHT[kind, use])
    return Path(weights)


def _ignorant(key: str, use: str, section: Section) -> RecipeError:
    return RecipeError(
        f"{key}: `{use}` has not learned anything yet; give this recipe and {_FROM[section]} to "
        "`datagen learn`, then use its run in place of the recipe"
    )


def with_weights(parts: Parts, weights: Mapping[Section, Source]) -> list[Part]:
    """The parts in their order; those that have none get the weights of their section."""
    missing = untaught(parts)
    return [
        part.model_copy(update={"weights": weights[missing[key]]}) if key in missing else part
        for key, part in parts.items()
    ]
