"""Reads model files in a process of its own, with little memory and time: see loading.py.

stdin: JSON, a list of [path, textured]. stdout: for each file in turn the length of an .npz, 8
bytes, and the .npz. A file that breaks the parser ends the process.
"""

import io
import json
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import trimesh
from trimesh.resolvers import FilePathResolver

from . import surface
from .limits import CPU_SECONDS, MEMORY, MOST_FACES, MOST_TRIANGLES, MOST_VERTICES
from .refusing import Refusal
from .triangles import Triangles, joined, thinned

# glTF: y up, front at +z, so its right is -x. The other formats are read alike. Ours: right, front,
# up.
_TO_OURS = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])

_FEW = 0.05  # share of faces without area that is no news: most exporters leave some


@dataclass(frozen=True)
class _Reading:
    triangles: Triangles
    extents: np.ndarray  # float64 [3]: in the file's unit, along our axes
    warnings: tuple[str, ...]


def main() -> None:
    files = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (2**20, 2**20)
    )  # it has nothing to write but to pipes
    PIL.Image.MAX_IMAGE_PIXELS = None  # surface.py judges sizes, and says so
    for path, textured in files:
        _allow_time()
        packed = _packed(Path(path), textured)
        sys.stdout.buffer.write(len(packed).to_bytes(8, "little") + packed)
        sys.stdout.buffer.flush()


def _allow_time() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, hard))


def _packed(path: Path, textured: bool) -> bytes:
    try:
        reading = _read(path, textured)
    except Refusal as refusal:
        return _npz(refused=np.array(str(refusal)))
    return _npz(
        positions=reading.triangles.positions.astype(np.float32),
        normals=reading.triangles.normals.astype(np.float32),
        colours=reading.triangles.colours,
        extents=reading.extents,
        warnings=np.array(reading.warnings, np.str_),
    )


def _npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _read(path: Path, textured: bool) -> _Reading:
    parts, warnings = _parts(path, textured)
    model = joined(parts)
    low, high = model.positions.min(axis=(0, 1)), model.positions.max(axis=(0, 1))
    whole = model.proper(float((high - low).max()))
    dropped = len(model.positions) - len(whole.positions)
    if not len(whole.positions):
        raise Refusal("all its faces are points or lines; export it again")
    if dropped > _FEW * len(model.positions):
        warnings.append(f"{dropped} faces that are points or lines are left out")
    model = thinned(whole, MOST_TRIANGLES)
    if len(model.positions) < len(whole.positions):
        warnings.append(f"{len(whole.positions)} triangles made {len(model.positions)}")
    low, high = model.positions.min(axis=(0, 1)), model.positions.max(axis=(0, 1))
    foot = np.array([*(low + high)[:2] / 2, low[2]])
    return _Reading(model.stretched(foot, high - low), high - low, tuple(dict.fromkeys(warnings)))


def _parts(path: Path, textured: bool) -> tuple[list[Triangles], list[str]]:
    """What the nodes of the file show, where they show it, in our axes."""
    kind = path.suffix.lower().removeprefix(".")
    how: dict[str, Any] = {} if textured or kind == "stl" else {"skip_materials": True}
    resolver = FilePathResolver(str(path))
    with path.open("rb") as stream:
        scene = trimesh.load_scene(stream, file_type=kind, resolver=resolver, process=False, **how)
    placed = [scene.graph[node] for node in scene.graph.nodes_geometry]
    shown = [(matrix, scene.geometry[name]) for matrix, name in placed]
    meshes = [(matrix, mesh) for matrix, mesh in shown if isinstance(mesh, trimesh.Trimesh)]
    _check(meshes)
    warnings: list[str] = []
    parts = []
    for matrix, mesh in meshes:
        colours, notes = surface.corner_colours(mesh, linear=kind == "glb")
        warnings += notes
        parts.append(_part(_TO_OURS @ matrix[:3], mesh, colours))
    return parts, warnings


def _part(matrix: np.ndarray, mesh: trimesh.Trimesh, colours: np.ndarray) -> Triangles:
    faces = np.asarray(mesh.faces)
    part = Triangles(np.asarray(mesh.vertices)[faces], surface.corner_normals(mesh), colours)
    return part.moved(matrix)


def _check(meshes: list[tuple[np.ndarray, trimesh.Trimesh]]) -> None:
    """What the head of a file could not show, before anything is made of it."""
    faces = sum(len(mesh.faces) for _, mesh in meshes)
    vertices = sum(len(mesh.vertices) for _, mesh in meshes)
    if not faces:
        raise Refusal("it has no faces; export it as a mesh of triangles")
    if faces > MOST_FACES or vertices > MOST_VERTICES + 3 * MOST_FACES:
        raise Refusal(f"{faces} faces; the most are {MOST_FACES}; export it with fewer triangles")
    for matrix, mesh in meshes:
        if not np.isfinite(mesh.vertices).all() or not np.isfinite(matrix).all():
            raise Refusal("some of its vertices are not finite (NaN or inf); export it again")
        if np.abs(mesh.vertices).max(initial=0) > 1e9 or np.abs(matrix).max() > 1e9:
            raise Refusal("some of its vertices lie beyond 10^9 units; export it again")
        if len(mesh.faces) and not 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices):
            raise Refusal("some of its faces name vertices that are not there; export it again")


if __name__ == "__main__":
    main()
