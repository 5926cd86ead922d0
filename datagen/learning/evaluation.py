"""Prior and learned pictures beside the target: distances, histograms, contact sheets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datagen.dataset import coco
from datagen.derivation import Derivation, sample_prior
from datagen.errors import InputError
from datagen.features.counts import CountFeatures
from datagen.learning.counts import count_heads, count_things
from datagen.learning.gap import Gap, gap, total_variation
from datagen.learning.gap.measure import Column
from datagen.learning.measuring import Measure
from datagen.learning.painting import Paint
from datagen.learning.stages import Learned
from datagen.report.sheet import contact_sheet, save_png
from datagen.rng import Stream, rng_for

_SAMPLES = 1000  # pictures of the prior and of the model
_COUNTED = 10_000  # scenes whose things are counted; no picture is needed for that
_SHOWN = 24  # pictures on a contact sheet
_FRESH = 1 << 40  # numbers of pictures that no training step has seen

# What the report calls the readings.
_MEASURES = {
    "mmd": "squared MMD of the features, narrow and wide kernels",
    "distance": "energy distance of the features",
    "count_tv": "things in a picture, total variation",
    "class_tv": "shares of the classes, total variation",
}


@dataclass(frozen=True)
class Sample:
    """What is known or estimated about one law of pictures; each row is a picture or a scene."""

    images: np.ndarray  # uint8 [., H, W, 3], some to be looked at
    features: np.ndarray  # float32 [., D]
    counts: np.ndarray | None  # int64 [., heads]; of scenes, or classified for the target


@dataclass(frozen=True)
class Comparison:
    """Prior and learned pictures against the target, by features and by what scenes hold."""

    heads: tuple[str, ...]
    columns: tuple[str, ...]  # names of the features that count things; () for other features
    prior: Sample
    learned: Sample
    target: Sample
    truth: np.ndarray | None  # int64 [N, heads], counts of the target's labels when given
    gaps: Mapping[str, Gap]  # of "prior" and "learned"
    sheets: Mapping[str, str]  # title -> file in the run folder

    def distances(self) -> dict[str, Any]:
        report: dict[str, Any] = {}
        for name, sample in (("prior", self.prior), ("learned", self.learned)):
            readings = self.gaps[name].distances
            report[name] = {"mmd": readings["mmd"].value, "distance": readings["energy"].value}
            ours, theirs = self._counts(sample)
            if ours is not None and theirs is not None:
                report[name]["count_tv"] = _count_tv(ours, theirs)
                report[name]["class_tv"] = _class_tv(ours, theirs)
        floors = self.gaps["learned"].distances
        report["floor"] = {"mmd": floors["mmd"].floor.high, "distance": floors["energy"].floor.high}
        report["distance_of_halves"] = floors["energy"].floor.median
        if self.truth is not None and self.target.counts is not None:
            report["classify_and_count"] = {
                "count_tv": _count_tv(self.target.counts, self.truth),
                "class_tv": _class_tv(self.target.counts, self.truth),
            }
        if self.truth is not None:
            report["against"] = "labels of the target"
        elif self.columns:
            report["against"] = "counts as the network sees them"
        return report

    def _counts(self, sample: Sample) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Counts of the sample and of the target, in the same way."""
        if self.truth is not None:
            return sample.counts, self.truth
        # Without labels, both sides are what the network sees: its errors are in both.
        return self._seen(sample), self._seen(self.target)

    def _seen(self, sample: Sample) -> np.ndarray | None:
        """int64 [., heads]: counts as the network sees them."""
        if not self.columns:
            return None
        return np.rint(sample.features[:, : len(self.heads)]).astype(np.int64)

    def report(self, **head: Any) -> dict[str, Any]:
        """What report.json holds."""
        shown = {
            law: {_MEASURES[key]: value for key, value in readings.items()}
            for law, readings in self.distances().items()
            if isinstance(readings, dict)
        }
        heads = range(len(self.heads) - 1, -1, -1)
        can_count = bool(self.columns) or self.truth is not None
        return {
            **head,
            "distances": shown,
            "gaps": {name: one.to_json() for name, one in self.gaps.items()},
            "histograms": [self._histogram(k) for k in heads] if can_count else [],
            "sheets": [{"title": title, "file": file} for title, file in self.sheets.items()],
        }

    def _histogram(self, head: int) -> dict[str, Any]:
        if self.truth is None:
            seen = {"prior": self.prior, "learned": self.learned, "target": self.target}
            found = {name: self._seen(sample) for name, sample in seen.items()}
        else:
            found = {
                "prior": self.prior.counts,
                "learned": self.learned.counts,
                "target (classified)": self.target.counts,
                "target (known)": self.truth,
            }
        columns = {name: counts[:, head] for name, counts in found.items() if counts is not None}
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


