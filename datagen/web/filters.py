"""Which images of a dataset are wanted, by their things and by the factors of their scenes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.dataset.store import Shard
from datagen.web.rows import Row, counts

_SYMBOL = "symbol"  # the key of the factor that is what a scene has nodes of


@dataclass(frozen=True)
class Wanted:
    """What an image must have; None: anything will do."""

    category: str | None = None  # of a thing
    least_visible: float | None = None  # fraction of itself that this thing shows
    factor: tuple[str, str] | None = None  # of the scene: its key, and the value as text

    def may_be_in(self, folder: Path, shard: Shard) -> bool:
        """Whether the shard's own counts leave it open that it has such an image."""
        return self.category is None or bool(counts(folder, shard).get(self.category))

    def may_be(self, row: Row) -> bool:
        """The same of an image, by a search in its text, which is much faster than to parse it."""
        return _holds(row.record_line, self.category) and _holds(
            row.scene_line, self.factor and self.factor[1]
        )

    def is_met_by(self, row: Row) -> bool:
        """Errors as for whatever is read of a damaged row."""
        return self._has_thing(row.record["annotations"]) and (
            self.factor is None
            or any((key, str(value)) == self.factor for key, value in _factors(row.scene))
        )

    def _has_thing(self, things: list[Mapping[str, Any]]) -> bool:
        if self.category is None and self.least_visible is None:
            return True
        return any(
            self.category in (None, thing["category"])
            and thing["visible_fraction"] >= (self.least_visible or 0.0)
            for thing in things
        )


def words(scene: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """SYMBOL.ATTRIBUTE -> the words that it is in the scene; numbers are measures of things."""
    found: dict[str, set[str]] = {}
    for key, value in _factors(scene):
        if isinstance(value, str) and key != _SYMBOL:
            found.setdefault(key, set()).add(value)
    return {key: sorted(values) for key, values in sorted(found.items())}


def _factors(scene: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """Of each node its symbol, and each attribute as SYMBOL.ATTRIBUTE with its value."""
    nodes = [] if scene is None else [scene["root"]]
    while nodes:
        node = nodes.pop()
        yield _SYMBOL, node["symbol"]
        for key, value in node.get("attributes", {}).items():
            yield f"{node['symbol']}.{key}", value
        nodes += node.get("children", ())


def _holds(line: bytes, text: str | None) -> bool:
    return text is None or json.dumps(text)[1:-1].encode() in line
