"""A renderer of boxes on a road, one ray a pixel, and a recipe for it; for tests only.

It knows depth, normals, flow, boxes in space and its camera from formulas, so that whatever is
written about a scene in three dimensions can be compared with what is true.
"""

import math
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np

from datagen.frame import Box3D, Frame, Instance, Pinhole, Silhouette
from datagen.interfaces import Component
from datagen.scene import Placed, Scene

WORLD = """
world test_boxes
canvas 96 x 48
start Scene
Scene -> ground near far bush
ground { draw: ground  stuff: "road" }
near {
  draw: box  category: "car"
  x: uniform(-4, -1) m  y: uniform(8, 10) m  yaw: uniform(-20, 20) deg
  across: 1.8 m  along: 4 m  tall: 1.5 m
}
far {
  draw: box  category: "pedestrian"
  x: uniform(-3, 3) m  y: uniform(14, 20) m
  across: 0.6 m  along: 0.6 m  tall: 1.8 m
}
bush {
  draw: box  category: "tree"
  x: uniform(2, 6) m  y: uniform(8, 12) m  z: 0.5 m
  across: 2 m  along: 1 m  tall: 2 m
}
"""
EYE = 1.65  # m above the ground
STEP = 0.5  # m to the right that every box moves until the next instant
PAD = 64  # px around the image in which silhouettes are still seen


def camera(width: int, height: int) -> Pinhole:
    pose = (1, 0, 0, 0, 0, 0, -1, EYE, 0, 1, 0, 0, 0, 0, 0, 1)
    focal, centre = 0.7 * width, ((width - 1) / 2, 0.4 * height)
    return Pinhole(width, height, focal, focal, *centre, pose=tuple(map(float, pose)))


def box_of(placed: Placed) -> Box3D:
    at, values = placed.world, placed.node.attributes
    across, along, tall = (float(values[key]) for key in ("across", "along", "tall"))
    turn = math.remainder(-at.yaw - math.pi / 2, math.tau)
    return Box3D((at.x, EYE - at.z - tall / 2, at.y), (along, across, tall), turn)


def hit(box: Box3D, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth [H, W] (inf: missed) and normal [H, W, 3] where rays (x, y, 1) first meet the box."""
    c, s = math.cos(box.rotation_y), math.sin(box.rotation_y)
    turn = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])  # from the camera's axes to the box's
    origin, ways = turn @ -np.array(box.centre), rays @ turn.T
    half = np.array([box.size[0], box.size[2], box.size[1]]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        first, last = (-half - origin) / ways, (half - origin) / ways
    enter, leave = np.minimum(first, last), np.maximum(first, last)
    near, axis = enter.max(axis=-1), enter.argmax(axis=-1)
    seen = (near < leave.min(axis=-1)) & (near > 0)
    normal = np.zeros_like(rays)
    np.put_along_axis(normal, axis[..., None], 1.0, axis=-1)
    normal *= -np.sign(ways)
    return np.where(seen, near, np.inf), np.where(seen[..., None], normal @ turn, 0.0)


class Renderer(Component):
    """Boxes, a road and nothing else."""

    takes: ClassVar[type[Scene]] = Scene

    @contextmanager
    def open(self, grammar, passes):
        yield lambda scenes, rngs: [render(grammar, scene, passes) for scene in scenes]


def render(grammar, scene: Scene, passes: frozenset[str]) -> Frame:
    seen = camera(*scene.canvas)
    width, height = scene.canvas
    columns = np.arange(-PAD, width + PAD) - seen.cx
    rows = np.arange(-PAD, height + PAD) - seen.cy
    rays = np.ones((len(rows), len(columns), 3))
    rays[..., 0], rays[..., 1] = columns / seen.fx, rows[:, None] / seen.fy
    with np.errstate(divide="ignore"):
        depth = np.where(rays[..., 1] > 0, EYE / rays[..., 1], np.inf)
    normals = np.where(np.isfinite(depth)[..., None], (0.0, -1.0, 0.0), 0.0)
    classes = np.where(np.isfinite(depth), len(grammar.categories) + 1, 0)
    ids, moves = np.zeros(depth.shape, np.int32), np.zeros(depth.shape)
    things = []
    boxes = [(p, box_of(p)) for p in scene.walk() if p.node.asset == "box"]
    for number, (placed, box) in enumerate(boxes, start=1):
        z, normal = hit(box, rays)
        on_top = z < depth
        kind = grammar.categories.index(placed.node.category) + 1
        depth[on_top], normals[on_top] = z[on_top], normal[on_top]
        ids[on_top], classes[on_top], moves[on_top] = number, kind, STEP
        silhouette = Silhouette(-PAD, -PAD, np.isfinite(z))
        things.append(Instance(number, kind, placed.path, silhouette, box))
    inner = slice(PAD, PAD + height), slice(PAD, PAD + width)
    flow = np.zeros((height, width, 2), np.float32)
    flow[..., 0] = seen.fx * moves[inner] / depth[inner]
    flow[~np.isfinite(depth[inner])] = np.nan
    return Frame(
        class_map=classes[inner].astype(np.uint8),
        instance_map=ids[inner],
        depth=depth[inner].astype(np.float32),
        instances=tuple(things),
        categories=grammar.categories,
        stuff=grammar.stuffs,
        camera=seen,
        normals=normals[inner].astype(np.float32) if "normals" in passes else None,
        flow=flow if "flow" in passes else None,
        image=np.repeat((ids[inner] * 60 + classes[inner])[..., None], 3, axis=2).astype(np.uint8),
    )


def write_recipe(folder: Path, passes: Sequence[str] = (), text: str = "count = 4") -> Path:
    """A recipe file for the boxes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "boxes.scene").write_text(WORLD)
    path = folder / "boxes.toml"
    path.write_text(
        f'grammar = "boxes.scene"\npasses = {list(passes)}\n{text}\n'
        '[[renderers]]\nuse = "boxes:Renderer"\n'
    )
    return path
