"""Streets learned from pictures: a hidden city of our own, and photos of real ones.

Run: python tests/benchmarks/streets_learning.py OUT SQUEEZENET PART [PHOTOS]

Parts: `sim` (three seeds), `camvid PHOTOS`, `kitti PHOTOS` (one seed each; PHOTOS: a folder of such
frames). What is there under OUT is not made again; each call writes docs/results-street-learning.md
anew from all that is there, with pictures beside it.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-street-learning.md"
SEEDS = (0, 1, 2)
IMAGES = 500  # generated for each comparison
PHOTO_SETTINGS = {
    "camvid": ("canvas=[240,180]", "renderers.0.camera={horizon=0.49,focal=1.0,height=1.35}"),
    "kitti": (),
}

# What is otherwise in the hidden city than in the prior: how many of everything, and its looks.
HIDDEN = {
    "world street_simple": "world hidden_city",
    "LeftLane  -> Parked * uniform_int(0, 3)": "LeftLane -> Parked * choice(2 0.2, 3 0.5, 5 0.3)",
    "RightLane -> Parked * uniform_int(0, 3)": "RightLane -> Parked * choice(1 0.5, 3 0.5)",
    "Ahead * uniform_int(0, 2)": "Ahead * choice(0 0.3, 1 0.4, 2 0.3)",
    "Oncoming * uniform_int(0, 2)": "Oncoming * choice(1 0.3, 2 0.5, 3 0.2)",
    "left_house * uniform_int(0, 4)": "left_house * choice(4 0.5, 6 0.5)",
    "right_house * uniform_int(0, 4)": "right_house * choice(0 0.5, 2 0.5)",
    "overcast [0.5] | cloudy [0.5]": "overcast [0.2] | cloudy [0.8]",
    "surface: grass": "surface: paving",
    'choice("#d8d2c4" 2, "#cdbd9e" 2, "#98705c" 2)': 'choice("#a8a49c" 2, "#c8b488", "#88584c" 3)',
}
PAINTS = 'choice("#b03028" 2, "#2850a0" 2, "#e0c040", "#f0f0f0" 3, "#406848", "#303030" 2)'
HIDDEN_RECIPE = """
grammar = "hidden.scene"
canvas = [320, 96]
count = 800
image_format = "jpg"
[[renderers]]
use = "mesh"
camera = { horizon = 0.461, focal = 0.581, height = 1.65 }
shadows = 1024
sensor = { contrast = 0.2, exposure = 0.3, noise = 4.0, blur = 0.6 }
"""


def datagen(*words: object) -> float:
    """Seconds that a command took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "datagen", *map(str, words)]
    subprocess.run(command, check=True, cwd=ROOT)
    return time.monotonic() - began


def once(folder: Path, *words: object) -> None:
    """Runs a command that makes `folder`, unless it has done so; keeps what it took."""
    took = folder.with_suffix(".seconds")
    if not took.is_file():
        if folder.exists():
            words = (*words, "--resume")
        took.write_text(f"{datagen(*words, '--out', folder):.0f}")


def seconds(folder: Path) -> int:
    return int(folder.with_suffix(".seconds").read_text())


# ------------------------------------------------------------------------------------------- sim


def sim(out: Path, weights: Path) -> None:
    """Three seeds of learning the hidden city, each compared with it."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "hidden.scene").write_text(hidden())
    (out / "hidden.toml").write_text(HIDDEN_RECIPE)
    target, photos = out / "target", out / "photos"
    once(target, "generate", out / "hidden.toml", "--workers", 2)
    unlabelled(target, photos)
    prior = out / "prior"
    once(prior, "generate", "street_3d", "--set", "grammar=street_simple", "--count", IMAGES)
    for seed in SEEDS:
        run, made = out / f"run-{seed}", out / f"made-{seed}"
        once(run, "learn", "street_3d", "--target", photos, "--set", "grammar=street_simple",
             "--set", f"learn.seed={seed}")  # fmt: skip
        once(made, "generate", run, "--count", IMAGES)
        once(out / f"compared-{seed}", "compare", made, target, "--prior", prior,
             "--features", "squeezenet", "--weights", weights)  # fmt: skip


def hidden() -> str:
    text = (ROOT / "grammars" / "street_simple.scene").read_text()
    for old, new in HIDDEN.items():
        assert old in text, old
        text = text.replace(old, new)
    return re.sub(r"colour: choice\(silver.*\)", f"colour: {PAINTS}", text)


def unlabelled(dataset: Path, photos: Path) -> None:
    photos.mkdir(exist_ok=True)
    for image in dataset.glob("*/*/*.jpg"):
        (photos / image.name).write_bytes(image.read_bytes())


def cars(dataset: Path) -> np.ndarray:
    """int [N]: labelled cars of each image."""
    data = json.loads((dataset / "annotations.json").read_text())
    number = next(c["id"] for c in data["categories"] if c["name"] == "car")
    found = Counter(a["image_id"] for a in data["annotations"] if a["category_id"] == number)
    return np.array([found[image["id"]] for image in data["images"]])


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Wasserstein-1 between two samples of counts: cars that would have to be moved, an image."""
    most = max(a.max(), b.max()) + 1
    p, q = (np.bincount(x, minlength=most) / len(x) for x in (a, b))
    return float(np.abs(np.cumsum(p - q)).sum())


# ---------------------------------------------------------------------------------------- photos


def photos(out: Path, weights: Path, name: str, folder: Path) -> None:
    """One run on real photos, the gap before and after."""
    out.mkdir(parents=True, exist_ok=True)
    sets = [word for key in PHOTO_SETTINGS[name] for word in ("--set", key)]
    learned = ["--set", f"learn.features.weights={weights}"] if PHOTO_FEATURES else []
    run, made, prior = out / f"{name}-run", out / f"{name}-made", out / f"{name}-prior"
    once(prior, "generate", "street_3d_photos", *sets, "--count", IMAGES)
    once(run, "learn", "street_3d_photos", "--target", folder, *sets, *learned)
    once(made, "generate", run, "--count", IMAGES)
    once(out / f"{name}-compared", "compare", made, folder, "--prior", prior,
         "--features", "squeezenet", "--weights", weights)  # fmt: skip


PHOTO_FEATURES = True
