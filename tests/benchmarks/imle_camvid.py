"""Streets that look like CamVid: writes docs/results-imle-camvid.md and its pictures.

Run: python tests/benchmarks/imle_camvid.py OUT CAMVID SQUEEZENET [--jobs 2] [--seeds 0,1,2]

Conditional IMLE learns from CamVid's 367 training pairs at 128 x 96 px; pictures are made of
validation layouts, and of scenes of the grammar street_2d, whose own pictures are the baseline.
Every run is a process with one thread, kept in OUT and not made again; one that was killed goes on
from its last checkpoint.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from imle_camvid_measures import Frames, agreements, gaps, mean_iou, patches_apart, photos
from imle_camvid_page import CODES, PAGE, SHEETS, page, sheet, streets_sheet

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("out", "camvid", "squeezenet"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", type=int, help="this seed alone, in this process")
    given = parser.parse_args()
    at = Places(given.out, given.camvid.resolve(), given.squeezenet.resolve())
    at.out.mkdir(parents=True, exist_ok=True)
    streets(at)
    if given.only is not None:
        one(at, given.only)
        return
    command = [sys.executable, __file__, *map(str, (at.out, at.camvid, at.squeezenet)), "--only"]
    with ThreadPoolExecutor(given.jobs) as pool:
        runs = [
            pool.submit(subprocess.run, [*command, seed], check=True)
            for seed in given.seeds.split(",")
        ]
        for run in runs:
            run.result()
    write(at)


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
        np.savez(
            file,
            layouts=np.stack([f.class_map for f in frames]),
            images=np.stack([f.image for f in frames]),
        )
    with np.load(file) as held:
        classes = 1 + len(at.grammar.categories) + len(at.grammar.stuffs)
        return Frames(held["layouts"], held["images"], classes)


def one(at: Places, seed: int) -> None:
    """Learn, draw and measure, unless that is done."""
    result, folder = at.out / f"seed-{seed}.json", at.out / f"seed-{seed}"
    if result.is_file():
        return
    torch.set_num_threads(1)
    folder.mkdir(exist_ok=True)
    minutes: dict[str, float] = {}
    real, unseen, drawn = at.pairs("train"), at.pairs("val"), streets(at)
    model = appearance(at, seed, folder, real, minutes)
    translated = translations(model, drawn.layouts, seed)
    ours = Frames(model.header.table[drawn.layouts], translated, drawn.classes)
    theirs = replace(ours, images=drawn.images)
    val_layouts = np.stack([unseen.class_map(k) for k in range(len(unseen))])
    val_drawn = translations(model, val_layouts, seed)
    sheets(at, seed, model, unseen, drawn, translated)
    classes = [int(k) for k in np.unique(val_layouts) if k]
    assert model.gate is not None
    found: dict[str, Any] = {"seed": seed, "classes": classes, "minutes": minutes}
    photo_sets = {"all": np.concatenate([photos(real), photos(unseen)]), "val": photos(unseen)}
    sets = {"drawn": drawn.images, "translated": translated, "val layouts": val_drawn}
    found["gaps"] = {name: gaps(sets, target, at.squeezenet) for name, target in photo_sets.items()}
    found["swd"] = {name: patches_apart(some, photo_sets["val"]) for name, some in sets.items()}
    found["swd"]["photos of training"] = patches_apart(photos(real), photo_sets["val"])
    nets = {
        "drawn": segmenter(at, seed, folder, "drawn", theirs, minutes),
        "translated": segmenter(at, seed, folder, "translated", ours, minutes),
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
    result.write_text(json.dumps(found))


def appearance(
    at: Places, seed: int, folder: Path, real: LabelMaps, minutes: dict[str, float]
) -> Appearance:
    file = folder / "appearance.safetensors"
    if not file.is_file():
        learned = AppearanceTrainee(real, at.settings, seed)
        gate = GateTrainee(real, at.settings, seed)
        taught(folder, "imle", learned, minutes)
        taught(folder, "real", gate, minutes)
        save_appearance_model(file, learned, gate, at.grammar)
    return load_appearance_model(file, at.grammar)


def segmenter(
    at: Places, seed: int, folder: Path, name: str, frames: Frames, minutes: dict[str, float]
) -> torch.nn.Module:
    trainee = GateTrainee(frames, at.settings, seed)
    taught(folder, name, trainee, minutes)
    return trainee.net


def taught(folder: Path, phase: str, trainee: Trainee, minutes: dict[str, float]) -> None:
    """Trained to its end; what it took of this process counts."""
    start = time.process_time()
    train(RunFolder(folder), phase, trainee, checkpoint_every=_CHECKPOINT, progress=lambda _: None)
    minutes[phase] = (time.process_time() - start) / 60


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
    at: Places, seed: int, model: Appearance, unseen: LabelMaps, drawn: Frames, made: np.ndarray
) -> None:
    """Pictures for the page, and one with photos, which is only to be looked at: none goes in."""
    rows: list[Sequence[np.ndarray]] = []
    beside: list[Sequence[np.ndarray]] = []
    for k in np.linspace(0, len(unseen) - 1, 8).astype(int):
        layout = unseen.class_map(int(k))
        films = [next(iter(drawing.film(model, [layout], code))) for code in range(CODES)]
        rows.append([layout, *films])
        beside.append([unseen.image(int(k)), *films])
    cv2.imwrite(str(at.out / f"seed-{seed}-layouts.png"), sheet(rows)[..., ::-1])
    cv2.imwrite(str(at.out / f"seed-{seed}-photos.png"), sheet(beside)[..., ::-1])
    pairs = list(zip(drawn.images[:16], made[:16], strict=True))
    cv2.imwrite(str(at.out / f"seed-{seed}-streets.png"), streets_sheet(pairs)[..., ::-1])


def write(at: Places) -> None:
    """The page, of all runs that are there."""
    found = [json.loads(path.read_text()) for path in sorted(at.out.glob("seed-?.json"))]
    PAGE.write_text(page(found, (*at.grammar.categories, *at.grammar.stuffs)))
    for name, file in SHEETS.items():
        picture = cv2.imread(str(at.out / f"seed-{found[0]['seed']}-{name}.png"))
        assert picture is not None
        cv2.imwrite(str(file), picture, [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
