"""Structure learning measured: digits, comparators, random laws, choosing, aerial, hard cases.

Run: python tests/benchmarks/metasim2.py OUT PATH/train-images-idx3-ubyte.gz [PART...]

Every run is the product's own `learn` on a folder of pictures; labels are read afterwards, to
score. Results are kept under OUT, one file a run, so parts can be run side by side and again;
docs/results-metasim2.md is written anew from all of them each time.
"""

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from metasim2_aerial import aerial_scores
from metasim2_page import page

from datagen import pipeline, recipe
from datagen.dataset.targets import load_targets
from datagen.digest import of_bytes
from datagen.features.cells import Features
from datagen.frames import opened
from datagen.learning.gap import gap, rank
from datagen.learning.job import LearnReport, learn_grammar
from datagen.rng import Stream, rng_for

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "results-metasim2.md"
PICTURES = 1000
SEEDS = (0, 1, 2)
JAGGED = range(10)  # targets with random laws
SHIPPED = (ROOT / "grammars" / "multi_mnist_line.scene").read_text()
COUNTS = SHIPPED[SHIPPED.index("choice(0 0.022") : SHIPPED.index("Digit -> zero")].rstrip()
CLASSES = SHIPPED[SHIPPED.index("Digit -> zero") : SHIPPED.index("bg {")].rstrip()
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# Arms at an equal number of renders, 51,200, all new in every iteration.
EQUAL = (
    "learn.reinforcement.batch=256",
    "learn.reinforcement.fresh=256",
    "learn.reinforcement.iterations=200",
    "learn.reinforcement.stop_at_floor=false",
    # A weight that suits kde would hold mmd, with its hundred times smaller costs, to the prior.
    "learn.reinforcement.prior_weight=[0.0, 0.0]",
)
ARMS: dict[str, tuple[str, ...]] = {
    "kde": (),
    "witness": ("learn.reinforcement.reward=witness",),
    "mmd": ("learn.reinforcement.reward=mmd",),
    "kde, H = d I": ("learn.reinforcement.bandwidth=d",),
    "presence embedding, H = d I": ("embedding", "learn.reinforcement.bandwidth=d"),
    "presence embedding, multiscale": ("embedding",),
}
RATES = (0.003, 0.01)  # each arm's learning rate is the best of these on the first seed
# Eight recipes to choose from without labels.
RECIPES: dict[str, tuple[str, ...]] = {
    "default": (),
    "60 iterations": ("learn.reinforcement.iterations=60",),
    "120 iterations": ("learn.reinforcement.iterations=120",),
    "H = d I": ("learn.reinforcement.bandwidth=d",),
    "median": ("learn.reinforcement.bandwidth=median",),
    "witness": ("learn.reinforcement.reward=witness",),
    "held to the prior": ("learn.reinforcement.prior_weight=[0.3, 0.3]",),
    "narrow kernels": ("learn.reinforcement.scales=[0.005, 0.02, 0.1]",),
}


