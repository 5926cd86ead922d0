"""A recipe that somebody sent: nobody who only reaches the server may name its files or code."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from datagen import language, plugins, recipe
from datagen.decoding import parse_toml
from datagen.errors import RecipeError
from datagen.freezing import MODELS
from datagen.recipe import Recipe
from datagen.web.home import Home
from datagen.web.types import WorldOf

_PATH = re.compile(r"[/\\~:]|\.\.")  # also package.module:Class, and URLs


def world_of(home: Home, asked: WorldOf, sets: Iterable[str] = ()) -> Recipe:
    """The recipe that is asked for, `sets` after its own; RecipeError says what is wrong."""
    given = [
        name for name in ("recipe", "run", "dataset", "toml", "grammar") if getattr(asked, name)
    ]
    if len(given) != 1:
        raise RecipeError(
            "world: give exactly one of recipe, run, dataset, toml and grammar; got "
            f"{' and '.join(given) or 'none'}"
        )
    every = [*asked.sets, *sets]
    refuse_paths(every, "sets")
    if asked.run:
        return recipe.load(home.find("runs", asked.run), every)
    if asked.dataset:
        return recipe.load(home.find("datasets", asked.dataset), every)
    if asked.recipe and asked.recipe in plugins.names("configs"):
        return recipe.load(asked.recipe, every)
    if asked.grammar:
        return recipe.of_data(plain_recipe(asked.grammar, "grammar"), "grammar", every)
    text, where = asked.toml or "", "toml"
    if asked.recipe:
        where = asked.recipe
        text = home.find("recipes", where, ".toml").read_text()
    data = parse_toml(text, where)
    refuse_paths({key: value for key, value in data.items() if key != "grammar"}, where)
    return recipe.of_data(data | _grammar(home, data, where), where, every)


def plain_recipe(text: str, name: str) -> dict[str, Any]:
    """The data of a recipe with nothing but a grammar; GrammarError where its text is wrong."""
    grammar = language.parse(text, f"{name}.scene")
    _refuse_assets(text, name)
    has_models = any(asset.kind == MODELS for asset in grammar.assets.values())
    drawn = "mesh" if has_models else "raster"
    return {"grammar": {"name": name, "text": text}, "renderers": [{"use": drawn}]}


def refuse_paths(value: Any, where: str) -> None:
    """RecipeError for any text that could name a file, a module or an address."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            refuse_paths(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for inner in value:
            refuse_paths(inner, where)
    elif isinstance(value, str) and _PATH.search(value.partition("=")[2] or value):
        raise RecipeError(
            f"{where}: `{value[:60]}` names a file, a module or an address, which recipes sent to "
            "a server may not; use what the server has by name"
        )


def _grammar(home: Home, data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The key `grammar` with its text, where the server has one of this name."""
    name = data.get("grammar")
    if isinstance(name, Mapping):
        text, name = str(name.get("text", "")), str(name.get("name", "grammar"))
    elif isinstance(name, str) and name in set(home.names("grammars", ".scene")):
        text = home.find("grammars", name, ".scene").read_text()
    else:
        refuse_paths(name, f"{where}.grammar")
        return {}
    _refuse_assets(text, name)
    return {"grammar": {"name": name, "text": text}}


def _refuse_assets(text: str, name: str) -> None:
    for asset in language.parse(text, f"{name}.scene").assets.values():
        refuse_paths(asset.source, f"{name}.scene: asset {asset.name}")
