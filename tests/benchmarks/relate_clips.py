"""Clips that RELATE has learned, against time-shuffled real ones, by a Frechet distance of clips.

Run: python tests/benchmarks/relate_clips.py OUT [--seeds 0 1 2]

The paper's table has a Frechet Video Distance of 556 for RELATE on BallsInBowl, and 920 for real
sequences whose frames are in a random order. A run that is done lies under OUT and is not made
again, one that was cut off goes on. docs/results-relate-clips.md is written anew from all there.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from relate_bowls_measures import Features
from torch import Tensor

from datagen import pipeline, recipe
from datagen.dataset.targets import load_targets
from datagen.files import write_atomic
from datagen.learning.loop import Tick, train
from datagen.learning.photos.windows import windows_of
from datagen.learning.relate_clips.drawing import laid
from datagen.learning.relate_clips.training import RelateClipsTrainee
from datagen.learning.run import RunFolder
from datagen.metrics.video import fewer, frechet_clip_distance, shuffled
from datagen.models.relate import Generator, draw_latents
from datagen.models.relate_motion import Motion
from datagen.report.sheet import contact_sheet
from datagen.rng import Stream, rng_for
from datagen.settings.relate import RelateLearning
from datagen.settings.relate_clips import RelateClipsLearning

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-relate-clips.md"
PICTURE = ROOT / "docs" / "relate_clips.jpg"
FRAMES = 8
LEARNED, OTHER = 500, 200  # clips
SIDE, DIM = 32, 8  # px; features a frame
STILL = RelateLearning(steps=1500)
MOTION = RelateClipsLearning(steps=1000)
_STEPS, _BATCH = 600, 64  # of the features


class Real(NamedTuple):
    """Real clips."""

    folder: Path
    images: np.ndarray  # uint8 [C, T, S, S, 3]
    places: np.ndarray  # float32 [C, T, 2, 2]: x and y of both balls, in widths from the middle
    bowls: np.ndarray  # float32 [C, T, 3]


def real(out: Path, seed: int, clips: int) -> Real:
    """Made once, then kept in `out`."""
    folder = out / f"clips-{seed}"
    if not (folder / "_COMPLETE").is_file():
        asked = [f"seed={seed}", f"count={clips * FRAMES}"]
        pipeline.generate(recipe.load("balls_in_bowl_clips", asked), folder, resume=folder.exists())
    images = load_targets(folder, (SIDE, SIDE)).images
    lines = (folder / "scenes.jsonl").read_text().splitlines()
    things = [json.loads(line)["scene"]["root"]["children"] for line in lines]
    places = [[ball["transform"][:2] for ball in found[2:]] for found in things]
    bowls = [_bowl(found[1]) for found in things]
    shape = (clips, FRAMES)
    return Real(
        folder,
        images.reshape(*shape, *images.shape[1:]),
        np.array(places, np.float32).reshape(*shape, 2, 2) / SIDE - 0.5,
        np.array(bowls, np.float32).reshape(*shape, 3),
    )


def _bowl(node: dict[str, Any]) -> list[float]:
    """Its mean half-axis, and by what the two differ times cosine and sine of twice the angle."""
    long, short = (node["attributes"][name] / 2 / SIDE for name in ("width", "height"))
    turned, differ = 2 * node["transform"][3], (long - short) / 2
    return [(long + short) / 2, differ * np.cos(turned), differ * np.sin(turned)]


# ------------------------------------------------------------------------------------------ reading


def features(out: Path) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """Clips [C, T, S, S, 3] -> [C, T, 64], by a network that was taught where bowl and balls are.

    And the R2 of what it says of pictures that it was not taught by, the worst of its outputs'.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Features(SIDE)
    path = out / "features.pt"
    if path.is_file():
        held = torch.load(path, weights_only=True)
        net.load_state_dict(held["net"])
        return partial(_read, net.eval()), held["r2"]
    known, other = real(out, 0, LEARNED), real(out, 1000, OTHER)
    wanted, judged = (
        np.concatenate([one.bowls, one.places.reshape(*one.bowls.shape[:2], 4)], 2).reshape(-1, 7)
        for one in (known, other)
    )
    mean, spread = wanted.mean(0), wanted.std(0)
    _teach(net, known.images, torch.from_numpy((wanted - mean) / spread))
    with torch.inference_mode():
        body = torch.from_numpy(_read(net.eval(), other.images).reshape(-1, 64))
        said = net.head(body).numpy() * spread + mean
    r2 = float(1 - (np.square(said - judged).mean(0) / judged.var(0)).max())
    torch.save({"net": net.state_dict(), "r2": r2}, path)
    return partial(_read, net), r2


