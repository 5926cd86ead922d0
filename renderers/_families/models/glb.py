"""The head of a GLB file: what it holds and names, read without trusting it."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from datagen.errors import InputError

from .limits import DEEPEST, MOST_BYTES, MOST_FACES, MOST_NODES, MOST_VERTICES
from .places import inside

_JSON = 0x4E4F534A
# Extensions without which a file still has its shape and colours.
_HARMLESS = ("KHR_materials_", "KHR_texture_transform", "KHR_lights_punctual")

Item = Mapping[str, Any]


def check(path: Path) -> tuple[str, ...]:
    """InputError for what must not be loaded; else what will look different from the file."""
    head = _head(path)
    try:
        _check_extensions(path, head)
        _check_names(path, head)
        _check_counts(path, head)
        moved = any(
            set(_texture_transform(material)) & {"offset", "scale", "rotation"}
            for material in _items(head, "materials")
        )
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        raise InputError(f"{path}: not as glTF describes it ({error}); export it again") from error
    return ("moved textures (KHR_texture_transform) stay where they are",) if moved else ()


def _head(path: Path) -> Item:
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(20)
        if len(start) < 20 or start[:4] != b"glTF":
            raise InputError(f"{path}: not a GLB file; export it as binary glTF 2.0")
        version, total, length, kind = struct.unpack("<4I", start[4:])
        if version != 2:
            raise InputError(f"{path}: glTF version {version}; export it as binary glTF 2.0")
        if kind != _JSON or total > size or 20 + length > total:
            raise InputError(
                f"{path}: its header promises {max(total, 20 + length)} bytes, but the file has "
                f"{size}; it is cut short or its header lies; export it again"
            )
        text = stream.read(length)
        _check_chunks(path, stream.read(8), total - 20 - length)
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: its JSON cannot be read ({error}); export it again") from error
    if not isinstance(head, dict):
        raise InputError(f"{path}: its JSON is no object; export it again")
    return head


def _check_chunks(path: Path, start: bytes, room: int) -> None:
    """The binary chunk, if there is one, must fit into what is left of the file."""
    if room >= 8 and struct.unpack("<I", start[:4])[0] > room - 8:
        raise InputError(
            f"{path}: its binary chunk promises more bytes than the {room - 8} that are there; "
            "it is cut short or its header lies; export it again"
        )


def _items(head: Item, key: str) -> list[Item]:
    items = head.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise TypeError(f"`{key}` is no list of objects")
    return items


def _check_extensions(path: Path, head: Item) -> None:
    for name in head.get("extensionsRequired", []):
        if not str(name).startswith(_HARMLESS):
            raise InputError(
                f"{path}: needs the glTF extension {name}, which is not supported; "
                "export it without compression"
            )


def _check_names(path: Path, head: Item) -> None:
    """Buffers and images are in the file, or lie beside it."""
    for key in ("buffers", "images"):
        for k, item in enumerate(_items(head, key)):
            name = item.get("uri")
            if name is not None and not str(name).startswith("data:"):
                _check_name(path, f"{key}[{k}]", str(name))


def _check_name(path: Path, where: str, name: str) -> None:
    files = [inside(path.parent, form) for form in (name, unquote(name))]
    if None in files:
        raise InputError(
            f"{path}: {where} names `{name[:200]}`; only files in the model's own folder are read; "
            "put it there, or export the model with everything in one .glb"
        )
    there = [file for file in files if file is not None and file.is_file()]
    if not there:
        raise InputError(
            f"{path}: {where} names `{name[:200]}`, which is not there; put it into "
            f"{path.parent}, or export the model with everything in one .glb"
        )
    if there[0].stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: `{name}` has more than {MOST_BYTES // 2**20} MB")


def _check_counts(path: Path, head: Item) -> None:
    """Caps on what loading would allocate, with each mesh as often as nodes show it."""
    nodes = _items(head, "nodes")
    if len(nodes) > MOST_NODES:
        raise InputError(f"{path}: {len(nodes)} nodes; the most are {MOST_NODES}; join its parts")
    _check_tree(path, nodes)
    counts = [_whole(accessor["count"]) for accessor in _items(head, "accessors")]
    sizes = [_mesh_size(mesh, counts) for mesh in _items(head, "meshes")]
    shown = [sizes[_whole(node["mesh"])] for node in nodes if "mesh" in node]
    vertices = sum(size[0] for size in shown)
    faces = sum(size[1] for size in shown)
    if vertices > MOST_VERTICES or max(faces, max(counts, default=0) // 3) > MOST_FACES:
        raise InputError(
            f"{path}: {vertices} vertices and {faces} faces; the most are {MOST_VERTICES} and "
            f"{MOST_FACES}; export it with fewer triangles"
        )


def _mesh_size(mesh: Item, counts: list[int]) -> tuple[int, int]:
    vertices = faces = 0
    for part in _items(mesh, "primitives"):
        corners = counts[_whole(part["attributes"]["POSITION"])]
        vertices += corners
        faces += (counts[_whole(part["indices"])] if "indices" in part else corners) // 3
    return vertices, faces


def _check_tree(path: Path, nodes: list[Item]) -> None:
    """Every node has at most one parent, none is its own ancestor, and none lies too deep."""
    children = [[_whole(child) for child in node.get("children", [])] for node in nodes]
    below = [child for some in children for child in some]
    if len(set(below)) != len(below) or any(child >= len(nodes) for child in below):
        raise InputError(f"{path}: its nodes are no tree; export it again")
    level, seen, depth = sorted(set(range(len(nodes))) - set(below)), 0, 0
    while level:
        depth += 1
        seen += len(level)
        level = [child for node in level for child in children[node]]
    if seen < len(nodes):
        raise InputError(f"{path}: its nodes run in a circle; export it again")
    if depth > DEEPEST:
        raise InputError(f"{path}: nodes {depth} deep; the most are {DEEPEST}; join its parts")


def _whole(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"`{str(value)[:40]}` is no index or count")
    return value


def _texture_transform(material: Item) -> Item:
    texture = material.get("pbrMetallicRoughness", {}).get("baseColorTexture", {})
    return texture.get("extensions", {}).get("KHR_texture_transform", {})
