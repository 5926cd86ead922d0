"""A renderer that fails at one image, and a small recipe that uses it; both for tests only."""

import os
import signal
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from datagen import plugins
from datagen.errors import DiskFullError, InputError, MissingError
from datagen.interfaces import Component
from datagen.scene import Scene

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent

WORLD = """
world small
canvas 32 x 24
start Scene
Scene -> ground car * uniform_int(0, 4)
ground { draw: ground }
car {
  draw: car
  category: "car"
  x: uniform(0, 32) px
  y: uniform(0, 24) px
  yaw: uniform(0, 360) deg
}
"""


class Renderer(Component):
    """The raster renderer, but image `at` goes wrong, and every image takes `pause` seconds."""

    takes: ClassVar[type[Scene]] = Scene
    fault: Literal[
        "none", "bug", "kill", "kill once", "input", "label", "shape", "drift", "missing", "disk"
    ] = "none"
    at: int = -1
    pause: float = 0.0
    memory: str = ""  # a file that remembers across processes that the fault has happened

    @contextmanager
    def open(self, grammar, passes):
        with plugins.load("renderers", "raster")().open(grammar, passes) as render:
            yield lambda scenes, rngs: [
                self._spoil(frame, rng.bit_generator.seed_seq.spawn_key[-1])
                for frame, rng in zip(render(scenes, rngs), rngs, strict=True)
            ]

    def _spoil(self, frame, index):
        time.sleep(self.pause)
        if index != self.at:
            return frame
        match self.fault:
            case "bug":
                raise ZeroDivisionError("a bug in a plug-in")
            case "input":
                raise InputError("the sprite is not there")
            case "missing":
                raise MissingError("a package is not there")
            case "disk":
                raise DiskFullError("no room")
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "kill once" if not Path(self.memory).exists():
                Path(self.memory).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "label":
                return replace(frame, class_map=np.zeros_like(frame.class_map))
            case "shape":
                return replace(frame, image=frame.image[:, :, 0])
            case "drift":
                return replace(frame, image=frame.image ^ np.uint8(os.getpid() % 250 + 1))
        return frame


def write_recipe(folder: Path, text: str = "", **renderer: object) -> Path:
    """A recipe file for the small world, drawn by the faulty renderer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.scene").write_text(WORLD)
    options = "".join(f"{key} = {_toml(value)}\n" for key, value in renderer.items())
    path = folder / "small.toml"
    path.write_text(
        f'grammar = "small.scene"\n{text}\n[[renderers]]\nuse = "faulty:Renderer"\n{options}'
    )
    return path


def _toml(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)
