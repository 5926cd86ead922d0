"""The streets in 3D measured: frames a second, workers, long runs, rays, what the look costs.

Run: python tests/benchmarks/streets.py OUT [PART...]

Each part is measured in a process of its own and kept as OUT/PART.json, together with the machine
and how much of it other programs used; `streets_page.py OUT` makes docs/results-streets.md of them.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bench_mesh
import numpy as np
from bench_dataset import resident

from datagen import audit, labels, recipe
from datagen.audit.agreement import agreement
from datagen.frame import Layout
from datagen.frames import MakeFrame, opened
from datagen.parts import Part
from datagen.recipe import Recipe
from datagen.rng import Stream, rng_for
from datagen.scene import Scene
from renderers._camera import View
from renderers._stage import Cast, later, moved, staged

ROOT = Path(__file__).parents[2]
WORLD = "street_urban"
WORLDS = ("street_urban", "street_suburban", "street_rural", "street_simple")
SMALL = (640, 192)
SIZES = (SMALL, (1242, 375))
FLAT = (
    "renderers.0.textures=false",
    "renderers.0.shadows=0",
    "renderers.0.supersample=1",
)
OURS = 1  # LP_NUM_THREADS where nobody sets it (renderers/_gl/context.py)

Result = dict[str, Any]


# ---------------------------------------------------------------------------------------- frames


def frames(out: Path, sizes: Sequence[tuple[int, int]] = SIZES, rounds: int = 3) -> Result:
    """What bench_mesh measures: 30 vehicles on a plane, a new scene for every frame."""
    rates = {f"{w} x {h}": bench_mesh.in_turns((w, h), rounds) for w, h in sizes}
    return {"vehicles": bench_mesh.VEHICLES, "seconds": bench_mesh.SECONDS, "rates": rates}


# --------------------------------------------------------------------------------------- workers


def workers(
    out: Path, images: int = 400, pairs: int = 3, threads: Sequence[int] = (0, 1, 2)
) -> Result:
    """The whole command, in turns; after one short run that nobody counts."""
    _generated(out, 8, 1, OURS, ())
    runs = []
    for pair in range(pairs):
        flat = _generated(out, images, 1, OURS, FLAT)
        runs.append({"pair": pair, "look": "flat", "threads": OURS, "workers": 1, **flat})
        for number in threads:
            for count in (1, 2):
                run = _generated(out, images, count, number, ())
                kind = {"pair": pair, "look": "default", "threads": number, "workers": count}
                runs.append({**kind, **run})
    return {"images": images, "runs": runs}


def _generated(
    out: Path, images: int, count: int, threads: int, sets: Sequence[str]
) -> dict[str, float]:
    """Seconds that `generate` reports, and those of the command with Python's start."""
    options = [item for text in ("image_format=png", *sets) for item in ("--set", text)]
    options += ["--count", str(images), "--workers", str(count), "--json"]
    environment = {**os.environ, "LP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory(dir=out.resolve()) as folder:
        command = [sys.executable, "-m", "datagen", "generate", WORLD, "--out", f"{folder}/made"]
        began = time.perf_counter()
        done = subprocess.run(
            [*command, *options],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        whole = time.perf_counter() - began
    return {"seconds": json.loads(done.stdout)["seconds"], "command": whole}


# ------------------------------------------------------------------------------------------ long


def long(
    out: Path, count: int = 5000, window: int = 300, settled: int = 1000, every: int = 100
) -> Result:
    """Flat frames with labels and audit in one process; then the first window's scenes again."""
    kept = _Long(np.zeros(count + window), np.zeros(count + window), [], [])
    with opened(recipe.load(WORLD, FLAT), SMALL) as make_frame:
        for k in range(count):
            kept.measure(make_frame, k, k)
            if k + 1 >= settled and (k + 1) % every == 0:
                kept.memory.append((k + 1, resident()))
        for k in range(window):
            kept.measure(make_frame, count + k, window + k)
    return {
        "frames": count,
        "window": window,
        "memory": kept.memory,
        "labels": kept.labels,
        "findings": len(kept.findings),
        "first findings": kept.findings[:20],
        **{name: _windows(values, window) for name, values in kept.times.items()},
    }


@dataclass
class _Long:
    """Arrays, not lists of objects: what measures memory must not grow itself."""

    wall: np.ndarray  # float64 [N], s
    cpu: np.ndarray  # float64 [N], s
    memory: list[tuple[int, int]]  # frames made, bytes
    findings: list[str]
    labels: int = 0

    @property
    def times(self) -> Mapping[str, np.ndarray]:
        return {"wall": self.wall, "cpu": self.cpu}

    def measure(self, make_frame: MakeFrame, place: int, index: int) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        frame = make_frame(index).frame
        annotations = labels.annotate(frame)
        found = audit.audit_frame(frame, annotations)
        self.wall[place] = time.perf_counter() - wall
        self.cpu[place] = time.process_time() - cpu
        self.labels += len(annotations)
        self.findings += [f"image {index}: {one.message}" for one in found]


def _windows(seconds: np.ndarray, window: int) -> dict[str, float]:
    """Seconds of a window of frames: after one to warm up, at the end, and the first ones again."""
    return {
        "first": float(seconds[window : 2 * window].sum()),
        "last": float(seconds[-2 * window : -window].sum()),
        "again": float(seconds[-window:].sum()),
    }


# ------------------------------------------------------------------------------------------ rays


def rays(out: Path, scenes: int = 5) -> Result:
    return {world: list(_compared(world, scenes)) for world in WORLDS}


def _compared(world: str, scenes: int) -> Iterator[dict[str, float]]:
    drawn = recipe.load(world)
    options = {k: v for k, v in drawn.renderers[-1].options.items() if k in ("camera", "sensor")}
    cast = drawn.model_copy(update={"renderers": (Part(use="raycast", options=options),)})
    with opened(drawn, SMALL) as make_frame, opened(cast, SMALL) as cast_frame:
        for index in range(scenes):
            one, other = make_frame(index)[1], cast_frame(index)[1]
            inner = agreement(one, other)
            yield {
                "inner": inner.pixels / one.instance_map.size,
                "owners": inner.owners,
                "depth": inner.depth,
                "all owners": float(_same_owners(one, other).mean()),
                "all depth": _same_depth(one, other),
            }


def _same_owners(one: Layout, other: Layout) -> np.ndarray:
    """bool [H, W]: the same thing, told by its node, and the same class."""
    first, second = _paths(one), _paths(other)
    return (first == second) & (one.class_map == other.class_map)


def _paths(layout: Layout) -> np.ndarray:
    names = np.full(max((i.id for i in layout.instances), default=0) + 1, "nothing", object)
    for instance in layout.instances:
        names[instance.id] = instance.path
    return names[layout.instance_map]


def _same_depth(one: Layout, other: Layout) -> float:
    """Share of all pixels whose depths are equal within 1 %, as `agreement` has it."""
    assert one.depth is not None and other.depth is not None
    return float(np.isclose(one.depth, other.depth, rtol=0.01, atol=0.0).mean())


# ------------------------------------------------------------------------------------------ look


@dataclass(frozen=True)
class Step:
    """What one row of the table draws, from a scene's nodes on."""

    name: str
    textures: bool = True
    shadows: int = 1024
    fine: int = 2
    silhouettes: bool = False
    normals: bool = False
    flow: bool = False


STEPS = (
    Step("flat", textures=False, shadows=0, fine=1),
    Step("+ textures", shadows=0, fine=1),
    Step("+ shadows 1024", fine=1),
    Step("+ supersample 2"),
    Step("+ supersample 4 in place of 2", fine=4),
    Step("supersample 2 + silhouettes", silhouettes=True),
    Step("+ normals", silhouettes=True, normals=True),
    Step("+ flow", silhouettes=True, normals=True, flow=True),
)
STAGING = "scene to pieces alone"
WHOLE = "whole frames of the renderer"
INTERVAL = 0.1  # s to the next instant, for flow


def look(
    out: Path, sizes: Sequence[tuple[int, int]] = SIZES, scenes: int = 32, rounds: int = 3
) -> Result:
    """Milliseconds a frame of each step, in turns, on the same scenes."""
    made = recipe.load(WORLD)
    generator = made.generator.component("generators")
    with generator.open(made.world()) as generate:
        drawn = generate([rng_for(made.seed, k, Stream.SCENE) for k in range(scenes)])
    found = {f"{w} x {h}": _looks(made, drawn, (w, h), rounds) for w, h in sizes}
    return {"scenes": scenes, "milliseconds": found}


def _looks(
    made: Recipe, scenes: Sequence[Scene], size: tuple[int, int], rounds: int
) -> dict[str, list[float]]:
    with _drawers(made, size) as drawers:
        for draw in drawers.values():
            _milliseconds(draw, scenes)  # to warm up
        readings: dict[str, list[float]] = {name: [] for name in drawers}
        for _ in range(rounds):
            for name, draw in drawers.items():
                readings[name].append(_milliseconds(draw, scenes))
    return readings


def _milliseconds(draw: Callable[[Scene], object], scenes: Sequence[Scene]) -> float:
    began = time.perf_counter()
    for scene in scenes:
        draw(scene)
    return 1e3 * (time.perf_counter() - began) / len(scenes)


@contextmanager
def _drawers(made: Recipe, size: tuple[int, int]) -> Iterator[dict[str, Callable[[Scene], object]]]:
    """By name, what draws a scene; the last is the product's own way, with boxes and sensor."""
    from renderers._families.table import families_of
    from renderers._gl import context

    grammar = made.world()
    cast = Cast.of(grammar, families_of(grammar))
    renderer = made.renderers[-1].component("renderers")
    rng = rng_for(made.seed, 0, Stream.RENDER)
    with context.opened(), renderer.open(grammar, frozenset()) as render:
        yield {
            STAGING: lambda scene: staged(scene, cast),
            **_steps(View.of(renderer.camera, *size), cast),
            WHOLE: lambda scene: render([replace(scene, canvas=size)], [rng]),
        }


def _steps(view: View, cast: Cast) -> dict[str, Callable[[Scene], object]]:
    """Needs a context, without which OpenGL cannot even be imported."""
    from renderers._gl.rasterizer import Look, Rasterizer
    from renderers._gl.view import FineView

    looks = dict.fromkeys((step.textures, step.shadows) for step in STEPS)
    rasterizers = {look: Rasterizer(Look(*look)) for look in looks}

    def drawer(step: Step) -> Callable[[Scene], object]:
        rasterizer = rasterizers[step.textures, step.shadows]
        fine = FineView(view, step.fine)

        def draw(scene: Scene) -> None:
            stage = staged(scene, cast)
            following = moved(stage, later(scene, INTERVAL)) if step.flow else None
            pixels = rasterizer.draw(stage, fine, following, normals=step.normals)
            if step.silhouettes:
                rasterizer.silhouettes(stage, fine, pixels.parts)

        return draw

    return {step.name: drawer(step) for step in STEPS}


# ------------------------------------------------------------------------------------------ main

# What a part returns is kept; `out` is where it may write meanwhile.
PARTS: dict[str, Callable[[Path], Result]] = {
    "frames": frames,
    "workers": workers,
    "long": long,
    "rays": rays,
    "look": look,
}


def main(out: Path, parts: Sequence[str]) -> None:
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        sys.exit(f"there is no part {unknown[0]}; parts: {' '.join(PARTS)}")
    out.mkdir(parents=True, exist_ok=True)
    if len(parts) == 1:
        keep(out, parts[0])
        return
    for part in parts:  # a process has one OpenGL context, and its environment, for life
        subprocess.run([sys.executable, __file__, str(out), part], check=True)


def keep(out: Path, part: str) -> None:
    before = _Spent.now()
    result = PARTS[part](out)
    others = _Spent.now().by_others_since(before)
    kept = {"machine": machine(), "others": others, "result": result}
    (out / f"{part}.json").write_text(json.dumps(kept, indent=1))
    sys.stdout.write(f"{part} is kept in {out / part}.json\n")


@dataclass(frozen=True)
class _Spent:
    """Seconds since some beginning."""

    wall: float
    all: float  # CPU, of every program on the machine
    own: float  # CPU, of this process and of the ended ones that it started

    @classmethod
    def now(cls) -> "_Spent":
        user, nice, system, _, _, irq, soft_irq, stolen = (
            int(field) for field in Path("/proc/stat").read_text().split()[1:9]
        )
        busy = user + nice + system + irq + soft_irq + stolen
        return cls(time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4]))

    def by_others_since(self, before: "_Spent") -> float:
        """Cores that other programs kept busy, on average."""
        others = (self.all - before.all) - (self.own - before.own)
        return max(others, 0.0) / (self.wall - before.wall)


_DEVICE = """
from renderers._gl import context
with context.opened() as device:
    print(device.renderer, f"OpenGL {device.version}", f"by {device.platform}", sep=", ")
"""


def machine() -> dict[str, str]:
    """OpenGL is asked in a process of its own: see `main`."""
    ask = [sys.executable, "-c", _DEVICE]
    gl = subprocess.run(ask, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout.strip()
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "CPU": models[0] if models else platform.machine(),
        "Python": platform.python_version(),
        "GL": gl,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:] or list(PARTS))
