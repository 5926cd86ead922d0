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
IMAGES = 1000  # generated for each comparison

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
    "light: uniform(0.8, 1.1)": "light: uniform(0.9, 1.2)",
    'choice("#d8d2c4" 2, "#cdbd9e" 2, "#98705c" 2)': 'choice("#a8a49c" 2, "#c8b488", "#88584c" 3)',
    "x: normal(-1.75, 0.25) m in [-2.6, -0.9]": "x: normal(-1.35, 0.2) m in [-2.6, -0.9]",
    "gap: uniform(4, 32) m mutable": "gap: uniform(4, 16) m mutable",
}
PAINTS = 'choice("#b03028" 2, "#2850a0" 2, "#e0c040", "#f0f0f0" 3, "#406848", "#303030" 2)'


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
    (out / "hidden.scene").write_text(hidden(HIDDEN))
    recipe = (ROOT / "configs" / "street_3d.toml").read_text()
    hidden_recipe = recipe.replace('grammar = "street_urban"', 'grammar = "hidden.scene"')
    (out / "hidden.toml").write_text(hidden_recipe.replace("noise = 2.0", "noise = 3.0"))
    target, photos = out / "target", out / "photos"
    once(target, "generate", out / "hidden.toml", "--count", 800, "--seed", 77)
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


def hidden(changes: Mapping[str, str]) -> str:
    """The grammar of a city: `street_simple` with other paints, and what `changes` say."""
    text = (ROOT / "grammars" / "street_simple.scene").read_text()
    for old, new in changes.items():
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
    """One run on real photos: the gap before and after."""
    out.mkdir(parents=True, exist_ok=True)
    recipe = ROOT / "configs" / "street_3d_photos.toml"
    if name == "camvid":
        recipe = left_hand(out)
    run, made, prior = out / f"{name}-run", out / f"{name}-made", out / f"{name}-prior"
    once(prior, "generate", recipe, "--count", IMAGES)
    once(run, "learn", recipe, "--target", folder, "--set", f"learn.features.weights={weights}")
    once(made, "generate", run, "--count", IMAGES)
    once(out / f"{name}-compared", "compare", made, folder, "--prior", prior,
         "--features", "squeezenet", "--weights", weights)  # fmt: skip


def left_hand(out: Path) -> Path:
    """The recipe for CamVid's camera and country: traffic keeps to the left there."""
    world = (ROOT / "grammars" / "street_urban.scene").read_text()
    for old, new in LEFT.items():
        assert old in world, old
        world = world.replace(old, new)
    (out / "left.scene").write_text(world)
    recipe = (ROOT / "configs" / "street_3d_photos.toml").read_text()
    for old, new in CAMVID.items():
        assert old in recipe, old
        recipe = recipe.replace(old, new)
    path = out / "camvid.toml"
    path.write_text(recipe)
    return path


LEFT = {
    "x: normal(-1.75, 0.25) m in [-2.6, -0.9]": "x: normal(1.75, 0.25) m in [0.9, 2.6]",
    "x: normal(1.6, 0.1) m in [1.3, 1.8]": "x: normal(-1.6, 0.11) m in [-1.8, -1.3]",
    "x: normal(-1.6, 0.1) m in [-1.8, -1.3]": "x: normal(1.6, 0.1) m in [1.3, 1.8]",
    "x: choice(3.05 3, -3.05 1) m": "x: choice(-3.05 3, 3.05 1) m",
}
CAMVID = {
    'grammar = "street_urban"': 'grammar = "left.scene"',
    "canvas = [320, 96]": "canvas = [240, 180]",
    "horizon = 0.461, focal = 0.581, height = 1.65": "horizon = 0.49, focal = 1.0, height = 1.35",
}


# ------------------------------------------------------------------------------------------ page

HEAD = """# Streets learned from pictures, measured

Made by `python tests/benchmarks/streets_learning.py OUT SQUEEZENET PART [PHOTOS]`, on 2 cores
without a GPU. Distances are those of `datagen compare` with SqueezeNet's pooled ImageNet features,
which learning did not use, over all pictures. A Frechet distance of few pictures is too large;
its noise is that between random halves of the target, which have fewer: in the median, and at
95 % of the halves. The squared MMD is not biased by numbers.
"""


def page(out: Path, media: Path) -> str:
    sections = [HEAD]
    if (out / "compared-0.seconds").is_file():
        sections.append(sim_section(out, media))
    for name in ("camvid", "kitti"):
        if (out / f"{name}-compared.seconds").is_file():
            sections.append(photo_section(out, name, media))
    return "\n".join(sections)


