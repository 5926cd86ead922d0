"""A scene: a tree of concrete values, complete enough to be rendered again years later."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from datagen.distributions import Value


@dataclass(frozen=True)
class Transform:
    """A node's frame in its parent's frame.

    2D: x right, y down, pixels, origin of the canvas at its top left corner; z is the draw order
    (higher is nearer). yaw in radians, from x towards y. scale has no unit.
    """

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    scale: float = 1.0

    def __matmul__(self, inner: "Transform") -> "Transform":
        """The frame `inner`, given in this frame, in the frame that this one is given in."""
        c, s = self.scale * math.cos(self.yaw), self.scale * math.sin(self.yaw)
        return Transform(
            self.x + c * inner.x - s * inner.y,
            self.y + s * inner.x + c * inner.y,
            self.z + inner.z,
            self.yaw + inner.yaw,
            self.scale * inner.scale,
        )


@dataclass(frozen=True)
class SceneNode:
    """One thing or group. Attributes hold concrete values in base units (px or m, radians).

    `asset` says how it is drawn: a painter's name, or "pack:label" for a sprite; None: not drawn.
    """

    symbol: str
    category: str | None = None
    transform: Transform = Transform()
    attributes: Mapping[str, Value] = field(default_factory=dict)
    asset: str | None = None
    children: tuple["SceneNode", ...] = ()


@dataclass(frozen=True)
class Placed:
    """A node with its path ("0.2.1": child numbers from the root) and its frame on the canvas."""

    path: str
    node: SceneNode
    world: Transform


@dataclass(frozen=True)
class Scene:
    """Concrete values only. `canvas` is (width, height) in pixels."""

    root: SceneNode
    canvas: tuple[int, int]
    grammar: str  # digest
    derivation: tuple[int, ...]

    def walk(self) -> Iterator[Placed]:
        """Every node, parents before children, children in order."""
        stack = [Placed("", self.root, self.root.transform)]
        while stack:
            placed = stack.pop()
            yield placed
            prefix = placed.path + "." if placed.path else ""
            for k in range(len(placed.node.children) - 1, -1, -1):
                child = placed.node.children[k]
                stack.append(Placed(f"{prefix}{k}", child, placed.world @ child.transform))

    def to_json(self) -> dict[str, Any]:
        return {
            "canvas": list(self.canvas),
            "grammar": self.grammar,
            "derivation": list(self.derivation),
            "root": _node_to_json(self.root),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            root=_node_from_json(data["root"]),
            canvas=(int(data["canvas"][0]), int(data["canvas"][1])),
            grammar=data["grammar"],
            derivation=tuple(data["derivation"]),
        )


def _node_to_json(node: SceneNode) -> dict[str, Any]:
    t = node.transform
    data: dict[str, Any] = {"symbol": node.symbol, "transform": [t.x, t.y, t.z, t.yaw, t.scale]}
    if node.category is not None:
        data["category"] = node.category
    if node.asset is not None:
        data["asset"] = node.asset
    if node.attributes:
        data["attributes"] = dict(node.attributes)
    if node.children:
        data["children"] = [_node_to_json(child) for child in node.children]
    return data


def _node_from_json(data: Mapping[str, Any]) -> SceneNode:
    return SceneNode(
        symbol=data["symbol"],
        category=data.get("category"),
        transform=Transform(*data["transform"]),
        attributes=data.get("attributes", {}),
        asset=data.get("asset"),
        children=tuple(_node_from_json(child) for child in data.get("children", ())),
    )