def _teach(net: Features, clips: np.ndarray, wanted: Tensor) -> None:
    images = torch.from_numpy(clips.reshape(-1, SIDE, SIDE, 3))
    builder = torch.optim.Adam(net.parameters(), 2e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(builder, _STEPS)
    for k in range(_STEPS):
        chosen = torch.from_numpy(rng_for(0, k, Stream.FEATURES).integers(len(images), size=_BATCH))
        loss = (net.head(net(images[chosen])) - wanted[chosen]).square().mean()
        builder.zero_grad()
        loss.backward()
        builder.step()
        falling.step()


@torch.inference_mode()
def _read(net: Features, clips: np.ndarray) -> np.ndarray:
    frames = torch.from_numpy(clips.reshape(-1, SIDE, SIDE, 3))
    found = torch.cat([net(part) for part in frames.split(256)]).numpy()
    return found.reshape(*clips.shape[:2], -1)


def drawn(net: Generator, motion: Motion, seed: int) -> np.ndarray:
    """uint8 [C, T, S, S, 3]: as many clips as real ones, none of them left out."""
    clips = []
    for k in range(OTHER):
        rng = rng_for(1000 + seed, k, Stream.EVALUATE)
        latents = draw_latents(net.sizes, rng, 1, STILL.objects)
        with torch.inference_mode():
            scenes = laid(net, motion, latents, FRAMES, rng)
            pictures = torch.cat([net.picture(scene) for scene in scenes])
        levels = (pictures.clamp(-0.5, 0.5) + 0.5) * 255
        clips.append(levels.round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.stack(clips)


def distances(clips: dict[str, np.ndarray], out: Path) -> dict[str, float]:
    """Of each, from real clips that nothing was learned from."""
    read, _ = features(out)
    theirs = read(real(out, 1000, OTHER).images)
    spread = theirs.reshape(-1, theirs.shape[2]).std(0)
    used = spread > 1e-3 * spread.max()
    return {
        name: frechet_clip_distance(
            *fewer(theirs[..., used] / spread[used], read(one)[..., used] / spread[used], DIM)
        )
        for name, one in clips.items()
    }


def floors(out: Path) -> dict[str, float]:
    """Of the clips that were learned from, in three orders."""
    ours, rng = real(out, 0, LEARNED).images, rng_for(0, 0, Stream.EVALUATE)
    at_rest = np.repeat(ours[:, :1], FRAMES, axis=1)
    return distances({"real": ours, "shuffled": shuffled(ours, rng), "at rest": at_rest}, out)


def measured(net: Generator, motion: Motion, seed: int, out: Path) -> dict[str, float]:
    clips = drawn(net, motion, seed)
    at_rest = np.repeat(clips[:, :1], FRAMES, axis=1)
    mixed = shuffled(clips, rng_for(seed, 1, Stream.EVALUATE))
    return distances({"made": clips, "made, shuffled": mixed, "made, at rest": at_rest}, out)


# --------------------------------------------------------------------------------------------- runs


def run(out: Path, seed: int) -> dict[str, Any]:
    """Learns and measures, in this process, on one thread."""
    folder = out / f"run-{seed}"
    path = folder / "result.json"
    if path.is_file():
        return json.loads(path.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    trainee = _trainee(out, seed)
    began = time.process_time()
    every = STILL.checkpoint_every
    train(RunFolder(folder), "relate_clips", trainee, checkpoint_every=every, progress=_tell)
    net, motion = trainee.samplers()
    result = {"seed": seed, "seconds": time.process_time() - began}
    result |= measured(net, motion, seed, out)
    write_atomic(folder / "clips.jpg", sheet(net, motion))
    write_atomic(path, json.dumps(result, indent=1))
    return result


def _trainee(out: Path, seed: int) -> RelateClipsTrainee:
    torch.set_num_threads(1)
    known = real(out, 0, LEARNED)
    targets = load_targets(known.folder, (SIDE, SIDE))
    windows = windows_of(known.folder, targets.names, MOTION.frames)
    return RelateClipsTrainee(targets.images, windows, MOTION, STILL, seed)


def _tell(tick: Tick) -> None:
    if tick.step % 100 == 0:
        sys.stderr.write(f"{tick.step}/{tick.steps}  {tick.words}\n")


def sheet(net: Generator, motion: Motion) -> bytes:
    """Six clips, one in a row."""
    clips = drawn(net, motion, 0)[:6].reshape(-1, SIDE, SIDE, 3)
    made = contact_sheet(list(clips), columns=FRAMES, scale=3)
    return cv2.imencode(".jpg", made[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def page(found: Sequence[dict[str, Any]], floor: dict[str, float], r2: float) -> str:
    rows = [("real clips, others than those compared with", floor["real"])]
    rows += [("real clips, frames in a random order", floor["shuffled"])]
    rows += [("real clips, the first frame throughout", floor["at rest"])]
    names = {"made": "RELATE's", "made, shuffled": "the same, frames in a random order"}
    names["made, at rest"] = "the same, the first frame throughout"
    rows += [
        (f"{name}, seed {one['seed']}", one[key]) for one in found for key, name in names.items()
    ]
    table = "\n".join(f"| {name} | {value:.2f} |" for name, value in rows)
    minutes = ", ".join(f"{one['seconds'] / 60:.1f}" for one in found)
    return f"""{_HEAD}
Clips of {FRAMES} frames, {LEARNED} to learn from and {OTHER} others to compare with, and as many
made, of which none was left out. Features: {DIM} principal ones, over real frames, of a network
that was taught where bowl and balls are (R2 {r2:.3f} or more on other clips). One row of
{FRAMES * DIM} numbers is a clip. Not I3D's features: no FVD, and not to be compared with the
paper's values.

| clips | Frechet distance |
|---|---:|
{table}

The first row is the floor, of two samples of one law: {OTHER} clips of {FRAMES * DIM} numbers
are few, and the bias is in all rows. The paper has 556 for RELATE and 920 for real clips in a
random order.

Learning took {minutes} minutes of one core: {STILL.steps} steps of single frames,
{MOTION.finder_steps} of the finder, {MOTION.steps} of the motion.

{_TAIL}
```
python tests/benchmarks/relate_clips.py OUT --seeds {" ".join(str(one["seed"]) for one in found)}
```
"""


_HEAD = """# RELATE's clips, measured

Two balls that roll in a bowl and bounce off it and off each other
(`configs/balls_in_bowl_clips.toml`). RELATE learns from the frames what there is, and from the
clips how it moves, without labels ([how](clips.md#learned-clips)).

## Frechet distance of clips
"""
_TAIL = """![Six learned clips, one in a row](relate_clips.jpg)

## How to repeat it
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    floor, (_, r2) = floors(asked.out), features(asked.out)
    found = [run(asked.out, seed) for seed in asked.seeds]
    write_atomic(PAGE, page(found, floor, r2))
    first = asked.out / f"run-{asked.seeds[0]}" / "clips.jpg"
    write_atomic(PICTURE, first.read_bytes())


if __name__ == "__main__":
    main()
