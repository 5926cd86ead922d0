"""Frames a second of the mesh renderer beside pyrender used plainly, and a bare OpenGL program.

Run: python -m pytest -q -s tests/benchmarks/bench_mesh.py

The same scenes for all: 30 vehicles on a plane, a new scene for every frame; image, ids and depth
of each are read back. Every contender runs in a process of its own, in turns.
"""

import ctypes
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from datagen.language import parse
from datagen.rng import Stream, rng_for
from datagen.scene import Scene, SceneNode, Transform

SIZES = ((640, 192), (1242, 375))
VEHICLES = 30
SECONDS = 3.0
ROUNDS = 3
KINDS = ("hatchback", "saloon", "estate")

WORLD = """
world bench
canvas 640 x 192
start Scene
Scene -> land car * 30
land { draw: land  surface: asphalt }
car { category: "car"  draw: vehicle  kind: choice(hatchback 1, saloon 1, estate 1) }
"""

OURS = {
    "ours, flat-lit": {"textures": False, "shadows": 0, "supersample": 1},
    "ours, shadows": {"textures": False, "shadows": 1024, "supersample": 1},
    "ours, textures": {"textures": True, "shadows": 0, "supersample": 1},
    "ours, both": {"textures": True, "shadows": 1024, "supersample": 1},
    "ours, both, smooth edges": {"textures": True, "shadows": 1024, "supersample": 2},
}
LABELLED = "ours, flat-lit, with silhouettes"
CONTENDERS = ("pyrender, plain", "bare OpenGL", *OURS, LABELLED)


@pytest.mark.parametrize("size", SIZES)
def test_print_frames_a_second(size: tuple[int, int]) -> None:
    rates = in_turns(size, ROUNDS)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    say(f"\n{size[0]} x {size[1]}, {VEHICLES} vehicles: frames/s, x plain pyrender, x bare OpenGL")
    plain, bare = middle["pyrender, plain"], middle["bare OpenGL"]
    for name, found in rates.items():
        spread = f"({min(found):.0f} to {max(found):.0f})"
        ratios = f"{middle[name] / plain:5.2f} {middle[name] / bare:5.2f}"
        say(f"  {name:34s} {middle[name]:5.0f} {spread:14s} {ratios}")
    assert middle["ours, flat-lit"] > middle["pyrender, plain"]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def in_turns(size: tuple[int, int], rounds: int) -> dict[str, list[float]]:
    """Frames a second of each contender, one reading a round."""
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            rates[name].append(in_its_own_process(name, size))
    return rates