class Bench:
    """One part at a time; what is there already is not run again."""

    def __init__(self, out: Path, mnist: Path) -> None:
        self.out, self.mnist = out, mnist.resolve()

    def digits(self) -> None:
        """The whole command, feature training included."""
        for seed in SEEDS:
            target = self._row("row", COUNTS, CLASSES)
            self._digits(f"digits/{seed}", target, seed, ())

    def jagged(self) -> None:
        for number in JAGGED:
            rng = rng_for(3000, number, Stream.EVALUATE)
            target = self._row(f"jagged-{number}", _random_counts(rng), _random_classes(rng))
            self._digits(f"jagged/{number}", target, 0, self._counting(0))

    def arms(self) -> None:
        """Equal tuning for all: the rate with the lowest count TV on the first seed."""
        for name in ARMS:
            found = {rate: self._arm(name, rate, SEEDS[0]) for rate in RATES}
            for seed in SEEDS[1:]:
                self._arm(name, min(found, key=lambda rate: found[rate]), seed)

    def choosing(self) -> None:
        """Eight recipes on a random target, ranked by pictures alone."""
        rng = rng_for(3100, 0, Stream.EVALUATE)
        target = self._row("chosen", _random_counts(rng), _random_classes(rng))
        seen: dict[str, np.ndarray] = {}
        real = np.zeros((0, 0))
        for name, sets in RECIPES.items():
            quick = ("learn.reinforcement.iterations=200", *sets)
            report = self._digits(f"choosing/{name}", target, 0, (*self._counting(0), *quick))
            if report is not None:
                seen[name] = report.comparison.learned.features
                real = report.comparison.target.features
        if len(seen) == len(RECIPES):
            total = real.shape[1] - 1
            ranked = rank(seen, real, groups=[[total]])
            order = [{"name": one.name, "distance": one.distance} for one in ranked]
            _keep(self.out / "choosing.json", {"ranked": order})

    def aerial(self) -> None:
        target = self._town()
        for seed in SEEDS:
            self._aerial(f"aerial/declared/{seed}", target, seed, ("learn.features.images=80000",))
        trained = self.out / "runs" / "aerial~declared~0" / "features.safetensors"
        same = (f"learn.features.weights={trained}",)
        self._aerial("aerial/not declared/0", target, 0, same, {" max 4": ""})
        spread = {"x: uniform(-0.5, 0.5) width": "x: spread(-0.5, 0.5, 1) width"}  # of the cars
        self._aerial("aerial/spread/0", target, 0, same, spread)

    def robust(self) -> None:
        row = self._row("row", COUNTS, CLASSES)
        features = self._counting(0)
        self._digits("robust/50 target pictures", self._first(row, 50), 0, features)
        self._digits("robust/20 % foreign pictures", self._foreign(row), 0, features)
        narrow = {"uniform_int(0, 10)": "uniform_int(2, 3)"}
        self._digits("robust/narrow prior, 2 or 3 digits", row, 0, features, narrow)
        sparse = {"uniform_int(0, 10)": "choice(0 0.6, 1 0.3, 2 0.1)"}
        self._digits("robust/sparse prior, 0 to 2 digits", row, 0, features, sparse)

    def both(self) -> None:
        """Structure, attributes, and one after the other: three runs, one neutral pair of eyes."""
        target = self._row("row", COUNTS, CLASSES)
        places = {f"{a}: uniform(11, 117) px": f"{a}: uniform(11, 117) px mutable" for a in "xy"}
        for stages in (["structure"], ["attributes"], ["structure", "attributes"]):
            sets = (*self._counting(0), f"learn.stages={json.dumps(stages)}")
            name = f"both/{' then '.join(stages)}"
            self._digits(name, target, 0, sets, places, lambda run: _by_cells(run, target))

    # ------------------------------------------------------------------------------------ runs

    def _arm(self, name: str, rate: float, seed: int) -> float:
        """Hidden count TV of one run."""
        with_embedding = "embedding" in ARMS[name]
        features = self._presence() if with_embedding else self._counting(seed)
        more = [one for one in ARMS[name] if one != "embedding"]
        rated = f"learn.reinforcement.learning_rate={rate}"
        run = f"arms/{name}/{rate}/{seed}"
        target = self._row("row", COUNTS, CLASSES)
        self._digits(run, target, seed, (*features, *EQUAL, *more, rated))
        return float(json.loads(self._file(run).read_text())["learned"]["count_tv"])

    def _file(self, name: str) -> Path:
        return self.out / "results" / f"{name.replace('/', '~')}.json"

    def _digits(
        self,
        name: str,
        target: Path,
        seed: int,
        sets: Sequence[str],
        prior: Mapping[str, str] = MappingProxyType({}),
        score: Callable[[Path], dict[str, Any]] = lambda run: {},
    ) -> LearnReport | None:
        assets = f"assets.digits={self.mnist}"
        loaded = self._recipe("multi_mnist", prior, (assets, f"learn.seed={seed}", *sets))
        return self._learn(name, loaded, target, score)

    def _recipe(self, world: str, prior: Mapping[str, str], sets: Sequence[str]) -> recipe.Recipe:
        """A shipped world whose text is changed."""
        text = (ROOT / "grammars" / f"{world}.scene").read_text()
        for old, new in prior.items():
            assert old in text
            text = text.replace(old, new)
        folder = self.out / "recipes"
        folder.mkdir(parents=True, exist_ok=True)
        scene = folder / f"{world}-{of_bytes(text.encode())[:12]}.scene"
        scene.write_text(text)
        written = scene.with_suffix(".toml")
        written.write_text(f'grammar = "{scene.name}"\n')
        return recipe.load(written, sets)

    def _learn(
        self,
        name: str,
        loaded: recipe.Recipe,
        target: Path,
        score: Callable[[Path], dict[str, Any]] = lambda run: {},
    ) -> LearnReport | None:
        file = self._file(name)
        run = self.out / "runs" / name.replace("/", "~").replace(" ", "-")
        if file.is_file() and not name.startswith("choosing"):
            return None
        start = time.monotonic()
        shown = time.monotonic()
        phases: dict[str, float] = {}

        def ticked(tick: Any) -> None:
            nonlocal shown
            phases[tick.phase] = phases.get(tick.phase, 0.0) + time.monotonic() - shown
            shown = time.monotonic()

        truth = target.with_name(f"{target.name}.json")
        report = learn_grammar(loaded, target, run, resume=True, truth=truth, progress=ticked)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        steps = [line for line in lines if line["phase"] == "reinforce"]
        settings = loaded.learn.reinforcement
        result = {
            "name": name,
            "seconds": time.monotonic() - start,
            "phases": phases,
            "iterations": len(steps),
            "renders": settings.batch + (len(steps) - 1) * min(settings.fresh, settings.batch),
            "kernel_spread": steps[-1]["kernel_spread"] if steps else None,
            "load": os.getloadavg()[1],
            **{k: v for k, v in report.to_json().items() if k != "run"},
            "gap": report.comparison.gaps["learned"].to_json()["distances"],
            **score(run),
        }
        _keep(file, result)
        return report

    def _aerial(
        self,
        name: str,
        target: Path,
        seed: int,
        sets: Sequence[str],
        prior: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        loaded = self._recipe("aerial", prior, (f"learn.seed={seed}", *sets, *_HELPERS))
        self._learn(name, loaded, target, lambda run: aerial_scores(run, target))

    # ---------------------------------------------------------------------------------- features

    def _counting(self, seed: int) -> tuple[str, ...]:
        """The counting network of the first part's run."""
        file = self.out / "runs" / f"digits~{seed}" / "features.safetensors"
        assert file.is_file(), "run the part `digits` first"
        return (f"learn.features.weights={file}", *_HELPERS)

    def _presence(self) -> tuple[str, ...]:
        name = "presence"
        file = self.out / "runs" / name / "features.safetensors"
        if not file.is_file():
            row = self._row("row", COUNTS, CLASSES)
            sets = ("learn.features.use=embedding", "learn.features.images=60000", *_HELPERS)
            self._digits(name, row, 0, (*sets, "learn.reinforcement.iterations=1"))
        return ("learn.features.use=embedding", f"learn.features.weights={file}", *_HELPERS)

    # ----------------------------------------------------------------------------------- targets

    def _row(self, name: str, counts: str, classes: str) -> Path:
        """A folder of pictures alone; their labels lie beside it, in NAME.json."""
        text = SHIPPED.replace(COUNTS, counts).replace(CLASSES, classes)
        return self._target(name, text, f'[assets]\ndigits = "{self.mnist}"\n')

    def _town(self) -> Path:
        return self._target("town", (ROOT / "grammars" / "aerial_town.scene").read_text(), "")

    def _target(self, name: str, text: str, assets: str) -> Path:
        folder = self.out / "targets"
        pictures = folder / name
        if not pictures.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.scene").write_text(text)
            toml = folder / f"{name}.toml"
            toml.write_text(f'grammar = "{name}.scene"\ncount = {PICTURES}\nseed = 77\n{assets}')
            labelled = folder / f"{name}.labelled"
            pipeline.generate(recipe.load(toml), labelled, workers=1, resume=True)
            shutil.copyfile(labelled / "annotations.json", folder / f"{name}.json")
            aside = folder / f"{name}.part"
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            for picture in labelled.glob("shards/*/*.png"):
                shutil.copyfile(picture, aside / picture.name)
            aside.rename(pictures)
        return pictures

    def _first(self, target: Path, count: int) -> Path:
        pictures = target.with_name(f"{target.name}-first-{count}")
        if not pictures.is_dir():
            pictures.mkdir()
            for picture in sorted(target.iterdir())[:count]:
                shutil.copyfile(picture, pictures / picture.name)
            _labels(target, pictures, count, 0)
        return pictures

    def _foreign(self, target: Path) -> Path:
        """One picture in five is of another place: an aerial view."""
        pictures = target.with_name(f"{target.name}-foreign")
        if not pictures.is_dir():
            pictures.mkdir()
            strangers = sorted(self._town().iterdir())
            for k, picture in enumerate(sorted(target.iterdir())):
                source = strangers[k] if k >= PICTURES * 4 // 5 else picture
                shutil.copyfile(source, pictures / picture.name)
            _labels(target, pictures, PICTURES * 4 // 5, PICTURES // 5)
        return pictures


_HELPERS: tuple[str, ...] = ("learn.helpers=0",)  # two parts run side by side


def _by_cells(run: Path, target: Path) -> dict[str, Any]:
    """The gap of 500 pictures of a run to the target's, by mean colours of cells."""
    made = recipe.load(run)
    with opened(made) as make_frame, Features().open() as extract:
        ours = extract(np.stack([make_frame(k)[1].image for k in range(500)]))
        theirs = extract(load_targets(target, made.world().canvas).images)
    found = gap(ours, theirs, rng_for(0, 3, Stream.EVALUATE), features="cells")
    return {"cells": found.to_json()["distances"]}


def _labels(target: Path, pictures: Path, count: int, unlabelled: int) -> None:
    """Labels of the first pictures; the others, if any, hold nothing of this world."""
    data = json.loads(target.with_name(f"{target.name}.json").read_text())
    data["images"] = data["images"][: count + unlabelled]
    kept = {image["id"] for image in data["images"][:count]}
    data["annotations"] = [a for a in data["annotations"] if a["image_id"] in kept]
    pictures.with_name(f"{pictures.name}.json").write_text(json.dumps(data))


def _random_counts(rng: np.random.Generator) -> str:
    """Counts 0 to 10 by Dirichlet(0.6): jagged."""
    shares = rng.dirichlet([0.6] * 11)
    return f"choice({', '.join(f'{n} {share:.4f}' for n, share in enumerate(shares))})\n"


def _random_classes(rng: np.random.Generator) -> str:
    shares = np.round(rng.dirichlet([1.5] * 10), 4)
    shares[-1] = 1 - shares[:-1].sum()
    alternatives = [f"{name} [{share:.4f}]" for name, share in zip(NAMES, shares, strict=True)]
    return f"Digit -> {' | '.join(alternatives)}"


def _keep(file: Path, result: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=1))


def main(out: Path, mnist: Path, parts: Sequence[str]) -> None:
    bench = Bench(out, mnist)
    for part in parts:
        getattr(bench, part)()
    files = sorted((out / "results").glob("*.json"))
    results = {data["name"]: data for data in (json.loads(file.read_text()) for file in files)}
    chosen = out / "choosing.json"
    ranked = json.loads(chosen.read_text())["ranked"] if chosen.is_file() else []
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    PAGE.write_text(page(results, ranked, machine))
    sys.stdout.write(PAGE.read_text())


PARTS = ("digits", "arms", "jagged", "choosing", "aerial", "robust", "both")

if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3:] or PARTS)
