"""Recipes whose pictures all have one look: between two that photos chose, or that of a photo."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from datagen.errors import InputError
from datagen.learning.appearance.distance import Distance
from datagen.learning.appearance.drawing import fitting_code
from datagen.learning.appearance.stages import opened_stages
from datagen.learning.appearance.weights import load_appearance_model
from datagen.reading.maps import read_pair
from datagen.recipe import Recipe
from datagen.taught import weights_of

_BETWEEN = re.compile(r"(\d{1,9}),(\d{1,9})")


def between(recipe: Recipe, codes: str, steps: int) -> list[Recipe]:
    """From one style to another in equal steps; `codes` as people type them: "3,7"."""
    found = _BETWEEN.fullmatch(codes)
    if found is None:
        raise InputError(
            f"--between {codes[:40]}: write the numbers of two styles, such as --between 3,7"
        )
    first, last = int(found[1]), int(found[2])
    return [in_style(recipe, [first, last, k / (steps - 1)]) for k in range(steps)]


def like(recipe: Recipe, photo: Path) -> int:
    """The number of the style in which the label map of `photo` looks most like it.

    The photo lies in a folder of label maps, as `reading.maps` knows them.
    """
    weights = recipe.renderers[_place(recipe)].weights
    file = weights_of("renderers", "imle", None if weights is None else weights.source)
    grammar, settings = recipe.world(), recipe.learn.appearance
    model = load_appearance_model(file, grammar)
    if not len(model.bank):
        raise InputError(f"{file}: keeps no styles; learn with learn.appearance.bank above 0")
    size = model.header.width, model.header.height
    pair = read_pair(photo, replace(grammar, canvas=size))
    stages = opened_stages(settings.weights and settings.weights.source)
    dtype = torch.bfloat16 if model.header.precision == "bfloat16" else torch.float32
    distance = Distance(stages, settings.pixel_weight, settings.texture, dtype)
    return fitting_code(model, distance, pair.class_map(0), pair.image(0))


def in_style(recipe: Recipe, code: int | Sequence[float]) -> Recipe:
    """The recipe with this `code` of its `imle`; without a gate, or styles would change scenes."""
    place, parts = _place(recipe), list(recipe.renderers)
    options = {**parts[place].options, "code": code, "gate": 0.0}
    parts[place] = parts[place].model_copy(update={"options": options})
    return recipe.model_copy(update={"renderers": tuple(parts)})


def _place(recipe: Recipe) -> int:
    uses = [part.use for part in recipe.renderers]
    if "imle" not in uses:
        raise InputError(
            f"--between and --like change the style of the renderer `imle`, and this recipe has "
            f"{', '.join(f'`{use}`' for use in uses) or 'no renderer'}; give a run of "
            "`datagen learn` that has learned an appearance"
        )
    return uses.index("imle")