def in_its_own_process(name: str, size: tuple[int, int]) -> float:
    command = [sys.executable, __file__, json.dumps([name, *size])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def scenes() -> list[Scene]:
    """Scenes of vehicles at random on a plane; the first node is the plane."""
    return [_scene(k) for k in range(64)]


def _scene(index: int) -> Scene:
    rng = rng_for(0, index, Stream.SCENE)
    land = SceneNode("land", attributes={"surface": "asphalt"}, asset="land")
    cars = [_car(rng) for _ in range(VEHICLES)]
    return Scene(SceneNode("Scene", children=(land, *cars)), (640, 192), "", ())


def _car(rng: np.random.Generator) -> SceneNode:
    at = Transform(rng.uniform(-9, 9), rng.uniform(4, 60), 0.0, rng.uniform(-math.pi, math.pi))
    colour = "#" + "".join(f"{v:02x}" for v in rng.integers(20, 230, 3).tolist())
    values = {"kind": KINDS[int(rng.integers(len(KINDS)))], "colour": colour}
    return SceneNode("car", "car", at, values, "vehicle")


# ------------------------------------------------------------------------------------ contenders


def rate(frame: Callable[[Scene], object]) -> float:
    """Frames a second, after a few to warm up."""
    made = scenes()
    for scene in made[:8]:
        frame(scene)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        frame(made[done % len(made)])
        done += 1
    return done / (time.perf_counter() - began)


@contextmanager
def ours(size: tuple[int, int], options: dict[str, object]) -> Iterator[Callable[[Scene], object]]:
    """Image, ids and depth, from a scene's nodes on."""
    from renderers._camera import Camera, View
    from renderers._families.table import families_of
    from renderers._gl import context
    from renderers._stage import Cast, staged

    grammar = parse(WORLD)
    cast = Cast.of(grammar, families_of(grammar))
    with context.opened():
        from renderers._gl.rasterizer import Look, Rasterizer
        from renderers._gl.view import FineView

        rasterizer = Rasterizer(Look(bool(options["textures"]), int(options["shadows"])))
        view = FineView(View.of(Camera(), *size), int(options["supersample"]))
        yield lambda scene: rasterizer.draw(staged(scene, cast), view, None, normals=False)


@contextmanager
def labelled(size: tuple[int, int]) -> Iterator[Callable[[Scene], object]]:
    """Whole frames as the product makes them, silhouettes and boxes as well."""
    from renderers.mesh import Renderer

    renderer = Renderer.model_validate(OURS["ours, flat-lit"])
    rng = rng_for(0, 0, Stream.RENDER)
    with renderer.open(parse(WORLD), frozenset(("labels",))) as render:
        yield lambda scene: render([replace(scene, canvas=size)], [rng])


def placed_pieces(scene: Scene) -> list[tuple[object, np.ndarray, tuple[int, int, int]]]:
    """Geometry, matrix [4, 4] and colour of all that is drawn, from our own families."""
    from renderers._families.ground import Land
    from renderers._families.vehicles import Vehicle
    from renderers._stage import world

    vehicle, land = Vehicle(), Land()
    placed = []
    for node in scene.walk():
        if node.node.asset is None:
            continue
        family = land if node.node.asset == "land" else vehicle
        away = math.hypot(node.world.x, node.world.y)
        for piece in family.pieces(node.node.attributes, away):
            if not piece.geometry.is_contact:
                matrix = np.eye(4)
                outer = world(node.world)
                matrix[:3] = outer[:, :3] @ piece.matrix
                matrix[:3, 3] += outer[:, 3]
                placed.append((piece.geometry, matrix, piece.first))
    return placed


@contextmanager
def plain_pyrender(size: tuple[int, int]) -> Iterator[Callable[[Scene], object]]:
    """A colour pass and a SEG pass; scene and meshes, one a vehicle, are made anew each frame."""
    import os

    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    import pyrender
    import trimesh

    from renderers._camera import Camera, View
    from renderers._families.geometry import join, moved

    view = View.of(Camera(), *size)
    renderer = pyrender.OffscreenRenderer(*size)
    camera = pyrender.IntrinsicsCamera(
        view.focal, view.focal, view.width / 2, view.horizon, znear=0.5, zfar=1000
    )
    # pyrender looks along -z with y up.
    pose = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, view.eye], [0, 0, 0, 1]], float)

    def frame(scene: Scene) -> object:
        stage = pyrender.Scene(ambient_light=(0.5, 0.5, 0.5))
        stage.add(camera, pose=pose)
        stage.add(pyrender.DirectionalLight(intensity=3.0), pose=pose)
        ids = {}
        for number, node in enumerate(scene.root.children, 1):
            pieces = placed_pieces(replace(scene, root=replace(scene.root, children=(node,))))
            shape = join([moved(geometry, matrix[:3]) for geometry, matrix, _ in pieces])
            tint = np.array(pieces[0][2]) / 255
            mesh = trimesh.Trimesh(
                shape.positions,
                shape.faces,
                vertex_normals=shape.normals,
                vertex_colors=(shape.colours * tint).astype(np.uint8),
                process=False,
            )
            ids[stage.add(pyrender.Mesh.from_trimesh(mesh))] = (number, 0, 0)
        colour, depth = renderer.render(stage)
        coded, _ = renderer.render(stage, pyrender.RenderFlags.SEG, ids)
        return colour, coded[..., 0], depth

    yield frame


@contextmanager
def bare_opengl(size: tuple[int, int]) -> Iterator[Callable[[Scene], object]]:
    """One instanced draw call for each geometry, colour and ids at once, and nothing else.

    What a scene holds is worked out beforehand: only matrices and colours go to the GPU.
    """
    from renderers._camera import Camera, View
    from renderers._gl import context

    ready = {id(scene): placed_pieces(scene) for scene in scenes()}
    view = View.of(Camera(), *size)
    with context.opened():
        yield _BareProgram(view, ready).frame


VERTEX = """#version 430 core
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec3 colour;
layout(location = 3) in mat4 place;
layout(location = 7) in vec4 tint;
uniform mat4 projection;
out vec3 shade;
flat out uint owner;
void main() {
    gl_Position = projection * (place * vec4(position, 1.0));
    vec3 n = normalize(mat3(place) * normal);
    shade = colour * tint.rgb * (0.5 + 0.5 * max(dot(n, vec3(0.4, 0.3, 0.85)), 0.0));
    owner = uint(tint.a);
}
"""
FRAGMENT = """#version 430 core
in vec3 shade;
flat in uint owner;
layout(location = 0) out vec4 pixel;
layout(location = 1) out uint thing;
void main() {
    pixel = vec4(shade, 1.0);
    thing = owner;
}
"""


