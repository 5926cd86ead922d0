"""A made-up folder of label maps with photos, and recipes that learn from it; for tests only."""

from pathlib import Path
from textwrap import dedent

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import squeezenet1_0

from datagen.rng import Stream, rng_for

WORLD = """
world yard
canvas 32 x 24
start Scene
Scene -> sky ground crate * uniform_int(1, 2) post
sky    { stuff: "sky"  draw: ground  shade: "#88aacc" }
ground {
  stuff: "ground"  draw: rect  colour: "#665544"
  x: 16 px  y: 18 px  width: 32 px  height: 12 px
}
crate {
  category: "crate"  draw: rect  colour: red
  x: uniform(5, 27) px  y: 14 px  width: 8 px  height: 8 px
}
post {
  category: "post"  draw: rect  colour: white
  x: uniform(5, 27) px  y: 10 px  width: 2 px  height: 14 px
}
"""
TINY = """
count = 5
shard_size = 2

[learn]
checkpoint_every = 4

[learn.layout]
steps = 9
batch = 4
width = 4
latent = 8
generator_learning_rate = 4e-4  # slow: nine steps leave layouts that show several classes
checkpoint_every = 4

[learn.appearance]
weights = "eyes.safetensors"
channels = [8]
coarsest = 6
style = 2
grain = 1
pretraining = 3
epochs = 2
layouts = 4
draws = 2
steps = 3
batch = 2
bank = 4
bank_draws = 2
gate_steps = 6
gate_width = 4
"""
DREAMED = '[generator]\nuse = "semgan"\n\n[[renderers]]\nuse = "imle"\n'
DRAWN = '[[renderers]]\nuse = "raster"\n\n[[renderers]]\nuse = "imle"\n'


def write_pairs(folder: Path, count: int = 6) -> Path:
    """Maps of a crate on the ground, and photos in a light of their own; no post is in them."""
    for k in range(count):
        rng = rng_for(0, k, Stream.SCENE)
        values = np.full((24, 32), 1, np.uint8)
        values[12:] = 2
        left = int(rng.integers(0, 24))
        values[10:18, left : left + 8] = 3
        colours = np.array([[0, 0, 0], [140, 170, 200], [100, 90, 70], [190, 40, 30]])
        light = rng.uniform(0.5, 1)
        photo = colours[values] * light + rng.normal(0, 5, (24, 32, 3))
        save(folder / f"maps/{k}.png", values)
        save(folder / f"images/{k}.png", photo.clip(0, 255).astype(np.uint8))
    (folder / "classes.txt").write_text("-\nsky\nground\ncrate\n")
    return folder


def write_eyes(path: Path) -> Path:
    """An untrained SqueezeNet, which sees something all the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        save_file(squeezenet1_0().state_dict(), path)
    return path


def write_learner(folder: Path, parts: str, tiny: str = TINY) -> Path:
    """A recipe of the yard with these parts; gives its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "yard.scene").write_text(dedent(WORLD))
    write_eyes(folder / "eyes.safetensors")
    path = folder / "yard.toml"
    head, learn, rest = tiny.partition("[learn]")
    path.write_text(f'grammar = "yard.scene"\n{head}\n{parts}\n{learn}{rest}')
    return path


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