def sim_section(out: Path, media: Path) -> str:
    target, before = cars(out / "target"), cars(out / "prior")
    lines = [
        "## A hidden city",
        "",
        "The target: 800 pictures of `street_simple` with other laws for how many of everything",
        "stand where, other paints and houses, other weather and light, another camera place, less",
        "room to the cars ahead, and a noisier sensor (`HIDDEN` in the script). Structure alone is",
        "learned. Minutes are upper bounds: other programs used the machine as well.",
        "The prior: `street_simple`. Cars: Wasserstein-1 distance between labelled cars an image,",
        "generated and in the target, which has "
        f"{target.mean():.1f} on average and the prior {before.mean():.1f}.",
        "",
        "| seed | cars, prior | cars, learned | less by | Frechet, prior | learned | less by |"
        " noise | MMD, prior | learned | noise | minutes |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for seed in SEEDS:
        if not (out / f"compared-{seed}.seconds").is_file():
            continue
        after = cars(out / f"made-{seed}")
        was, now = apart(before, target), apart(after, target)
        told = distances(out / f"compared-{seed}")
        lines.append(
            f"| {seed} | {was:.2f} | {now:.2f} (mean {after.mean():.1f}) | {1 - now / was:.0%} | "
            f"{gap_cells(told)} | {seconds(out / f'run-{seed}') / 60:.1f} |"
        )
    picture = "street_learning_sim.jpg"
    sheet(media / picture, [out / "prior", out / "made-0", out / "target"])
    return "\n".join([*lines, "", pictured(picture, "Prior, learned (seed 0), target.")])


def photo_section(out: Path, name: str, media: Path) -> str:
    told = distances(out / f"{name}-compared")
    took = seconds(out / f"{name}-run") / 60
    picture = f"street_learning_{name}.jpg"
    folder = Path((out / f"{name}.photos").read_text())
    sheet(media / picture, [out / f"{name}-prior", out / f"{name}-made"])
    lines = [
        f"## {'CamVid' if name == 'camvid' else 'KITTI'}",
        "",
        f"{len(list(folder.iterdir()))} photos, one run (seed 0), {took:.1f} minutes.",
        "",
        "| Frechet, prior | learned | less by | noise | MMD, prior | learned | noise |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| {gap_cells(told)} |",
        "",
        pictured(picture, "Prior (left), learned (right)."),
    ]
    return "\n".join(lines)


def gap_cells(told: Mapping[str, Mapping[str, Any]]) -> str:
    """Cells of the Frechet distance and of the squared MMD, before, after, and noise."""
    frechet, mmd = told["frechet"], told["mmd"]
    less = 1 - frechet["generated"] / frechet["prior"]
    noise = [f"{d['median']:.3g} ({d['high']:.3g})" for d in (frechet, mmd)]
    return (
        f"{frechet['prior']:.3g} | {frechet['generated']:.3g} | {less:.0%} | {noise[0]} | "
        f"{mmd['prior']:.3g} | {mmd['generated']:.3g} | {noise[1]}"
    )


def distances(folder: Path) -> dict[str, dict[str, float]]:
    """Of a comparison: key -> prior, generated, and the noise of the target's halves."""
    found = {}
    for one in json.loads((folder / "report.json").read_text())["distances"]:
        readings = one["readings"]
        floor = readings["generated"]["floor"]
        found[one["key"]] = {
            "prior": readings["prior"]["whole"],
            "generated": readings["generated"]["whole"],
            "median": floor["median"],
            "high": floor["high"],
        }
    return found


def pictured(name: str, text: str) -> str:
    return f"![{text}]({name})\n\n{text}\n"


def sheet(path: Path, folders: Sequence[Path]) -> None:
    """Six pictures of each folder, a column each."""
    columns = []
    for folder in folders:
        images = sorted(folder.glob("*/*/*.jpg"))[:6]
        columns.append(np.vstack([cv2.imread(str(image)) for image in images]))
    cv2.imwrite(str(path), np.hstack(columns), [cv2.IMWRITE_JPEG_QUALITY, 85])


def main(out: Path, weights: Path, part: str, *rest: str) -> None:
    if part == "sim":
        sim(out, weights)
    else:
        (out / f"{part}.photos").write_text(rest[0])
        photos(out, weights, part, Path(rest[0]))
    PAGE.write_text(page(out, PAGE.parent))


if __name__ == "__main__":
    main(*(Path(word).resolve() for word in sys.argv[1:3]), *sys.argv[3:])
