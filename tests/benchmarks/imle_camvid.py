"""Streets that look like CamVid.

Run: python tests/benchmarks/imle_camvid.py OUT CAMVID SQUEEZENET [--jobs 2] [--seeds 0 1 2]

Conditional IMLE learns from CamVid's 367 training pairs at 128 x 96 px; pictures are made of
validation layouts, and of scenes of the grammar street_2d, whose own pictures are the baseline.
Writes docs/results-imle-camvid.md and its pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import runs
import torch
from clock import Clock
from imle_camvid_measures import Frames, agreements, gaps, mean_iou, patches_apart, photos
from imle_camvid_page import CODES, page, sheet, streets_sheet
from pages import Page

from datagen.files import atomic_file
from datagen.grammar import Grammar
from datagen.language.parse import named
from datagen.learning.appearance import drawing
from datagen.learning.appearance.gate import GateTrainee
from datagen.learning.appearance.training import AppearanceTrainee
from datagen.learning.appearance.weights import (
    Appearance,
    load_appearance_model,
    save_appearance_model,
)
from datagen.learning.loop import Trainee, train
from datagen.learning.run import RunFolder
from datagen.parts import Part, Source
from datagen.reading.maps import LabelMaps, read_maps
from datagen.rng import Stream, rng_for
from datagen.settings.appearance import AppearanceLearning

CANVAS = (128, 96)
STREETS = 400  # scenes of street_2d
LIKE = {
    "van": "car", "bus": "car", "traffic light": "sign", "skyline": "tree", "terrain": "sidewalk",
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "channels": (16, 24, 32, 32, 48, 48),
    "grain": 2,
    "pretraining": 800,
    "epochs": 20,
    "layouts": 96,
    "steps": 72,
    "bank_draws": 16,
    "gate_steps": 500,
    "like": LIKE,
}
_CHECKPOINT = 200  # steps


@dataclass(frozen=True)
class Places:
    """Where things lie."""

    out: Path
    camvid: Path
    squeezenet: Path

    @property
    def settings(self) -> AppearanceLearning:
        return AppearanceLearning(weights=Source(source=str(self.squeezenet)), **SETTINGS)

    @cached_property
    def grammar(self) -> Grammar:
        return replace(named("street_2d"), canvas=CANVAS)

    def pairs(self, part: str) -> LabelMaps:
        return read_maps(self.camvid / part, self.grammar)


def streets(at: Places) -> Frames:
    """Scenes of the grammar's prior and the pictures that `raster` draws of them."""
    file = at.out / "streets.npz"
    if not file.is_file():
        prior, raster = (
            Part(use="prior").component("generators"),
            Part(use="raster").component("renderers"),
        )
        with prior.open(at.grammar) as generate, raster.open(at.grammar) as render:
            frames = []
            for k in range(STREETS):
                scenes = generate([rng_for(0, k, Stream.SCENE)])
                frames += render(scenes, [rng_for(0, k, Stream.RENDER)])
        layouts = np.stack([f.class_map for f in frames])
        with atomic_file(file) as whole:
            np.savez(whole, layouts=layouts, images=np.stack([f.image for f in frames]))
    with np.load(file) as held:
        classes = 1 + len(at.grammar.categories) + len(at.grammar.stuffs)
        return Frames(held["layouts"], held["images"], classes)


