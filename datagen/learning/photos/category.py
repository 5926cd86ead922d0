"""The one category that all things have in pictures that were learned from photos alone."""

from pathlib import Path

from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.taught import Section


def category_of(name: str | None, grammar: Grammar, section: Section) -> int:
    """Its number in the world: that of `name`, or else of the world's only one."""
    known = grammar.categories
    listed = ", ".join(known) or "none"
    if name is None and len(known) != 1:
        raise InputError(
            f"{grammar.world}: has {len(known)} categories ({listed}), and photos do not tell "
            f"them apart; name the one of all things as learn.{section}.category"
        )
    if name is not None and name not in known:
        raise InputError(
            f"learn.{section}.category: {grammar.world} has no {name!r}; it has {listed}"
        )
    return 1 if name is None else known.index(name) + 1


def check_category(path: Path, name: str, world: str, grammar: Grammar) -> None:
    """Refuses a model of `path` whose things, learned for `world`, this world does not know."""
    if name not in grammar.categories:
        raise InputError(
            f"{path}: makes objects of {world}'s category {name}, which {grammar.world} does not "
            f"have: {grammar.world} has {', '.join(grammar.categories) or 'none'}; learn from "
            "pictures of this world"
        )
