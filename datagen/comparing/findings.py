"""What a comparison found, as report.json holds it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from datagen import __version__
from datagen.comparing.extractors import Extractor
from datagen.comparing.labels import Labels, common
from datagen.comparing.sides import Side
from datagen.comparing.words import summary
from datagen.dataset.targets import display_name
from datagen.learning.gap import Gap, Marginal, Reading, verdict
from datagen.learning.gap.draws import plan
from datagen.learning.gap.marginals import Kind, Observed, histogram, marginal, observed
from datagen.learning.gap.measure import REPLICATES, titles
from datagen.rng import Stream, rng_for

TARGET, PRIOR = "target", "prior"


@dataclass(frozen=True)
class Found:
    """Sides and rows by name, "target" among them; gaps of all others against it."""

    extractor: Extractor
    sides: Mapping[str, Side]
    rows: Mapping[str, np.ndarray]  # float32 [pictures, D]
    gaps: Mapping[str, Gap]

    def report(self, seed: int) -> dict[str, Any]:
        described = {name: _described(side) for name, side in self.sides.items()}
        against = described.pop(TARGET)
        report = {
            "datagen": __version__,
            "title": f"{_listed([*described])} against {against['name']}",
            "target": against,
            "generated": described,
            "features": {
                "name": self.extractor.name,
                "sees": self.extractor.sees,
                "columns": self.rows[TARGET].shape[1],
            },
            "facts": self._facts(seed),
            "distances": [*self._distances()],
            "marginals": [*self._of_labels(seed), *self._of_features()],
            "sheets": [{"title": name, "file": f"{name}.png"} for name in _ordered(self.sides)],
        }
        return report | {"summary": summary(report)}

    def _facts(self, seed: int) -> dict[str, Any]:
        height, width = self.sides[TARGET].images.shape[1:3]
        return {
            **{f"pictures of {name}": len(side.images) for name, side in self.sides.items()},
            "compared at": f"{width} x {height} px",
            "features": f"{self.extractor.name}, {self.rows[TARGET].shape[1]} columns",
            "seed": seed,
        }

    def _distances(self) -> Iterator[dict[str, Any]]:
        for key, title in titles(self.extractor.name).items():
            readings = {name: one.distances[key] for name, one in self.gaps.items()}
            yield {"key": key, "title": title, "readings": _judged(readings)}

    def _of_features(self) -> Iterator[dict[str, Any]]:
        for k, column in enumerate(self.extractor.columns):
            whole = column.kind == "count"
            values = {
                name: observed(np.rint(table[:, k]) if whole else table[:, k])
                for name, table in self.rows.items()
            }
            singles = {name: one.marginals[k] for name, one in self.gaps.items()}
            title = f"{column.name}, as the network counts" if whole else column.name
            yield _marginal(title, "features", column.kind, singles, values)

    def _of_labels(self, seed: int) -> Iterator[dict[str, Any]]:
        """Marginals of what all sides have labels for."""
        labels: dict[str, Labels] = {}
        for name, side in self.sides.items():
            if side.labels is None:
                return
            labels[name] = side.labels
        against = labels[TARGET].pictures
        plans = {
            name: plan(
                one.pictures,
                against,
                rng_for(seed, 1, Stream.BOOTSTRAP),
                REPLICATES,
                matched=True,
            )
            for name, one in labels.items()
            if name != TARGET
        }
        for found in common([*labels.values()]):
            values = dict(zip(labels, found.sides, strict=True))
            singles = {
                name: marginal(
                    found.name, found.kind, values[name], values[TARGET], one, found.unit
                )
                for name, one in plans.items()
            }
            yield _marginal(found.name, "labels", found.kind, singles, values)


def _described(side: Side) -> dict[str, Any]:
    return {
        "name": display_name(side.folder.resolve().name),
        "folder": display_name(str(side.folder)),
        "pictures": len(side.images),
        "left_out": [list(pair) for pair in side.pictures.rejected],
        "labels": side.labels is not None,
    }


def _judged(readings: Mapping[str, Reading]) -> dict[str, Any]:
    prior = readings.get(PRIOR)
    return {
        name: one.to_json() | {"verdict": verdict(one, None if name == PRIOR else prior)}
        for name, one in readings.items()
    }


def _marginal(
    title: str,
    source: str,
    kind: Kind,
    singles: Mapping[str, Marginal],
    values: Mapping[str, Observed],
) -> dict[str, Any]:
    """A marginal of all sides, with the histograms that a figure shows."""
    labels, series = histogram(kind, {name: values[name] for name in _ordered(values)})
    first = next(iter(singles.values()))
    readings = {
        key: _judged({name: one.readings[key] for name, one in singles.items()})
        for key in first.readings
    }
    head = {"name": title, "of": source, "kind": kind, "unit": first.unit, "readings": readings}
    return head | {"labels": labels, "series": series}


def _ordered(names: Mapping[str, Any]) -> list[str]:
    """The prior, other generated sets, then the target."""
    return sorted(names, key=lambda name: (name != PRIOR, name == TARGET))


def _listed(names: list[str]) -> str:
    """a, b and c"""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
