"""Classes by name: which class of a world the class of another tool's label map is."""

from collections.abc import Mapping, Sequence

import numpy as np

from datagen.grammar import Grammar

# Names of one thing; of a world that has several of them, the first is meant.
_ALIKE = (
    ("cyclist", "bicyclist", "rider"),
    ("pedestrian", "person"),
    ("sidewalk", "pavement"),
    ("sign", "traffic sign", "sign symbol"),
    ("traffic light", "traffic signal"),
    ("tree", "vegetation"),
    ("pole", "pole group", "column pole"),
    ("terrain", "grass"),
    ("wall", "facade"),
    ("decoration", "deco"),
    ("moulding", "molding"),
)


def class_table(names: Mapping[int, str | None], grammar: Grammar) -> np.ndarray:
    """uint8 [256]: value of a label map -> class id of the world, 0 where it has no such class."""
    table = np.zeros(256, np.uint8)
    ids = {_plain(name): k for k, name in reversed([*enumerate(class_names(grammar), 1)])}
    for value, name in names.items():
        if name is not None:
            table[value] = next((ids[n] for n in _meant(name) if n in ids), 0)
    return table


def class_names(grammar: Grammar) -> tuple[str, ...]:
    """The world's: id = position + 1."""
    return (*grammar.categories, *grammar.stuffs)


def _meant(name: str) -> Sequence[str]:
    """The name, then others for the same."""
    plain = _plain(name)
    return [plain, *(other for names in _ALIKE if plain in names for other in names)]


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())
