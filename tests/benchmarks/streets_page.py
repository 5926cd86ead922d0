"""docs/results-streets.md from the results that benchmarks/streets.py kept.

Run: python tests/benchmarks/streets_page.py OUT
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tables import spread, table

PAGE = Path(__file__).parents[2] / "docs" / "results-streets.md"
KB = 1024  # bytes
Kept = Mapping[str, Any]

_HEAD = """# Streets in 3D, measured

Figures are medians, with the lowest and the highest reading in brackets. Scenes are those of the
recipes' seed 0, from number 0 on. "Default look": the shipped recipe `street_urban`, with textures,
a shadow map of 1024 texels a side, 2 x 2 samples a pixel and the sensor; "flat": without textures
and shadows, one sample a pixel.
"""


@dataclass(frozen=True)
class Reach:
    """A figure that was aimed at; `held` judges one reading."""

    what: str
    wanted: str
    readings: Sequence[float]
    form: str
    held: Callable[[float], bool]

    @property
    def row(self) -> tuple[str, str, str, str]:
        middle = self.held(statistics.median(self.readings))
        verdict = "yes" if all(map(self.held, self.readings)) else "by the median" if middle else ""
        return self.what, self.wanted, spread(self.readings, self.form), verdict or "**no**"


@dataclass(frozen=True)
class Section:
    reaches: Sequence[Reach]
    text: str


def page(kept: Mapping[str, Kept]) -> str:
    sections = [make(kept[part]["result"]) for part, make in SECTIONS.items() if part in kept]
    reaches = [reach.row for section in sections for reach in section.reaches]
    aims = table(("what", "wanted", "measured", "reached"), reaches)
    parts = [_HEAD, *([aims] if reaches else []), *(section.text for section in sections)]
    return "\n".join([*parts, _machines(kept), _END])


# ---------------------------------------------------------------------------------------- frames

_FRAMES = """## Frames a second

{vehicles} vehicles on a plane, a new scene for every frame; image, ids and depth of each are read
back. Every contender runs in a process of its own, {rounds} times in turns, {seconds:.0f} s each;
ratios are those of one round. "pyrender, plain" builds its scene and meshes anew for every frame,
draws a colour pass and a pass of ids, and has llvmpipe's default number of threads (one a core)
where all others have one. "Bare OpenGL" is one instanced call for each geometry, in flat light,
with matrices worked out beforehand; ours begin with the scene's nodes. "With silhouettes": whole
frames as the product makes them, with silhouettes and boxes of all things.
"""
_PLAIN, _BARE, _FLAT = "pyrender, plain", "bare OpenGL", "ours, flat-lit"


def _frames(result: Kept) -> Section:
    rates: Mapping[str, Mapping[str, list[float]]] = result["rates"]
    reaches, tables = [], []
    for size, found in rates.items():
        plain, bare = ratios(found[_FLAT], found[_PLAIN]), ratios(found[_FLAT], found[_BARE])
        above = f"flat-lit frames/s at {size}, times "
        reaches.append(Reach(above + "plain pyrender", ">= 3", plain, ".2f", lambda x: x >= 3))
        reaches.append(Reach(above + "bare OpenGL", ">= 0.7", bare, ".2f", lambda x: x >= 0.7))
        columns = (size, "frames/s", "x plain pyrender", "x bare OpenGL")
        tables.append(table(columns, _contenders(found)))
    rounds = len(next(iter(rates.values()))[_PLAIN])
    head = _FRAMES.format(vehicles=result["vehicles"], rounds=rounds, seconds=result["seconds"])
    return Section(reaches, "\n".join([head, *tables]))


def _contenders(found: Mapping[str, list[float]]) -> Iterator[Sequence[str]]:
    for name, readings in found.items():
        to_others = [spread(ratios(readings, found[other]), ".2f") for other in (_PLAIN, _BARE)]
        yield name, spread(readings, ".1f"), *to_others


# --------------------------------------------------------------------------------------- workers

_WORKERS = """## Datasets written

