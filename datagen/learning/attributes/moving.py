"""A learned distribution transformer at work, and its weights."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from datagen.errors import InputError
from datagen.grammar import Grammar
from datagen.learning.attributes.graphs import graphs_of, scenes_of, vocabulary
from datagen.models.metasim import DistributionTransformer
from datagen.scene import Scene

# Scenes with the prior's attributes -> the same with learned ones.
Moved = Callable[[Sequence[Scene]], list[Scene]]

ATTRIBUTES = "attributes."  # begins the names of its tensors


def new_transformer(grammar: Grammar, hidden: int, seed: int) -> DistributionTransformer:
    """An untrained transformer, which moves nothing yet; the seed alone decides it."""
    known = vocabulary(grammar)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DistributionTransformer(known.width, len(known.columns), len(known.kinds), hidden)


def mover(grammar: Grammar, transformer: DistributionTransformer) -> Moved:
    """What the transformer does to scenes."""
    known = vocabulary(grammar)

    @torch.no_grad()
    def one(scene: Scene) -> Scene:
        # One scene at a time: in a larger batch, rounding would depend on its neighbours.
        graphs = graphs_of(known, [scene])
        corrections = transformer(graphs.nodes, graphs.edges)
        values = graphs.kept(graphs.moved(corrections, transformer.laws))
        return scenes_of(known, [scene], graphs, values)[0]

    return lambda scenes: [one(scene) for scene in scenes]


def attributes_digest(grammar: Grammar) -> str:
    """16 hex digits of what a transformer depends on: symbols, their laws, what is mutable.

    Not the canvas: as with the structure, a street that was learned small is drawn large.
    """
    symbols = [
        [name, [[key, repr(a.distribution), a.unit, repr(a.mutable)] for key, a in items]]
        for name, items in ((n, s.attributes.items()) for n, s in grammar.symbols.items())
    ]
    text = json.dumps(symbols, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def attribute_tensors(transformer: DistributionTransformer) -> dict[str, Tensor]:
    """The transformer's weights by name; every name begins with `attributes.`."""
    state = transformer.state_dict()
    return {ATTRIBUTES + name: tensor.contiguous() for name, tensor in state.items()}


def load_transformer(
    grammar: Grammar, hidden: int, tensors: Mapping[str, Tensor], where: str
) -> DistributionTransformer:
    """The transformer behind `attribute_tensors`, checked name by name; other tensors are left.

    `where` begins the message of the InputError for weights that do not fit.
    """
    transformer = new_transformer(grammar, hidden, 0)
    state: dict[str, Tensor] = {}
    for name, expected in transformer.state_dict().items():
        found = tensors.get(ATTRIBUTES + name)
        if found is None or found.shape != expected.shape:
            shape = "absent" if found is None else list(found.shape)
            raise InputError(
                f"{where}: tensor {ATTRIBUTES}{name} is {shape}, expected {list(expected.shape)}; "
                "use weights that were learned for this grammar"
            )
        if not found.isfinite().all():
            raise InputError(
                f"{where}: tensor {ATTRIBUTES}{name} holds what is not a finite number"
            )
        state[name] = found
    transformer.load_state_dict(state)
    return transformer.eval()
