"""A recipe as the TOML file that a person would write, its grammar in a file beside it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datagen.recipe import Recipe


def as_toml(recipe: Recipe, grammar: str, remarks: Sequence[str]) -> str:
    """Only what differs from the defaults is written. `grammar`: the scene file's name."""
    data = recipe.model_dump(mode="json", exclude_defaults=True)
    sources = {name: one.model_dump(mode="json") for name, one in recipe.assets.items()}
    data |= {"grammar": grammar, "count": recipe.count, "seed": recipe.seed, "assets": sources}
    data["renderers"] = [part.model_dump(mode="json") for part in recipe.renderers]
    sections = ("generator", "renderers", "assets", "learn", "train")
    lines = [*(f"# {line}" for line in remarks)]
    lines += [f"{key} = {_value(one)}" for key, one in data.items() if key not in sections]
    for part in data.pop("renderers"):
        lines += ["", "[[renderers]]", *_lines(_part(part))]
    for key in sections:
        if data.get(key):
            section = _part(data[key]) if key == "generator" else data[key]
            lines += ["", f"[{key}]", *_lines(section)]
    return "\n".join(lines) + "\n"


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    """A plug-in's options stand beside its name."""
    rest = {key: value for key, value in part.items() if key != "options"}
    return {**rest, **(part.get("options") or {})}


def _lines(section: Mapping[str, Any]) -> list[str]:
    return [f"{_key(k)} = {_value(v)}" for k, v in section.items() if v is not None]


def _value(value: Any) -> str:
    """A value of JSON in TOML; what is null is left out, and a thing built in is its name."""
    if isinstance(value, Mapping):
        if value.get("sha256", "") is None and "source" in value:
            return _text(value["source"])
        return "{ " + ", ".join(_lines(value)) + " }" if _lines(value) else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("-", "_").isidentifier()
    return name if plain else _text(name)


def _text(text: str) -> str:
    # JSON's strings are TOML's, but for surrogate pairs and the character DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
