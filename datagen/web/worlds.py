"""A recipe that somebody sent: it names what the server has, and no file, module or address.

Nothing is judged by what lies on the disk, which would tell strangers what does. Keys that name
content are refused, texts are plain words, and assets are those that come with datagen; all of it
after `sets` are applied, so that nothing can be put in behind.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from datagen import language, plugins, recipe
from datagen.decoding import override, parse_toml
from datagen.errors import DatagenError, GrammarError, InputError, RecipeError
from datagen.freezing import MODELS
from datagen.grammar import Grammar
from datagen.parts import Part
from datagen.recipe import Recipe
from datagen.web.home import Home
from datagen.web.texts import text_of
from datagen.web.types import WorldOf

ASSETS = ("strokes", "procedural")  # sources that come with datagen, and are no folders
MAX_PIXELS = 1 << 24  # of one picture
# Whose values are files, in a recipe or among a plug-in's options.
CONTENT = ("weights", "start", "pretrained", "source", "sha256")
_WORDS = re.compile(r"[\w#][\w #%+().,-]*")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")  # of a grammar whose text is given


def world_of(home: Home, asked: WorldOf, sets: Iterable[str] = ()) -> Recipe:
    """The recipe that is asked for, `sets` after its own; InputError says what is wrong."""
    given = [
        name for name in ("recipe", "run", "dataset", "toml", "grammar") if getattr(asked, name)
    ]
    if len(given) != 1:
        raise RecipeError(
            "world: give exactly one of recipe, run, dataset, toml and grammar; got "
            f"{' and '.join(given) or 'none'}"
        )
    every = [*asked.sets, *sets]
    try:
        found = _made_here(home, asked, every) if asked.run or asked.dataset else None
        return _of_sound_size(found or _written(home, asked, every))
    except RecursionError as error:
        raise RecipeError("world: its values are nested too deeply") from error


def grammar_of(text: str, name: str) -> Grammar:
    """A grammar that somebody sent; GrammarError where it is wrong, or where an asset is a file."""
    grammar = language.parse(text, f"{name}.scene")
    for asset in grammar.assets.values():
        if asset.source not in ASSETS:
            raise GrammarError(
                f"asset `{asset.name}` names `{asset.source[:60]}`, and grammars sent to a server "
                "can name no file",
                path=f"{name}.scene",
                line=asset.line,
                column=asset.column,
                source=text,
                remedy=f"use what comes with datagen: {_one_of(ASSETS)}",
            )
    return grammar


def refuse_sets(sets: Iterable[str]) -> None:
    """RecipeError for changes, as `--set` takes them, that could name a file or a module."""
    for text in sets:
        data: dict[str, Any] = {}
        override(data, [text], _as_given)
        if "grammar" in data:
            raise RecipeError(f"sets: {text[:60]}: what was made keeps its grammar; leave it out")
        _refuse_assets(data.get("assets", {}))
        _refuse_content({key: value for key, value in data.items() if key != "assets"}, "sets")


def _made_here(home: Home, asked: WorldOf, sets: list[str]) -> Recipe:
    """The recipe of a run or a dataset: what it names, the server has put there."""
    refuse_sets(sets)
    kind, name = ("runs", asked.run) if asked.run else ("datasets", asked.dataset)
    return recipe.load(home.find(kind, str(name)), sets)


def _written(home: Home, asked: WorldOf, sets: list[str]) -> Recipe:
    """A recipe as a person wrote it, here or elsewhere."""
    if asked.grammar:
        data, where = _plain_recipe(asked.grammar), "grammar"
    elif asked.toml:
        data, where = parse_toml(asked.toml, "toml"), "toml"
    else:
        where = str(asked.recipe)
        data = parse_toml(text_of(home, "recipes", where), where)
    override(data, sets, _as_given)
    _refuse_assets(data.get("assets", {}))
    own = ("grammar", "assets")
    _refuse_content({key: value for key, value in data.items() if key not in own}, where)
    if "grammar" in data:
        data["grammar"] = _grammar(home, data["grammar"], where)
    return recipe.of_data(data, where)


def _plain_recipe(text: str) -> dict[str, Any]:
    """A recipe with nothing but a grammar, and the first renderer that can draw all of it."""
    grammar = grammar_of(text, "grammar")
    has_models = any(asset.kind == MODELS for asset in grammar.assets.values())
    drawn = "mesh" if has_models or _can_only_mesh(grammar) else "raster"
    return {"grammar": {"name": "grammar", "text": text}, "renderers": [{"use": drawn}]}


def _can_only_mesh(grammar: Grammar) -> bool:
    try:
        with Part(use="raster").component("renderers").open(grammar, frozenset()):
            return False
    except InputError:
        pass
    try:
        with Part(use="mesh").component("renderers").open(grammar, frozenset()):
            return True
    except DatagenError:
        return False  # the error of `raster` will tell what nobody draws


def _grammar(home: Home, value: Any, where: str) -> Any:
    """The key `grammar`: a name that datagen knows, or a text, where need be the server's own."""
    if isinstance(value, Mapping):
        name, text = value.get("name"), value.get("text")
        if not (isinstance(name, str) and isinstance(text, str) and _NAME.fullmatch(name)):
            raise RecipeError(
                f"{where}: `grammar` must be a name, or have a `text` and a `name` of letters, "
                "digits, - and _"
            )
        grammar_of(text, name)
        return {"name": name, "text": text}
    own = set(home.names("grammars", ".scene"))
    if isinstance(value, str) and value in own:
        text = home.find("grammars", value, ".scene").read_text(encoding="utf-8")
        grammar_of(text, value)
        return {"name": value, "text": text}
    known = sorted(own.union(plugins.names("grammars")))
    if value not in known:
        shown = str(value)[:60]
        hint = plugins.did_you_mean(shown, known)
        raise RecipeError(f"{where}: the server has no grammar `{shown}`{hint}")
    return value


def _refuse_assets(assets: Any) -> None:
    """RecipeError where any of the section's values is not one that comes with datagen."""
    values = assets.items() if isinstance(assets, Mapping) else [("", assets)]
    for name, value in values:
        if value not in ASSETS:
            raise RecipeError(
                f"assets.{str(name)[:60]}: recipes sent to a server can name no file; use what "
                f"comes with datagen: {_one_of(ASSETS)}"
            )


def _refuse_content(value: Any, where: str) -> None:
    """RecipeError for a key that names content, and for a text that is more than plain words."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if str(key).strip() in CONTENT:
                raise RecipeError(
                    f"{where}.{key}: recipes sent to a server can name no file; leave it out, or "
                    "begin with a run that has learned here"
                )
            _refuse_content(inner, f"{where}.{str(key)[:60]}")
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_content(inner, where)
    elif isinstance(value, str) and not _WORDS.fullmatch(value):
        raise RecipeError(
            f"{where}: `{value[:60]}` is more than plain words, and recipes sent to a server can "
            "name no file, module or address; use what the server has by name"
        )


def _of_sound_size(found: Recipe) -> Recipe:
    width, height = found.canvas or found.world().canvas
    if width * height > MAX_PIXELS:
        raise RecipeError(
            f"canvas: {width} x {height} px are more than the {MAX_PIXELS:,} that a server draws; "
            "make it smaller"
        )
    return found


def _as_given(key: list[str], value: Any) -> Any:
    return value


def _one_of(words: Iterable[str]) -> str:
    return " or ".join(f'"{word}"' for word in words)
