"""Prior and learned pictures beside the target: distances, histograms, contact sheets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.dataset.targets import Targets
from datagen.derivation import Derivation, sample_prior
from datagen.errors import InputError
from datagen.learning.counts import count_heads, count_things
from datagen.learning.features import CountFeatures
from datagen.learning.gap import NoiseFloor, energy_distance, noise_floor, total_variation
from datagen.learning.measuring import Measure
from datagen.learning.painting import Paint
from datagen.learning.strings import draw
from datagen.models.metasim2 import StructureModel
from datagen.recipe import Recipe
from datagen.report.sheet import contact_sheet, save_png
from datagen.rng import Stream, rng_for

# What the report calls the readings.
_MEASURES = {
    "distance": "energy distance of the features, things a picture",
    "count_tv": "things in a picture, total variation",
    "class_tv": "shares of the classes, total variation",
}
_SAMPLES = 1000  # pictures of the prior and of the model
_COUNTED = 10_000  # scenes whose things are counted; no picture is needed for that
_SHOWN = 24  # on a contact sheet
_FRESH = 1 << 40  # numbers of pictures that no training step has seen


@dataclass(frozen=True)
class Sample:
    """What is known or estimated about one law of pictures; each row is a picture or a scene."""

    images: np.ndarray  # uint8 [., H, W, 3], some to be looked at
    features: np.ndarray  # float32 [., heads]
    counts: np.ndarray  # int64 [., heads]; of scenes, or classified for the target

    @property
    def seen(self) -> np.ndarray:
        """int64 [., heads]: counts as the network sees them, for comparing like with like."""
        return np.rint(self.features).astype(np.int64)


@dataclass(frozen=True)
class Comparison:
    """Distances are energy distances between features; `floor` is what equal sets would show."""

    heads: tuple[str, ...]
    prior: Sample
    learned: Sample
    target: Sample
    truth: np.ndarray | None  # int64 [N, heads], counts of the target's labels when given
    floor: NoiseFloor
    sheets: Mapping[str, str]  # title -> file in the run folder

    def distances(self) -> dict[str, Any]:
        report: dict[str, Any] = {}
        for name, sample in (("prior", self.prior), ("learned", self.learned)):
            # Without labels, both sides are what the network sees: its errors are in both.
            ours = sample.seen if self.truth is None else sample.counts
            theirs = self.target.seen if self.truth is None else self.truth
            report[name] = {
                "distance": energy_distance(sample.features, self.target.features),
                "count_tv": _count_tv(ours, theirs),
                "class_tv": _class_tv(ours, theirs),
            }
        report["floor"] = {"distance": self.floor.high}
        report["distance_of_halves"] = self.floor.median
        if self.truth is not None:
            report["classify_and_count"] = {
                "count_tv": _count_tv(self.target.counts, self.truth),
                "class_tv": _class_tv(self.target.counts, self.truth),
            }
        report["against"] = (
            "counts as the network sees them" if self.truth is None else "labels of the target"
        )
        return report

    def report(self, **head: Any) -> dict[str, Any]:
        """What report.json holds."""
        distances = self.distances()
        shown = {
            law: {_MEASURES[key]: value for key, value in readings.items()}
            for law, readings in distances.items()
            if isinstance(readings, dict)
        }
        return {
            **head,
            "distances": shown,
            "histograms": [self._histogram(k) for k in range(len(self.heads) - 1, -1, -1)],
            "sheets": [{"title": title, "file": file} for title, file in self.sheets.items()],
        }

    def _histogram(self, head: int) -> dict[str, Any]:
        if self.truth is None:
            columns = {
                "prior": self.prior.seen[:, head],
                "learned": self.learned.seen[:, head],
                "target": self.target.seen[:, head],
            }
        else:
            columns = {
                "prior": self.prior.counts[:, head],
                "learned": self.learned.counts[:, head],
                "target (classified)": self.target.counts[:, head],
                "target (known)": self.truth[:, head],
            }
        size = max(int(c.max()) for c in columns.values()) + 1
        series = {
            name: (np.bincount(c, minlength=size) / len(c)).tolist() for name, c in columns.items()
        }
        name = self.heads[head]
        what = "things in a picture" if name == "all" else f"things of class {name}"
        return {
            "name": what if self.truth is not None else f"{what}, as the network counts them",
            "labels": [str(n) for n in range(size)],
            "series": series,
        }


def compare(
    recipe: Recipe,
    model: StructureModel,
    features: CountFeatures,
    paint: Paint,
    measure: Measure,
    targets: Targets,
    truth: np.ndarray | None,  # as `known_counts` gives them
    out: Path,
) -> Comparison:
    """Sample the prior and the model afresh, measure both against the target."""
    grammar, seed = recipe.world(), recipe.learn.seed
    rng = rng_for(seed, 1, Stream.EVALUATE)
    prior = [sample_prior(grammar, rng) for _ in range(_COUNTED)]
    learned = draw(model, _COUNTED, rng).derivations(model)

    def sample(derivations: list[Derivation], first: int) -> Sample:
        return Sample(
            images=paint(derivations[:_SHOWN], first),
            features=measure(derivations[:_SAMPLES], first),
            counts=count_things(grammar, derivations),
        )

    classified = features.most_likely(targets.images)
    samples = {
        "target": Sample(targets.images[:_SHOWN], features(targets.images), classified),
        "prior": sample(prior, _FRESH),
        "learned": sample(learned, _FRESH + _SAMPLES),
    }
    return Comparison(
        heads=count_heads(grammar),
        prior=samples["prior"],
        learned=samples["learned"],
        target=samples["target"],
        truth=truth,
        floor=noise_floor(samples["target"].features, rng),
        sheets={name: _sheet(out, name, sample) for name, sample in samples.items()},
    )


def known_counts(path: Path, heads: tuple[str, ...]) -> np.ndarray:
    """int64 [N, heads] from a COCO file's labels."""
    try:
        data = json.loads(path.read_text())
        names = {c["id"]: c["name"] for c in data["categories"]}
        rows = {image["id"]: k for k, image in enumerate(data["images"])}
        counts = np.zeros((len(rows), len(heads)), np.int64)
        for annotation in data["annotations"]:
            name = names[annotation["category_id"]]
            if name in heads:
                counts[rows[annotation["image_id"]], heads.index(name)] += 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as a COCO file with labels ({error})") from error
    if not rows:
        raise InputError(f"{path}: holds no images; give the labels of the target's pictures")
    if "all" in heads:
        counts[:, -1] = counts[:, :-1].sum(1)
    return counts


def _sheet(out: Path, name: str, sample: Sample) -> str:
    file = f"{name}.png"
    save_png(out / file, contact_sheet(list(sample.images), columns=8))
    return file


def _count_tv(a: np.ndarray, b: np.ndarray) -> float:
    """Total variation of the number of things in a picture."""
    return total_variation(np.bincount(a[:, -1]), np.bincount(b[:, -1]))


def _class_tv(a: np.ndarray, b: np.ndarray) -> float:
    """Total variation of how things are shared among the categories."""
    heads = slice(0, a.shape[1] - 1) if a.shape[1] > 1 else slice(0, 1)
    return total_variation(a[:, heads].sum(0) + 1e-9, b[:, heads].sum(0) + 1e-9)
