"""datagen cite"""

import re
from importlib import resources

from typer import Context

from datagen.cli.options import Json, RecipeName
from datagen.recipe import Recipe, load
from datagen.settings.train import Train

ALWAYS = ("lin2014coco",)  # the format of every dataset
# What a recipe uses -> the entries of references.bib.
KEYS = {
    "semgan": ("ghelfi2019semgan",),
    "relate": ("ehrhardt2020relate",),
    "relate_clips": ("ehrhardt2020relate",),
    "gnm": ("jiang2020gnm",),
    "imle": ("li2019conditional", "li2018imle"),
    "metasim2": ("devaranjan2020metasim2", "kar2019metasim", "williams1992reinforce"),
    "squeezenet": ("iandola2016squeezenet",),
    "inception": ("szegedy2016inception",),
    "mask_rcnn": ("he2017maskrcnn", "lin2017fpn"),
}


def command(context: Context, source: RecipeName, json: Json = False) -> None:
    """BibTeX for the paper that describes your dataset."""
    entries = _entries()
    keys = keys_of(load(source, allow_empty=True))
    text = "\n\n".join(entries[key] for key in keys)
    context.obj.result(text, {key: entries[key] for key in keys}, as_json=json)


def keys_of(recipe: Recipe) -> list[str]:
    """Keys of the references that the recipe's parts build on."""
    parts = [recipe.generator.use, *(part.use for part in recipe.renderers)]
    if recipe.generator.use == "metasim2":  # learned, by pictures that these features measured
        parts.append(recipe.learn.features.use)
    if recipe.train != Train():  # a [train] section: its dataset is for a detector
        parts.append(recipe.train.detector.use)
    return list(dict.fromkeys([*ALWAYS, *(key for use in parts for key in KEYS.get(use, ()))]))


def _entries() -> dict[str, str]:
    text = resources.files("datagen.cli").joinpath("references.bib").read_text(encoding="utf-8")
    blocks = [block.strip() for block in text.split("\n\n") if block.strip()]
    return {_key(block): block for block in blocks}


def _key(block: str) -> str:
    found = re.match(r"@\w+\{([^,]+),", block)
    assert found, "references.bib holds one entry a paragraph"
    return found[1]
