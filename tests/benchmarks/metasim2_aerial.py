"""How near a learned aerial world is to the hidden town, road by road and jointly."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from datagen.derivation import Derivation, sample_prior
from datagen.grammar import Grammar
from datagen.learning.counts import Row, count_in_row, rows
from datagen.learning.gap import total_variation
from datagen.learning.projection import project
from datagen.learning.spec import read_spec
from datagen.learning.strings import derivations
from datagen.learning.weights import load_model
from datagen.rng import Stream, rng_for
from datagen.scene import Scene

_DRAWN = 10_000
_ROADS = 4
_INNER = ("car", "house", "tree")


def aerial_scores(run: Path, target: Path) -> dict[str, Any]:
    """Scores of the model, of the prior, and of the best-fitting context-free grammar.

    The last is fitted in closed form to the target's true scenes, which no learner sees.
    """
    grammar = read_spec(run).recipe.world()
    (row,) = rows(grammar)
    truth = [_as_prior(grammar, row, roads) for roads in _true_roads(target)]
    model = load_model(run / "model.safetensors", grammar).structure
    best = project(grammar, truth)
    rng = rng_for(0, 0, Stream.EVALUATE)
    drawn = {
        "learned": derivations(grammar, model, _DRAWN, rng),
        "prior": [sample_prior(grammar, rng) for _ in range(_DRAWN)],
        "best PCFG": [sample_prior(best, rng) for _ in range(_DRAWN)],
    }
    real = _Counts(grammar, row, truth)
    scores = {name: _score(_Counts(grammar, row, d), real) for name, d in drawn.items()}
    return {"roads": scores}


class _Counts:
    def __init__(self, grammar: Grammar, row: Row, scenes: list[Derivation]) -> None:
        counts = count_in_row(grammar, row, scenes, 12)
        names = grammar.categories
        self.roads = counts[:, :, names.index("road")].sum(1)
        self.cars = counts[:, :, names.index("car")]

    def on(self, k: int) -> np.ndarray:
        """Cars on the k-th road of the scenes that have one."""
        return self.cars[self.roads > k, k]


def _score(ours: _Counts, theirs: _Counts) -> dict[str, Any]:
    return {
        "roads TV": _tv(ours.roads, theirs.roads),
        "more than 4 roads": float((ours.roads > _ROADS).mean()),
        "mean": [float(ours.on(k).mean()) if len(ours.on(k)) else 0.0 for k in range(_ROADS)],
        "true mean": [float(theirs.on(k).mean()) for k in range(_ROADS)],
        "TV": [_tv(ours.on(k), theirs.on(k)) for k in range(_ROADS)],
        "joint TV": _tv(_joint(ours), _joint(theirs)),
    }


def _joint(counts: _Counts) -> np.ndarray:
    """Roads, cars on the first and on the second, in pairs: fine enough, and well filled."""
    roads = np.minimum(counts.roads, 5)
    first, second = (np.minimum(counts.cars[:, k] // 2, 15) for k in (0, 1))
    return (roads * 16 + first) * 16 + second


def _tv(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) == 0:
        return 1.0
    size = int(max(a.max(), b.max())) + 1
    return total_variation(np.bincount(a, minlength=size), np.bincount(b, minlength=size))


def _true_roads(target: Path) -> list[list[dict[str, int]]]:
    """Of each hidden scene, each road's cars, houses and trees, from the top."""
    lines = (target.with_name(f"{target.name}.labelled") / "scenes.jsonl").read_text().splitlines()
    found = []
    for line in lines:
        data = json.loads(line)
        scene = Scene.from_json(data["scene"])
        roads = [p.node for p in scene.walk() if p.node.category == "road"]
        found.append(
            [{name: sum(c.symbol == name for c in r.children) for name in _INNER} for r in roads]
        )
    return found


def _as_prior(grammar: Grammar, row: Row, roads: list[dict[str, int]]) -> Derivation:
    """The derivation of a town's scene in the prior's grammar, where all roads are alike."""
    (start,), (road,) = grammar.rules_of[grammar.start], grammar.rules_of[row.item]
    repeat = next(r for r in grammar.repeats.values() if r.item == row.item)
    steps = [start.index]
    for inside in roads:
        steps += [repeat.more, road.index]
        for child in road.children:
            inner = grammar.repeats[child]
            steps += [inner.more] * inside[inner.item] + [inner.stop]
    return (*steps, repeat.stop)