class _BareProgram:
    def __init__(self, view: object, ready: dict[int, list]) -> None:
        from OpenGL import GL as gl

        from renderers._gl.program import Program
        from renderers._gl.targets import COLOUR, OWNER, Target
        from renderers._gl.view import FineView

        self.gl = gl
        self.view = FineView(view, 1)
        self.program = Program(VERTEX, FRAGMENT)
        self.target = Target(view.width, view.height, [COLOUR, OWNER])
        self.arrays: dict[int, tuple[int, int, int]] = {}
        self.scenes = [self.grouped(pieces) for pieces in ready.values()]
        self.turn = 0

    def grouped(self, pieces: list) -> dict[int, np.ndarray]:
        """Geometry -> what is uploaded of each of its copies: matrix, colour, id."""
        groups: dict[int, list[np.ndarray]] = {}
        nearest_first = sorted(pieces, key=lambda piece: float(piece[1][1, 3]))
        for number, (geometry, matrix, colour) in enumerate(nearest_first, 1):
            if id(geometry) not in self.arrays:
                self.arrays[id(geometry)] = self.upload(geometry)
            row = np.concatenate([matrix.T.ravel(), np.array(colour) / 255, [number]])
            groups.setdefault(id(geometry), []).append(row)
        return {key: np.array(rows, np.float32) for key, rows in groups.items()}

    def upload(self, geometry: object) -> tuple[int, int, int]:
        gl = self.gl
        array, instances = gl.glGenVertexArrays(1), gl.glGenBuffers(1)
        gl.glBindVertexArray(array)
        colours = geometry.colours.astype(np.float32) / 255
        data = np.concatenate([geometry.positions, geometry.normals, colours], 1).astype(np.float32)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, gl.glGenBuffers(1))
        gl.glBufferData(gl.GL_ARRAY_BUFFER, data.nbytes, data, gl.GL_STATIC_DRAW)
        for k in range(3):
            gl.glEnableVertexAttribArray(k)
            gl.glVertexAttribPointer(k, 3, gl.GL_FLOAT, False, 36, ctypes.c_void_p(12 * k))
        gl.glBindBuffer(gl.GL_ELEMENT_ARRAY_BUFFER, gl.glGenBuffers(1))
        faces = geometry.faces.astype(np.uint32)
        gl.glBufferData(gl.GL_ELEMENT_ARRAY_BUFFER, faces.nbytes, faces, gl.GL_STATIC_DRAW)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, instances)
        for k in range(5):
            gl.glEnableVertexAttribArray(3 + k)
            gl.glVertexAttribPointer(3 + k, 4, gl.GL_FLOAT, False, 80, ctypes.c_void_p(16 * k))
            gl.glVertexAttribDivisor(3 + k, 1)
        return array, instances, faces.size

    def frame(self, scene: Scene) -> object:
        gl = self.gl
        groups = self.scenes[self.turn]
        self.turn = (self.turn + 1) % len(self.scenes)
        self.target.bind()
        gl.glEnable(gl.GL_DEPTH_TEST)
        gl.glClearBufferfv(gl.GL_COLOR, 0, np.zeros(4, np.float32))
        gl.glClearBufferuiv(gl.GL_COLOR, 1, np.zeros(4, np.uint32))
        gl.glClear(gl.GL_DEPTH_BUFFER_BIT)
        self.program.use()
        self.program.set({"projection": self.view.projection})
        for key, data in groups.items():
            array, instances, count = self.arrays[key]
            gl.glBindVertexArray(array)
            gl.glBindBuffer(gl.GL_ARRAY_BUFFER, instances)
            gl.glBufferData(gl.GL_ARRAY_BUFFER, data.nbytes, data, gl.GL_STREAM_DRAW)
            gl.glDrawElementsInstanced(
                gl.GL_TRIANGLES, count, gl.GL_UNSIGNED_INT, ctypes.c_void_p(0), len(data)
            )
        return self.target.read(0), self.target.read(1), self.target.read_depth()


def main(name: str, width: int, height: int) -> None:
    size = (width, height)
    opened = {
        "pyrender, plain": lambda: plain_pyrender(size),
        "bare OpenGL": lambda: bare_opengl(size),
        LABELLED: lambda: labelled(size),
    }.get(name) or (lambda: ours(size, OURS[name]))
    with opened() as frame:
        say(f"{rate(frame)}")


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