`datagen generate street_urban` at 640 x 192 with PNG and COCO, {images} images; the seconds are
those that it reports, with the start of the workers, the loading of the renderer and the joining of
the shards. One worker and two in turns, {pairs} pairs; a ratio is that of one pair.
`LP_NUM_THREADS` is the number of llvmpipe's own threads in each process (0: it draws in the
thread that calls it); where nobody sets it, it is {ours}.
"""
_OURS = 1


def _workers(result: Kept) -> Section:
    images, runs = result["images"], result["runs"]

    def rates(look: str, threads: int, workers: int) -> list[float]:
        kind = look, threads, workers
        mine = [r for r in runs if (r["look"], r["threads"], r["workers"]) == kind]
        return [images / r["seconds"] for r in mine]

    rows, reaches = [], []
    for threads in sorted({r["threads"] for r in runs if r["look"] == "default"}):
        one, two = rates("default", threads, 1), rates("default", threads, 2)
        gain = ratios(two, one)
        rows.append((threads, spread(one, ".1f"), spread(two, ".1f"), spread(gain, ".2f")))
        if threads == _OURS:
            text = "images/s of two workers, times those of one"
            reaches.append(Reach(text, ">= 1.7", gain, ".2f", lambda x: x >= 1.7))
    columns = ("LP_NUM_THREADS", "1 worker, images/s", "2 workers, images/s", "ratio")
    pairs = 1 + max(r["pair"] for r in runs)
    head = _WORKERS.format(images=images, pairs=pairs, ours=_OURS)
    flat, default = rates("flat", _OURS, 1), rates("default", _OURS, 1)
    looks = f"One worker, flat: {spread(flat, '.1f')} images/s"
    if default:
        looks += f", {spread(ratios(flat, default), '.2f')} x the default look"
    return Section(reaches, "\n".join([head, table(columns, rows), looks + ".\n"]))


# ------------------------------------------------------------------------------------------ long

_LONG = """## A long run

{frames:,} frames of `street_urban` at 640 x 192, flat, in one process: each is made, labelled and
audited, {labels:,} labels in all. Memory (RSS) is read {readings} times from frame {settled:,} on;
its slope is that of least squares. A kB is 1,024 bytes. "First" is after {window} frames to warm
up. Other scenes cost otherwise, so the first {window} scenes are also made again at the end.
"""


def _long(result: Kept) -> Section:
    memory = np.array(result["memory"], float)
    slope, late = _slope(memory), _slope(memory[len(memory) // 2 :])
    window = result["window"]
    reaches = [
        Reach("memory, kB a frame", "< 1", [slope], "+.3f", lambda x: x < 1),
        *_drift(result, window),
        Reach(f"findings on {result['frames']:,} scenes", "0", [result["findings"]], ".0f", _none),
    ]
    rows = [
        (clock, *(f"{result[clock][name]:.2f}" for name in ("first", "last", "again")))
        for clock in ("cpu", "wall")
    ]
    columns = ("clock", f"first {window}, s", f"last {window}, s", "first scenes again, s")
    head = _LONG.format(
        readings=len(memory), settled=int(memory[0, 0]), **{k: result[k] for k in _OF_LONG}
    )
    grown = (
        f"Memory: {memory[0, 1] / KB**2:.1f} MB after {memory[0, 0]:,.0f} frames, "
        f"{memory[-1, 1] / KB**2:.1f} MB after {memory[-1, 0]:,.0f}; "
        f"{slope:+.3f} kB a frame, over the later half {late:+.3f}.\n"
    )
    found = "".join(f"- {text}\n" for text in result["first findings"])
    return Section(
        reaches, "\n".join([head, table(columns, rows), grown, *([found] * bool(found))])
    )


_OF_LONG = ("frames", "labels", "window")


def _drift(result: Kept, window: int) -> Iterator[Reach]:
    for clock, name in (("cpu", "CPU time"), ("wall", "wall time")):
        found = result[clock]
        what = f"{name} of the last {window} frames, times the first {window}"
        yield Reach(what, "0.95 to 1.05", [found["last"] / found["first"]], ".3f", _level)
        what = f"{name} of the first {window} frames' scenes made again at the end, times before"
        yield Reach(what, "0.95 to 1.05", [found["again"] / found["first"]], ".3f", _level)


def _slope(memory: np.ndarray) -> float:
    """kB a frame, of [N, 2]: frames made, bytes."""
    return float(np.polyfit(memory[:, 0], memory[:, 1] / KB, 1)[0])


def _level(ratio: float) -> bool:
    return abs(ratio - 1) <= 0.05


def _none(count: float) -> bool:
    return count == 0


# ------------------------------------------------------------------------------------------ rays

_RAYS = """## Rays

