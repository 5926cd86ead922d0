"""Geometry on the GPU: each goes there once; a frame only says how often and where it stands."""

import ctypes
from dataclasses import dataclass

import numpy as np
from OpenGL import GL as gl

from .._families.geometry import Geometry
from .._families.materials import Material

VERTEX = np.dtype(
    [
        ("position", "<f4", 3),
        ("normal", "i1", 4),
        ("texel", "<f4", 2),
        ("colour", "u1", 3),
        ("material", "u1"),
    ]
)
INSTANCE = np.dtype(
    [
        ("matrix", "<f4", (3, 4)),
        ("first", "u1", 4),
        ("second", "u1", 4),
        ("part", "<u4"),
        ("pad", "<u4"),
    ]
)
COMMAND = np.dtype([(name, "<u4") for name in ("count", "copies", "first", "base", "instance")])

_START_VERTICES = 1 << 16
_START_INDICES = 1 << 18


@dataclass(frozen=True)
class Slot:
    """Where a geometry lies in the buffers, and which pass it belongs to."""

    number: int
    count: int  # indices
    first: int  # index
    base: int  # vertex
    is_contact: bool
    is_sky: bool


class Pool:
    """All geometries in one vertex and one index buffer, in the order that they were first met."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}
        self._held: list[Geometry] = []  # keeps their identities from being given away again
        self.spheres = np.zeros((0, 4), np.float32)  # around each geometry: middle and radius
        self._vertices = _Buffer(_START_VERTICES * VERTEX.itemsize)
        self._indices = _Buffer(_START_INDICES * 4)
        self._instances, self._commands = gl.glGenBuffers(2)
        self._array = gl.glGenVertexArrays(1)

    def slot(self, geometry: Geometry) -> Slot:
        found = self._slots.get(id(geometry))
        return found or self._add(geometry)

    def _add(self, geometry: Geometry) -> Slot:
        vertices = np.zeros(len(geometry.positions), VERTEX)
        vertices["position"] = geometry.positions
        vertices["normal"][:, :3] = np.rint(geometry.normals * 127)
        vertices["texel"] = geometry.uv
        vertices["colour"] = geometry.colours
        vertices["material"] = geometry.materials
        indices = np.ascontiguousarray(geometry.faces.ravel(), np.uint32)
        slot = Slot(
            number=len(self._held),
            count=len(indices),
            first=self._indices.append(indices) // 4,
            base=self._vertices.append(vertices) // VERTEX.itemsize,
            is_contact=geometry.is_contact,
            is_sky=bool((geometry.materials == Material.SKY).all()),
        )
        self.spheres = np.vstack([self.spheres, _sphere(geometry)])
        self._slots[id(geometry)] = slot
        self._held.append(geometry)
        return slot

    def load(self, instances: np.ndarray, extra: np.ndarray | None, width: int) -> None:
        """Make INSTANCE records current, with `extra` float32 [N, width] at attribute 10 and on."""
        gl.glBindVertexArray(self._array)
        self._bind_vertices()
        rows = len(instances)
        data = instances.tobytes() + (b"" if extra is None else extra.tobytes())
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._instances)
        gl.glBufferData(gl.GL_ARRAY_BUFFER, len(data), data, gl.GL_STREAM_DRAW)
        for row in range(3):
            _attribute(4 + row, 4, gl.GL_FLOAT, INSTANCE.itemsize, 16 * row, each=True)
        _attribute(7, 4, gl.GL_UNSIGNED_BYTE, INSTANCE.itemsize, 48, each=True, norm=True)
        _attribute(8, 4, gl.GL_UNSIGNED_BYTE, INSTANCE.itemsize, 52, each=True, norm=True)
        gl.glEnableVertexAttribArray(9)
        gl.glVertexAttribIPointer(9, 1, gl.GL_UNSIGNED_INT, INSTANCE.itemsize, ctypes.c_void_p(56))
        gl.glVertexAttribDivisor(9, 1)
        start = rows * INSTANCE.itemsize
        for k in range(3):
            if 4 * k < width:
                size = min(4, width - 4 * k)
                _attribute(10 + k, size, gl.GL_FLOAT, 4 * width, start + 16 * k, each=True)
            else:
                gl.glDisableVertexAttribArray(10 + k)

    def delete(self) -> None:
        buffers = [self._vertices.id, self._indices.id, self._instances, self._commands]
        gl.glDeleteBuffers(len(buffers), buffers)
        gl.glDeleteVertexArrays(1, [self._array])

    def _bind_vertices(self) -> None:
        gl.glBindBuffer(gl.GL_ELEMENT_ARRAY_BUFFER, self._indices.id)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._vertices.id)
        size = VERTEX.itemsize
        _attribute(0, 3, gl.GL_FLOAT, size, 0)
        _attribute(1, 4, gl.GL_BYTE, size, 12, norm=True)
        _attribute(2, 2, gl.GL_FLOAT, size, 16)
        _attribute(3, 4, gl.GL_UNSIGNED_BYTE, size, 24, norm=True)

    def draw(self, commands: np.ndarray) -> None:
        """COMMAND records over the instances that were loaded last."""
        if not len(commands):
            return
        gl.glBindBuffer(gl.GL_DRAW_INDIRECT_BUFFER, self._commands)
        gl.glBufferData(
            gl.GL_DRAW_INDIRECT_BUFFER, commands.nbytes, commands.tobytes(), gl.GL_STREAM_DRAW
        )
        gl.glMultiDrawElementsIndirect(
            gl.GL_TRIANGLES, gl.GL_UNSIGNED_INT, ctypes.c_void_p(0), len(commands), COMMAND.itemsize
        )


def _sphere(geometry: Geometry) -> np.ndarray:
    """float32 [4]; a little larger than its corners need, because matrices are rounded."""
    middle = geometry.bounds.mean(axis=0)
    radius = np.linalg.norm(geometry.positions - middle, axis=1).max()
    return np.array([*middle, 1.001 * radius], np.float32)


class _Buffer:
    """A GPU buffer that grows; what lies in it stays."""

    def __init__(self, size: int) -> None:
        self._size, self._used = size, 0
        self.id = _reserved(size)

    def append(self, array: np.ndarray) -> int:
        """The array's first byte in the buffer."""
        start, data = self._used, array.tobytes()
        self._used += len(data)
        if self._used > self._size:
            self._grow(start)
        gl.glBindBuffer(gl.GL_COPY_WRITE_BUFFER, self.id)
        gl.glBufferSubData(gl.GL_COPY_WRITE_BUFFER, start, len(data), data)
        return start

    def _grow(self, kept: int) -> None:
        self._size = max(2 * self._size, self._used)
        old, self.id = self.id, _reserved(self._size)
        gl.glBindBuffer(gl.GL_COPY_READ_BUFFER, old)
        gl.glBindBuffer(gl.GL_COPY_WRITE_BUFFER, self.id)
        gl.glCopyBufferSubData(gl.GL_COPY_READ_BUFFER, gl.GL_COPY_WRITE_BUFFER, 0, 0, kept)
        gl.glDeleteBuffers(1, [old])


def _reserved(size: int) -> int:
    made = gl.glGenBuffers(1)
    gl.glBindBuffer(gl.GL_COPY_WRITE_BUFFER, made)
    gl.glBufferData(gl.GL_COPY_WRITE_BUFFER, size, None, gl.GL_STATIC_DRAW)
    return made


def _attribute(
    place: int,
    size: int,
    kind: int,
    stride: int,
    offset: int,
    *,
    each: bool = False,
    norm: bool = False,
) -> None:
    """A vertex attribute; with `each`, one value for an instance."""
    gl.glEnableVertexAttribArray(place)
    gl.glVertexAttribPointer(place, size, kind, bool(norm), stride, ctypes.c_void_p(offset))
    gl.glVertexAttribDivisor(place, 1 if each else 0)
