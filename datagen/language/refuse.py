"""What a grammar must not be: names without meaning, rules without end, scenes without bound."""

from lark import Token

from datagen.grammar import PLACEMENT, RELATIVE_UNITS, Grammar
from datagen.language.laws import names_in
from datagen.language.size import expected_counts, growth, least_depth, least_nodes
from datagen.language.source import Source, did_you_mean
from datagen.language.syntax import Header, Production, Statement


def refuse(source: Source, grammar: Grammar, statements: tuple[Statement, ...]) -> None:
    """Raise at the first place where the grammar cannot work."""
    depth_given = any(isinstance(s, Header) and s.word == "max_depth" for s in statements)
    _undefined(source, grammar, statements)
    _conditions(source, grammar)
    _ambiguous(source, grammar)
    _endless(source, grammar)
    _too_large(source, grammar)
    _exploding(source, grammar, depth_given)


def _undefined(source: Source, grammar: Grammar, statements: tuple[Statement, ...]) -> None:
    for statement in statements:
        match statement:
            case Header(word, (name,)) if word == "start":
                _started(source, grammar, name)
            case Production(_, alternatives):
                for item in (i for a in alternatives for i in a.items):
                    _known(source, grammar, item.name)


def _started(source: Source, grammar: Grammar, name: Token) -> None:
    if name not in grammar.rules_of:
        ruled = [n for n in grammar.rules_of if n not in grammar.repeats]
        remedy = did_you_mean(name, ruled, f"add `{name} -> ...`")
        raise source.error(name, f"the start symbol `{name}` has no rule", remedy)


def _known(source: Source, grammar: Grammar, name: Token) -> None:
    if name not in grammar.symbols:
        remedy = f"add a rule `{name} -> ...` or a block `{name} {{ ... }}`"
        raise source.error(
            name, f"undefined symbol `{name}`", did_you_mean(name, grammar.symbols, remedy)
        )


def _conditions(source: Source, grammar: Grammar) -> None:
    """What must find room, and what it lies inside, may not be moved after it has."""
    settled = {symbol.name for symbol in grammar.symbols.values() if symbol.is_conditioned}
    for symbol in grammar.symbols.values():
        if (attribute := symbol.attributes.get("inside")) is None:
            continue
        for name in names_in(attribute.distribution) or ():
            if name not in grammar.symbols:
                remedy = did_you_mean(name, grammar.symbols, f"add a block `{name} {{ ... }}`")
                raise source.error(attribute, f"undefined symbol `{name}`", remedy)
            settled.add(name)
    for name in settled:
        for key, attribute in grammar.symbols[name].attributes.items():
            if attribute.mutable is not None and key in (*PLACEMENT, *RELATIVE_UNITS):
                raise source.error(
                    attribute,
                    f"`{key}` of `{name}` cannot be learned beside `apart` or `inside`",
                    "remove the word `mutable`, or the condition",
                )


def _ambiguous(source: Source, grammar: Grammar) -> None:
    for symbol in grammar.symbols.values():
        if symbol.stuff in grammar.categories:
            raise source.error(
                symbol, f"`{symbol.stuff}` is a category and stuff", "rename one of them"
            )


def _endless(source: Source, grammar: Grammar) -> None:
    endings = least_nodes(grammar)
    for name, rules in grammar.rules_of.items():
        if name not in endings and name not in grammar.repeats:
            raise source.error(
                rules[0], f"rule `{name}` never ends", "add an alternative that ends, or `empty`"
            )


def _too_large(source: Source, grammar: Grammar) -> None:
    rule = grammar.rules_of[grammar.start][0]
    nodes = least_nodes(grammar)[grammar.start]
    if nodes > grammar.max_nodes:
        raise source.error(
            rule,
            f"the smallest scene has {_whole(nodes)} nodes, above max_nodes {grammar.max_nodes}",
            "lower the counts or raise max_nodes",
        )
    depth = least_depth(grammar)[grammar.start]
    if depth > grammar.max_depth:
        raise source.error(
            rule,
            f"the shallowest scene is {depth:.0f} deep, above max_depth {grammar.max_depth}",
            "raise max_depth",
        )


def _exploding(source: Source, grammar: Grammar, depth_given: bool) -> None:
    rule = grammar.rules_of[grammar.start][0]
    radius = growth(grammar)
    if radius >= 1:
        if not depth_given:
            raise source.error(
                rule,
                f"expected size infinite (radius {radius:.3g})",
                "lower the recursive probabilities, or set max_depth to cut scenes off",
            )
        return
    nodes = sum(expected_counts(grammar).values())
    if not nodes <= grammar.max_nodes:  # nan and inf are too many, too
        raise source.error(
            rule,
            f"a scene has {_whole(nodes)} nodes on average, above max_nodes {grammar.max_nodes}",
            "lower the counts or raise max_nodes",
        )


def _whole(nodes: float) -> str:
    return f"{nodes:.0f}" if nodes < 1e9 else f"{nodes:.1e}"
