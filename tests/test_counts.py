"""Counts from derivations alone, against the trees that they become."""

from collections import Counter

import numpy as np
import pytest
from structures import HEAD, rng

from datagen import plugins
from datagen.derivation import sample_prior
from datagen.language import named, parse
from datagen.learning.counts import count_heads, count_things
from datagen.placement import expand


def counted(grammar, scene):
    seen = Counter(placed.node.category for placed in scene.walk() if placed.node.category)
    row = [seen[name] for name in grammar.categories]
    return [*row, sum(row)] if len(row) > 1 else row


@pytest.mark.parametrize("name", plugins.names("grammars"))
def test_counts_are_those_of_the_scenes_nodes(name):
    grammar = named(name)
    generator = rng(4)
    strings = [sample_prior(grammar, generator) for _ in range(60)]
    counts = count_things(grammar, strings)
    assert counts.shape == (60, len(count_heads(grammar)))
    assert counts.dtype == np.int64
    scenes = [expand(grammar, s, generator) for s in strings]
    assert counts.tolist() == [counted(grammar, scene) for scene in scenes]


RECURSIVE = HEAD + (
    "max_depth 30\n"
    "S -> car T * uniform_int(0, 4) [0.5] | T [0.3] | empty [0.2]\n"
    "T -> car car wheel [0.3] | S [0.1] | T bush [0.2] | empty [0.4]\n"
    'S { category: "lot" }\n'
    'T { category: "thing" }\n'
    'car { category: "car" }\nwheel {}\nbush { category: "car" }\n'
)


def test_groups_the_start_symbol_and_shared_categories_count():
    grammar = parse(RECURSIVE)
    generator = rng(4)
    strings = [sample_prior(grammar, generator) for _ in range(200)]
    counts = count_things(grammar, strings)
    assert count_heads(grammar) == ("lot", "thing", "car", "all")
    assert counts.tolist() == [counted(grammar, expand(grammar, s, generator)) for s in strings]
    assert counts[:, 0].min() == 1 and counts[:, 0].max() > 1


def test_one_category_needs_no_total():
    grammar = parse(HEAD + 'S -> a * uniform_int(0, 3)\na { category: "a" }')
    assert count_heads(grammar) == ("a",)
    assert count_things(grammar, [(0, 2), (0, 1, 1, 2)]).tolist() == [[0], [2]]


def test_a_hidden_thing_counts():
    grammar = parse(HEAD + 'S -> a b\na { category: "a" draw: rect }\nb { category: "b" }')
    assert count_things(grammar, [(0,)]).tolist() == [[1, 1, 2]]