def known_counts(path: Path, heads: tuple[str, ...]) -> np.ndarray:
    """int64 [N, heads] from a COCO file's labels."""
    data = coco.read(path)
    if not data["images"]:
        raise InputError(f"{path}: holds no images; give the labels of the target's pictures")
    coco.check_links(path, data)
    names = {category["id"]: category["name"] for category in data["categories"]}
    if not set(names.values()) & set(heads):
        raise InputError(
            f"{path}: none of its categories ({', '.join(list(names.values())[:8])}) is one of "
            f"the grammar's: {', '.join(heads)}"
        )
    rows = {image["id"]: k for k, image in enumerate(data["images"])}
    counts = np.zeros((len(rows), len(heads)), np.int64)
    for label in data["annotations"]:
        name = names[label["category_id"]]
        if name in heads and not label.get("iscrowd"):  # a crowd is no thing
            counts[rows[label["image_id"]], heads.index(name)] += 1
    if "all" in heads:
        counts[:, -1] = counts[:, :-1].sum(1)
    return counts


def _sheet(out: Path, name: str, images: np.ndarray) -> str:
    """Write a contact sheet into the run folder; its file name."""
    file = f"{name}.png"
    save_png(out / file, contact_sheet(list(images), columns=8))
    return file


def _count_tv(a: np.ndarray, b: np.ndarray) -> float:
    """Total variation of the number of things in a picture."""
    return total_variation(np.bincount(a[:, -1]), np.bincount(b[:, -1]))


def _class_tv(a: np.ndarray, b: np.ndarray) -> float:
    """Total variation of how things are shared among the categories."""
    heads = slice(0, a.shape[1] - 1) if a.shape[1] > 1 else slice(0, 1)
    return total_variation(a[:, heads].sum(0) + 1e-9, b[:, heads].sum(0) + 1e-9)


def compare(learned: Learned, truth: np.ndarray | None) -> Comparison:
    """Sample the prior and the model afresh, measure both against the target.

    `truth`: counts of the target's labels, as `known_counts` gives them.
    """
    recipe, targets = learned.recipe, learned.targets
    grammar, seed, out = recipe.world(), recipe.learn.seed, learned.run.path
    rng = rng_for(seed, 1, Stream.EVALUATE)
    prior = [sample_prior(grammar, rng) for _ in range(_COUNTED)]
    drawn = learned.derivations(_COUNTED, rng)
    spacing = learned.placer.choose(_SAMPLES, rng)

    def sample(
        strings: list[Derivation], first: int, paint: Paint, measure: Measure, how: list[int]
    ) -> Sample:
        return Sample(
            images=paint(strings[:_SHOWN], first, how[:_SHOWN]),
            features=measure(strings[:_SAMPLES], first, how),
            counts=count_things(grammar, strings),
        )

    counted = isinstance(learned.extract, CountFeatures)
    classified = learned.extract.most_likely(targets.images) if counted else None
    samples = {
        "target": Sample(targets.images[:_SHOWN], learned.real, classified),
        "prior": sample(prior, _FRESH, learned.prior_paint, learned.prior_measure, []),
        "learned": sample(drawn, _FRESH + _SAMPLES, learned.paint, learned.measure, spacing),
    }
    columns = learned.extract.heads.columns() if counted else ()
    name = recipe.learn.features.use
    gaps = {
        law: gap(
            samples[law].features,
            learned.real,
            rng_for(seed, 3, Stream.EVALUATE),  # the same halves of the target for both
            features=name,
            columns=[Column(column, "count") for column in columns],
        )
        for law in ("prior", "learned")
    }
    return Comparison(
        heads=count_heads(grammar),
        columns=columns,
        prior=samples["prior"],
        learned=samples["learned"],
        target=samples["target"],
        truth=truth,
        gaps=gaps,
        sheets={law: _sheet(out, law, one.images) for law, one in samples.items()},
    )
