"""What a learned model says, as a grammar: its context-free projection."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from datagen.derivation import Derivation
from datagen.distributions import Choice
from datagen.grammar import Grammar
from datagen.learning.laws.fitting import fitted
from datagen.learning.laws.rounding import shares
from datagen.learning.laws.values import mutable_values
from datagen.scene import Scene


def project(grammar: Grammar, derivations: Sequence[Derivation]) -> Grammar:
    """The grammar with each rule's share and each repetition's counts as in `derivations`.

    This is the best-fitting context-free grammar (relative frequencies maximise likelihood); what
    depends on context stays in the model. A symbol that never occurs keeps its prior.
    """
    used = Counter(index for derivation in derivations for index in derivation)
    rules = list(grammar.rules)
    for name, alternatives in grammar.rules_of.items():
        if name in grammar.repeats or not any(used[rule.index] for rule in alternatives):
            continue
        parts = shares([used[rule.index] for rule in alternatives])
        for rule, share in zip(alternatives, parts, strict=True):
            rules[rule.index] = replace(rule, weight=share)
    lengths: dict[str, Counter[int]] = {name: Counter() for name in grammar.repeats}
    for derivation in derivations:
        for name, length in run_lengths(grammar, derivation):
            lengths[name][length] += 1
    repeats = {
        name: replace(repeat, count=_histogram(lengths[name])) if lengths[name] else repeat
        for name, repeat in grammar.repeats.items()
    }
    return replace(grammar, rules=tuple(rules), repeats=repeats, digest="")


def project_attributes(grammar: Grammar, scenes: Sequence[Scene]) -> Grammar:
    """The grammar with the laws of its mutable attributes as in `scenes`.

    What may not be learned, and what occurs fewer than 20 times, keeps its prior. A learned
    attribute stays mutable in its range. How attributes hang together stays in the model.
    """
    symbols = dict(grammar.symbols)
    for (name, key), found in mutable_values(grammar, scenes).items():
        attribute = symbols[name].attributes[key]
        learned = replace(attribute, distribution=fitted(found, attribute))
        attributes = {**symbols[name].attributes, key: learned}
        symbols[name] = replace(symbols[name], attributes=attributes)
    return replace(grammar, symbols=symbols, digest="")


def run_lengths(grammar: Grammar, derivation: Derivation) -> Iterator[tuple[str, int]]:
    """Each run of a repetition: (its symbol, its length); runs may be nested in one another."""
    more = {repeat.more: name for name, repeat in grammar.repeats.items()}
    stop = {repeat.stop: name for name, repeat in grammar.repeats.items()}
    waiting = [(grammar.start, 0)]  # a symbol and, for a repetition, the items before it
    for index in derivation:
        _, items = waiting.pop()
        if index in stop:
            yield stop[index], items
        for child in reversed(grammar.rules[index].children):
            if not grammar.is_terminal(child):
                waiting.append((child, items + 1 if more.get(index) == child else 0))


def _histogram(lengths: Counter[int]) -> Choice:
    values = sorted(lengths)
    parts = shares([lengths[n] for n in values])
    kept = [(n, share) for n, share in zip(values, parts, strict=True) if share > 0]
    return Choice(tuple(n for n, _ in kept), tuple(share for _, share in kept))
