"""A detector that learns in no time, and labelled pictures for it; both for tests only."""

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save

from datagen import rle
from datagen.files import write_atomic
from datagen.interfaces import Component
from datagen.labelled import Detections
from datagen.rng import Stream, rng_for

WIDTH, HEIGHT, SIDE = 48, 32, 10  # px


class Detector(Component):
    """Finds the one bright square of a picture, but `shift` px to the right of it.

    Each step takes away a part of the shift. `worse_after`: from this step on it doubles.
    """

    weights: str | None = None
    pretrained: str | None = None
    shift: float = 12.0
    part: float = 0.25
    worse_after: int = 10**9
    kill_at: int = -1
    memory: str = ""  # a file that remembers that the killing has happened

    @contextmanager
    def open(self):
        with safe_open(self.weights, "pt") as file:
            said = json.loads(file.metadata()["datagen"])
        shift = float(load_file(self.weights)["shift"])
        yield lambda images: [_found(image, shift, said["masks"]) for image in images]

    def pupil(self, labelled, settings, start):
        return Pupil(self, labelled, settings, start)


class Pupil:
    def __init__(self, detector, labelled, settings, start):
        self.detector, self.labelled, self.settings = detector, labelled, settings
        first = detector.shift if start is None else float(load_file(start)["shift"])
        self.shift = torch.tensor(first, dtype=torch.float64)
        self.started = "from the beginning" if start is None else "from another"

    @property
    def steps(self):
        return self.settings.steps

    def remarks(self):
        return [f"the shift starts {self.started}"]

    def begin(self, step):
        pass

    def step(self, k):
        memory = Path(self.detector.memory)
        if k == self.detector.kill_at and not memory.exists():
            memory.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        noise = rng_for(self.settings.seed, k, Stream.LEARN).uniform(0.9, 1.1)
        part = -1.0 if k >= self.detector.worse_after else self.detector.part
        self.shift = self.shift * (1 - part * noise)
        return {"loss": float(self.shift)}

    def tensors(self):
        return {"shift": self.shift}

    def load(self, tensors):
        self.shift = tensors["shift"]

    def save(self, path):
        said = {"format": "datagen-detector-1", "use": "taught:Detector"}
        said |= {"categories": self.labelled.categories, "masks": self.labelled.masks}
        write_atomic(path, save({"shift": self.shift.clone()}, {"datagen": json.dumps(said)}))

    def detect(self, images, *, masks):
        masks = masks and self.labelled.masks
        return [_found(image, float(self.shift), masks) for image in images]


def _found(image, shift, masks):
    bright = image.max(axis=2) > 200
    if not bright.any():
        nothing = np.zeros(0, np.float32)
        return Detections(
            nothing.reshape(0, 4), nothing, nothing.astype(np.int32), () if masks else None
        )
    y, x = np.argwhere(bright).min(axis=0)
    moved = np.roll(bright, round(shift), axis=1)
    return Detections(
        np.array([[x + shift, y, SIDE, SIDE]], np.float32),
        np.array([0.9], np.float32),
        np.zeros(1, np.int32),
        (rle.encode(moved),) if masks else None,
    )


def write_squares(folder: Path, count: int = 12, names=("square",), masks=True, empty=()) -> Path:
    """A COCO folder of dark pictures with a bright square each, all of the first category."""
    folder.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for k in range(count):
        rng = rng_for(7, k, Stream.SCENE)
        pixels = rng.integers(0, 60, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        x, y = int(rng.integers(0, WIDTH - SIDE)), int(rng.integers(0, HEIGHT - SIDE))
        name = f"{k:04d}.png"
        images.append({"id": k + 1, "file_name": name, "width": WIDTH, "height": HEIGHT})
        if k not in empty:
            pixels[y : y + SIDE, x : x + SIDE] = 255
            annotations.append(_annotation(k, x, y, masks))
        Image.fromarray(pixels).save(folder / name)
    categories = [{"id": k, "name": name} for k, name in enumerate(names, 1)]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(data))
    return folder


def _annotation(k, x, y, masks):
    ring = [x, y, x + SIDE, y, x + SIDE, y + SIDE, x, y + SIDE]
    said = {"id": k + 1, "image_id": k + 1, "category_id": 1, "bbox": [x, y, SIDE, SIDE]}
    said |= {"area": SIDE * SIDE, "iscrowd": 0}
    return said | ({"segmentation": [ring]} if masks else {})
