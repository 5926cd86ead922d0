"""Pictures of two balls on a table, and recipes that learn from them; for tests only."""

from pathlib import Path
from textwrap import dedent

import numpy as np
from PIL import Image

from datagen.rng import Stream, rng_for

SIDE, RADIUS = 32, 4  # px
TABLE, RED, BLUE = (60, 60, 64), (220, 50, 40), (40, 70, 220)
WORLD = """
world table
canvas 32 x 32
start Scene
Scene -> box ball ball
box { category: "box"  draw: rect  x: 16 px  y: 16 px  width: 20 px  height: 20 px }
ball {
  category: "ball"  draw: ellipse  width: 8 px  height: 8 px  colour: red
  x: uniform(4, 28) px  y: uniform(4, 28) px
}
"""
HEAD = """
grammar = "table.scene"
count = 5
shard_size = 2
renderers = []
"""
RELATE = """
[generator]
use = "relate"
gate = 0.0

[learn.relate]
category = "ball"
steps = 9
attempts = 1
batch = 4
channels = 16
judge_width = 4
checkpoint_every = 4
"""
GNM = """
[generator]
use = "gnm"
threshold = 0.05

[learn]
seed = 1

[learn.gnm]
category = "ball"
steps = 9
batch = 4
checkpoint_every = 4
cell = 8
width = 4
what = 4
glimpse = 8
drawing = 2
latent = 4
hidden = 16
learning_rate = 1e-4
precision = "float32"
"""


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """uint8 [N, 32, 32, 3]: the balls never overlap, and the light flickers."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    made = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    for k in range(count):
        rng = rng_for(seed, k, Stream.SCENE)
        while True:
            places = rng.uniform(RADIUS, SIDE - RADIUS, (2, 2))
            if np.linalg.norm(places[0] - places[1]) > 2 * RADIUS:
                break
        image = np.full((SIDE, SIDE, 3), TABLE, float)
        for (x, y), colour in zip(places, (RED, BLUE), strict=True):
            image[(columns - x) ** 2 + (rows - y) ** 2 <= RADIUS**2] = colour
        made[k] = (image * rng.uniform(0.9, 1.1)).clip(0, 255)
    return made


def write_photos(folder: Path, count: int = 24, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k, image in enumerate(pictures(count, seed)):
        Image.fromarray(image).save(folder / f"{k:04d}.png")
    return folder


def write_learner(folder: Path, parts: str, world: str = WORLD) -> Path:
    """A recipe of the table with these parts; gives its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.scene").write_text(dedent(world))
    path = folder / "table.toml"
    path.write_text(HEAD + parts)
    return path
