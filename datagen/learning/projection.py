"""What a learned model says, as a grammar: its context-free projection."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from datagen.derivation import Derivation
from datagen.distributions import Choice
from datagen.grammar import Grammar

_DIGITS = 4  # decimals of a probability in a file that people read and edit


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
        shares = _shares([used[rule.index] for rule in alternatives])
        for rule, share in zip(alternatives, shares, strict=True):
            rules[rule.index] = replace(rule, weight=share)
    lengths = _run_lengths(grammar, derivations)
    repeats = {
        name: replace(repeat, count=_histogram(lengths[name])) if lengths[name] else repeat
        for name, repeat in grammar.repeats.items()
    }
    return replace(grammar, rules=tuple(rules), repeats=repeats, digest="")


def _run_lengths(grammar: Grammar, derivations: Sequence[Derivation]) -> dict[str, Counter[int]]:
    """How often each repetition had each length; runs may be nested in one another."""
    more = {repeat.more: name for name, repeat in grammar.repeats.items()}
    stop = {repeat.stop: name for name, repeat in grammar.repeats.items()}
    found: dict[str, Counter[int]] = {name: Counter() for name in grammar.repeats}
    for derivation in derivations:
        waiting = [(grammar.start, 0)]  # a symbol and, for a repetition, the items before it
        for index in derivation:
            _, items = waiting.pop()
            if index in stop:
                found[stop[index]][items] += 1
            for child in reversed(grammar.rules[index].children):
                if not grammar.is_terminal(child):
                    waiting.append((child, items + 1 if more.get(index) == child else 0))
    return found


def _shares(counts: Sequence[int]) -> list[float]:
    """Relative frequencies with few decimals that add up to 1 all the same."""
    units, total = 10**_DIGITS, sum(counts)
    whole, rest = zip(*(divmod(count * units, total) for count in counts), strict=True)
    # The units that rounding down leaves over go to those who lost most by it.
    losers = sorted(range(len(counts)), key=rest.__getitem__, reverse=True)
    rounded_up = set(losers[: units - sum(whole)])
    return [(n + (k in rounded_up)) / units for k, n in enumerate(whole)]


def _histogram(lengths: Counter[int]) -> Choice:
    values = sorted(lengths)
    shares = _shares([lengths[n] for n in values])
    kept = [(n, share) for n, share in zip(values, shares, strict=True) if share > 0]
    return Choice(tuple(n for n, _ in kept), tuple(share for _, share in kept))
