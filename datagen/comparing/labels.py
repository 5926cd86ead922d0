"""What labels say about pictures: how many of what, and every attribute of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from datagen.comparing.world import grammar_of
from datagen.dataset import coco
from datagen.errors import InputError
from datagen.grammar import Symbol
from datagen.learning.gap.marginals import Kind, Observed

PICTURES = 5000  # whose labels are read, evenly spread; more would not be seen in a figure
_FEWEST = 4  # values of an attribute
_WIDEST = 40  # range of whole numbers that are shown one by one
_LENGTHS = {"px": "px", "width": "px", "height": "px", "m": "m", "cm": "m"}  # unit -> base unit


@dataclass
class Values:
    """Values of a quantity as they are read."""

    unit: str
    is_angle: bool = False
    values: list[Any] = field(default_factory=list)
    picture: list[int] = field(default_factory=list)

    def add(self, picture: int, value: Any) -> None:
        self.picture.append(picture)
        self.values.append(value)


@dataclass(frozen=True)
class Labels:
    """Of the pictures whose labels were read."""

    pictures: int
    labelled: int  # of the file, whether their labels were read or not
    things: Mapping[str, np.ndarray]  # category -> int64 [pictures]
    boxes: Mapping[str, Values]  # sizes of visible boxes, percent of the picture's
    attributes: Mapping[str, Values]  # of scenes, where there are any


@dataclass(frozen=True)
class Quantity:
    """One thing that two or more sets of labels tell."""

    name: str
    kind: Kind
    unit: str
    sides: Sequence[Observed]


def labels_of_dataset(folder: Path) -> Labels:
    """Labels of a dataset folder of `datagen generate`, with its scenes."""
    return replace(labels_of_coco(folder / "annotations.json"), attributes=_attributes(folder))


def labels_of_coco(path: Path) -> Labels:
    """Labels of any tool's COCO file; crowds are no things."""
    data = coco.read(path)
    try:
        return _counted(data)
    except (LookupError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"{path}: a label cannot be read ({type(error).__name__}: {error}); "
            f"`datagen verify {path}` says which"
        ) from error


def common(sides: Sequence[Labels]) -> Iterator[Quantity]:
    """What all sides tell: things of each category, of all of them, and attributes.

    Where one side has no scenes, the sizes of boxes stand for the attributes.
    """
    names = [name for name in sides[0].things if all(name in side.things for side in sides)]
    for name in names:
        yield _count(name, [side.things[name] for side in sides])
    if len(names) > 1:
        yield _count("all", [np.sum([side.things[n] for n in names], 0) for side in sides])
    scenes = all(side.attributes for side in sides)
    tables = [side.attributes if scenes else side.boxes for side in sides]
    for name in tables[0]:
        if all(name in table and len(table[name].values) >= _FEWEST for table in tables):
            quantity = _quantity(name, [table[name] for table in tables], sides)
            if quantity is not None:
                yield quantity


def _count(name: str, columns: Sequence[np.ndarray]) -> Quantity:
    sides = [Observed(column, np.arange(len(column)), len(column)) for column in columns]
    return Quantity(f"{name}: how many", "count", "things", sides)


def _quantity(name: str, tables: Sequence[Values], sides: Sequence[Labels]) -> Quantity | None:
    """None for a constant, which is the same everywhere."""
    arrays = [np.array(table.values) for table in tables]
    everything = [value for table in tables for value in table.values]
    if len(set(everything)) < 2:
        return None
    kind: Kind = "number"
    if any(isinstance(value, str) for value in everything):
        kind, arrays = "name", [array.astype(str) for array in arrays]
    elif tables[0].is_angle:
        kind, arrays = "angle", [np.degrees(array.astype(float)) for array in arrays]
    elif all(isinstance(value, int) for value in everything):
        kind = "count" if max(everything) - min(everything) <= _WIDEST else "number"
    observed = [
        Observed(array, np.array(table.picture), side.pictures)
        for array, table, side in zip(arrays, tables, sides, strict=True)
    ]
    return Quantity(name, kind, "" if kind == "name" else tables[0].unit, observed)


# ------------------------------------------------------------------------------------------ COCO


def _counted(data: Mapping[str, Any]) -> Labels:
    names = {int(one["id"]): str(one["name"]) for one in data["categories"]}
    chosen = _spread(len(data["images"]))
    images = [data["images"][k] for k in chosen]
    row = {image["id"]: k for k, image in enumerate(images)}
    things = {name: np.zeros(len(images), np.int64) for name in names.values()}
    boxes: dict[str, Values] = {}
    for one in data["annotations"]:
        k = row.get(one["image_id"])
        if k is None or one.get("iscrowd"):
            continue
        name = names[int(one["category_id"])]
        things[name][k] += 1
        for side, size in (("width", one["bbox"][2]), ("height", one["bbox"][3])):
            values = boxes.setdefault(f"{name}: {side} of its box", Values(f"% of {side}"))
            values.add(k, 100 * float(size) / float(images[k][side]))
    if not images:
        raise ValueError("it holds no images")
    return Labels(len(images), len(data["images"]), things, boxes, {})


def _spread(count: int) -> list[int]:
    """At most PICTURES numbers, evenly over range(count)."""
    wanted = min(count, PICTURES)
    return [k * count // wanted for k in range(wanted)]


# ---------------------------------------------------------------------------------------- scenes


def _attributes(folder: Path) -> dict[str, Values]:
    """Every attribute of every node, by category where the symbol has one.

    Two grammars may give the symbols of one category different names.
    """
    path = folder / "scenes.jsonl"
    symbols = grammar_of(folder).symbols
    found: dict[str, Values] = {}
    try:
        with path.open("rb") as file:
            lines = sum(1 for _ in file)
        rows = {line: row for row, line in enumerate(_spread(lines))}
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if number in rows:
                    for node in _nodes(json.loads(line)["scene"]["root"]):
                        _add(found, rows[number], node, symbols)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: a scene cannot be read ({type(error).__name__}: {error}); "
            f"`datagen verify {folder}` says more"
        ) from error
    return found


def _nodes(root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.get("children", ()))


def _add(
    found: dict[str, Values],
    picture: int,
    node: Mapping[str, Any],
    symbols: Mapping[str, Symbol],
) -> None:
    symbol = symbols[node["symbol"]]
    of = symbol.category or symbol.name
    for name, value in node.get("attributes", {}).items():
        attribute = symbol.attributes[name]
        key = f"{of}: {name}"
        if key not in found:
            found[key] = Values(_LENGTHS.get(attribute.unit, ""), attribute.is_angle)
        found[key].add(picture, value)
