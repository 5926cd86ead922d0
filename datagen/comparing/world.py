"""The grammar that a dataset or a run was made with, from its folder alone."""

from pathlib import Path

from datagen import language
from datagen.dataset.store import read_json
from datagen.errors import GrammarError, InputError
from datagen.grammar import Grammar


def grammar_of(folder: Path) -> Grammar:
    """What recipe.json holds; assets need not be where they were, nor other keys be known."""
    path = folder / "recipe.json"
    grammar = read_json(path).get("grammar")
    if not isinstance(grammar, dict) or not isinstance(grammar.get("text"), str):
        raise InputError(f"{path}: holds no grammar's text; it is no recipe.json of datagen")
    try:
        return language.parse(grammar["text"], str(grammar.get("name")))
    except GrammarError as error:
        raise InputError(f"{path}: its grammar cannot be read: {error}") from error