def run(
    out: Path, camvid: Path, squeezenet: Path, folder: Path, arm: str, seed: int
) -> dict[str, Any]:
    """Learns, draws and measures; there is one arm."""
    at = Places(out, camvid, squeezenet)
    real, unseen, drawn = at.pairs("train"), at.pairs("val"), streets(at)
    model = appearance(at, seed, folder, real)
    translated = translations(model, drawn.layouts, seed)
    ours = Frames(model.header.table[drawn.layouts], translated, drawn.classes)
    theirs = replace(ours, images=drawn.images)
    val_layouts = np.stack([unseen.class_map(k) for k in range(len(unseen))])
    val_drawn = translations(model, val_layouts, seed)
    sheets(folder, model, unseen, drawn, translated)
    classes = [int(k) for k in np.unique(val_layouts) if k]
    assert model.gate is not None
    names = (*at.grammar.categories, *at.grammar.stuffs)
    found: dict[str, Any] = {"classes": [names[k - 1] for k in classes]}
    found["cost"] = Clock(folder / "imle.json").read()
    photo_sets = {"all": np.concatenate([photos(real), photos(unseen)]), "val": photos(unseen)}
    sets = {"drawn": drawn.images, "translated": translated, "val layouts": val_drawn}
    found["gaps"] = {name: gaps(sets, target, at.squeezenet) for name, target in photo_sets.items()}
    found["swd"] = {name: patches_apart(some, photo_sets["val"]) for name, some in sets.items()}
    found["swd"]["photos of training"] = patches_apart(photos(real), photo_sets["val"])
    nets = {
        "drawn": segmenter(at, seed, folder, "drawn", theirs),
        "translated": segmenter(at, seed, folder, "translated", ours),
        "real": model.gate,
    }
    found["iou"] = {name: mean_iou(net, unseen, classes) for name, net in nets.items()}
    found["gate"] = {
        "photos": agreements(model.gate, photo_sets["val"], val_layouts),
        "photos, another layout": agreements(
            model.gate, photo_sets["val"], np.roll(val_layouts, 37, axis=0)
        ),
        "val layouts": agreements(model.gate, val_drawn, val_layouts),
        "streets": agreements(model.gate, translated, ours.layouts),
    }
    return found


def appearance(at: Places, seed: int, folder: Path, real: LabelMaps) -> Appearance:
    file = folder / "appearance.safetensors"
    if not file.is_file():
        learned = AppearanceTrainee(real, at.settings, seed)
        gate = GateTrainee(real, at.settings, seed)
        taught(folder, "imle", learned)
        taught(folder, "real", gate)
        save_appearance_model(file, learned, gate, at.grammar)
    return load_appearance_model(file, at.grammar)


def segmenter(at: Places, seed: int, folder: Path, name: str, frames: Frames) -> torch.nn.Module:
    trainee = GateTrainee(frames, at.settings, seed)
    taught(folder, name, trainee)
    return trainee.net


def taught(folder: Path, phase: str, trainee: Trainee) -> None:
    """Trained to its end."""
    clock = Clock(folder / f"{phase}.json")
    train(RunFolder(folder), phase, trainee, checkpoint_every=_CHECKPOINT, progress=clock)


def translations(model: Appearance, layouts: np.ndarray, seed: int) -> np.ndarray:
    """uint8 [N, H, W, 3]: each layout in a style of its own."""
    rngs = [rng_for(seed, k, Stream.RENDER) for k in range(len(layouts))]
    return np.stack(
        [
            drawing.draw(model, layout, drawing.own_style(model, rng), rng)
            for layout, rng in zip(layouts, rngs, strict=True)
        ]
    )


def sheets(
    folder: Path, model: Appearance, unseen: LabelMaps, drawn: Frames, made: np.ndarray
) -> None:
    """Pictures for the page, and one with photos, which is only to be looked at: none goes in."""
    rows: list[Sequence[np.ndarray]] = []
    beside: list[Sequence[np.ndarray]] = []
    for k in np.linspace(0, len(unseen) - 1, 8).astype(int):
        layout = unseen.class_map(int(k))
        films = [next(iter(drawing.film(model, [layout], code))) for code in range(CODES)]
        rows.append([layout, *films])
        beside.append([unseen.image(int(k)), *films])
    cv2.imwrite(str(folder / "layouts.png"), sheet(rows)[..., ::-1])
    cv2.imwrite(str(folder / "photos.png"), sheet(beside)[..., ::-1])
    pairs = list(zip(drawn.images[:16], made[:16], strict=True))
    cv2.imwrite(str(folder / "streets.png"), streets_sheet(pairs)[..., ::-1])


def share(*paths: Path) -> None:
    streets(Places(*paths))


PAGE = Page(
    "imle-camvid",
    {"imle": (0, 1, 2)},
    run,
    page,
    {
        "imle_camvid.jpg": ["imle-0/layouts.png"],
        "imle_camvid_streets.jpg": ["imle-0/streets.png"],
    },
    share,
)
BENCHMARK = runs.Benchmark(__file__, ("CAMVID", "SQUEEZENET"), (PAGE,))

if __name__ == "__main__":
    runs.main(BENCHMARK)