Default look beside `raycast`, which finds owners and depths without OpenGL, at
640 x 192, {scenes} scenes a world. Shares in %: of the pixels, those given to the same thing and
class (owners), and those whose depths are equal within 1 %. Edges are pixels with another owner
among their eight neighbours, in either picture.
"""


def _rays(result: Kept) -> Section:
    pairs = (("owners", "owners"), ("depth", "depth"))
    scenes = [scene for found in result.values() for scene in found]
    reaches = [
        Reach(
            f"pixels away from edges that agree with rays, {name}",
            ">= 99.9 %",
            [100 * scene[key] for scene in scenes],
            ".3f",
            lambda x: x >= 99.9,
        )
        for key, name in pairs
    ]
    keys = ("owners", "depth", "all owners", "all depth", "inner")
    rows = [
        (world, *(_worst_and_mean([scene[key] for scene in found]) for key in keys))
        for world, found in result.items()
    ]
    columns = (
        "world: worst scene (mean)", "owners, away from edges", "depth, away from edges",
        "owners, all pixels", "depth, all pixels", "pixels away from edges",
    )  # fmt: skip
    each = len(scenes) // len(result)
    return Section(reaches, "\n".join([_RAYS.format(scenes=each), table(columns, rows)]))


def _worst_and_mean(shares: Sequence[float]) -> str:
    return f"{100 * min(shares):.3f} ({100 * statistics.fmean(shares):.3f})"


# ------------------------------------------------------------------------------------------ look

_LOOK = """## What the look costs

Milliseconds a frame, on the same {scenes} scenes of `street_urban`, {rounds} times in turns in one
process. Each row begins with the scene's nodes and ends with arrays in memory; "+" adds to the row
above, and rows from "supersample 2 + silhouettes" on have 2 x 2 samples a pixel. The whole frames
are the product's, without normals and flow, with boxes and the sensor.
"""


def _look(result: Kept) -> Section:
    found: Mapping[str, Mapping[str, list[float]]] = result["milliseconds"]
    first = next(iter(found.values()))
    rows = [(name, *(spread(at[name], ".1f") for at in found.values())) for name in first]
    rounds = len(next(iter(first.values())))
    head = _LOOK.format(scenes=result["scenes"], rounds=rounds)
    return Section([], "\n".join([head, table(("drawn", *(f"{s}, ms" for s in found)), rows)]))


# ------------------------------------------------------------------------------------------- page

SECTIONS: dict[str, Callable[[Kept], Section]] = {
    "frames": _frames,
    "workers": _workers,
    "long": _long,
    "rays": _rays,
    "look": _look,
}

_END = """Made by `python tests/benchmarks/streets.py OUT` and
`python tests/benchmarks/streets_page.py OUT`.
"""


def _machines(kept: Mapping[str, Kept]) -> str:
    """Where each part was measured, and how much of that machine others used meanwhile."""
    ran = {part: kept[part] for part in SECTIONS if part in kept}
    rows = [(part, *r["machine"].values(), f"{r['others']:.2f}") for part, r in ran.items()]
    columns = ("part", "cores", "CPU", "Python", "OpenGL", "cores used by other programs")
    return "## Machine\n\n" + table(columns, rows)


def ratios(ones: Iterable[float], others: Iterable[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


def main(out: Path) -> None:
    files = {part: out / f"{part}.json" for part in SECTIONS}
    kept = {part: json.loads(f.read_text()) for part, f in files.items() if f.is_file()}
    PAGE.write_text(page(kept))
    sys.stdout.write(PAGE.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
