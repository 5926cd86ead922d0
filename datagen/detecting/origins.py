"""Which symbols and rules of a grammar made each thing of a dataset of ours."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datagen.comparing.world import grammar_of
from datagen.dataset import coco
from datagen.derivation import parse_tree
from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.labelled import Labelled, Picture
from datagen.scoring.slices import Origin, Origins


def origins_of(labelled: Labelled) -> tuple[Origins, dict[int, str]]:
    """Of each picture: path of a thing -> its origin; and the text of each rule with alternatives.

    They lie in a dataset folder of `datagen generate`.
    """
    folder = labelled.folder
    grammar = grammar_of(folder)
    file = folder / "scenes.jsonl"
    wanted = {one.name: _paths(one) for one in labelled.pictures}
    index = {int(i["id"]) - 1: str(i["file_name"]) for i in coco.read(folder)["images"]}
    known: dict[str, Mapping[str, Origin]] = {}
    try:
        with file.open("rb") as lines:
            for line in lines:
                row = json.loads(line)
                name = index.get(int(row["index"]))
                if name in wanted:
                    # Most nodes are no things: those of 10,000 scenes would fill a gigabyte.
                    made = _of_scene(grammar, row["scene"])
                    known[name] = {path: one for path, one in made.items() if path in wanted[name]}
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, LookupError, TypeError, AttributeError, InputError) as error:
        raise InputError(
            f"{file}: a scene cannot be read ({type(error).__name__}: {error}); "
            f"`datagen verify {folder}` says more"
        ) from error
    return [known.get(one.name, {}) for one in labelled.pictures], _rules(grammar)


def _paths(picture: Picture) -> set[str]:
    return {str(one.facts["path"]) for one in picture.things if "path" in one.facts}


def _of_scene(grammar: Grammar, scene: Mapping[str, Any]) -> dict[str, Origin]:
    """Nodes are numbered as `Scene.walk` does: "0.2.1" by child numbers from the root."""
    nodes = parse_tree(grammar, [int(step) for step in scene["derivation"]])
    paths, children = [""], [0] * len(nodes)
    made: list[Origin] = []
    for k, node in enumerate(nodes):
        above: Sequence[Origin] = () if node.parent < 0 else (made[node.parent],)
        if node.parent >= 0:
            prefix = paths[node.parent] + "." if paths[node.parent] else ""
            paths.append(f"{prefix}{children[node.parent]}")
            children[node.parent] += 1
        own = frozenset() if node.rule is None else frozenset({node.rule.index})
        symbols = frozenset[str]().union(*(one.above | {one.symbol} for one in above))
        made.append(Origin(node.symbol, symbols, own.union(*(one.rules for one in above))))
        assert len(paths) == k + 1, "nodes come in preorder"
    return dict(zip(paths, made, strict=True))


def _rules(grammar: Grammar) -> dict[int, str]:
    """Rules that were chosen among others; a count chooses none."""
    return {
        rule.index: f"{rule.lhs} -> {' '.join(rule.children) or 'empty'}"
        for symbol, rules in grammar.rules_of.items()
        if len(rules) > 1 and symbol not in grammar.repeats
        for rule in rules
    }
