"""All statistics of a generated set against a target, by one table of pairwise distances."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datagen.errors import InputError
from datagen.learning.gap.distances import SCALES, cubic, gaussians, typical_squared_distance
from datagen.learning.gap.draws import FEWEST, plan
from datagen.learning.gap.marginals import Kind, Marginal, marginal, observed
from datagen.learning.gap.reading import Reading, read
from datagen.learning.gap.statistics import gaussian_fit, quadratic

ROWS = 2000  # of a set; more are left out by chance, for pairs grow with the square
REPLICATES = 200
_WIDE = 128  # columns above which a Gaussian fit costs so much that fewer replicates must do
_FEW_REPLICATES = 20
_INCEPTION = "inception"  # the features that FID and KID are defined for
_SOURCES = {
    "counts": "counting features",
    "pixels": "pixel statistics",
    "squeezenet": "SqueezeNet features",
    "inception": "Inception features",
    "mask_rcnn": "Mask R-CNN features",
}


@dataclass(frozen=True)
class Column:
    """What a column of the features means, where it means something by itself."""

    name: str
    kind: Kind
    unit: str = ""


@dataclass(frozen=True)
class Scale:
    """Where the columns of features lie and how far they spread, for those without a unit."""

    centre: np.ndarray  # [D]
    spread: np.ndarray  # [D]

    def apply(self, rows: np.ndarray) -> np.ndarray:
        return (rows - self.centre) / self.spread


@dataclass(frozen=True)
class Gap:
    """Distances by name, all 0 for equal laws, and the columns one by one."""

    features: str
    distances: Mapping[str, Reading]  # frechet, kernel, mmd, energy
    marginals: tuple[Marginal, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "features": self.features,
            "distances": {name: one.to_json() for name, one in self.distances.items()},
            "marginals": [one.to_json() for one in self.marginals],
        }


def titles(features: str) -> dict[str, str]:
    """What a report calls the distances. FID and KID are names for Inception's features alone."""
    of = f"({_SOURCES.get(features, f'{features} features')})"
    inception = features == _INCEPTION
    return {
        "frechet": f"{'FID' if inception else 'Frechet distance'} {of}",
        "kernel": f"{'KID' if inception else 'kernel distance'} {of}",
        "mmd": f"squared MMD {of}",
        "energy": f"energy distance {of}",
    }


def gap(
    generated: np.ndarray,
    target: np.ndarray,
    rng: np.random.Generator,
    *,
    features: str = "given",
    columns: Sequence[Column] = (),
    scale: Scale | None = None,
    rows: int = ROWS,
    replicates: int = REPLICATES,
    progress: Callable[[str], None] = lambda what: None,
) -> Gap:
    """Set rows [M, D] of generated pictures against rows [N, D] of the target's.

    `scale`: that of `common_scale` where columns have no common unit. Kernels' widths follow from
    the target, so that readings of several generated sets against one target can be compared.
    `columns` names those that are also compared one by one. InputError for sets too small, or
    values that are no numbers.
    """
    x, y = _sample(generated, rng, rows), _sample(target, rng, rows)
    _check(x, y)
    whole = plan(len(x), len(y), rng, replicates, matched=False)
    matched = plan(len(x), len(y), rng, replicates, matched=True)
    few = matched.first(_FEW_REPLICATES) if x.shape[1] > _WIDE else matched
    raw = np.concatenate([x, y])
    scaled = raw if scale is None else scale.apply(raw)
    # FID and KID are defined on the features as they are.
    plain = torch.from_numpy(raw if features == _INCEPTION else scaled)
    progress("distances")
    d2 = pair_distances(torch.from_numpy(scaled))
    unit = typical_squared_distance(d2[len(x) :, len(x) :])
    readings = {
        "mmd": read(quadratic(gaussians(d2, unit, SCALES)), whole, biased=False),
        "energy": read(quadratic(-d2.sqrt()), whole, biased=False),
    }
    del d2
    inner = cubic(plain @ plain.T, plain.shape[1])
    readings["kernel"] = read(quadratic(inner), whole, biased=False)
    progress("Gaussian fits")
    readings["frechet"] = read(gaussian_fit(plain), few, biased=True)
    singles: list[Marginal] = []
    for k, column in enumerate(columns):
        progress(column.name)
        ours, theirs = (
            observed(np.rint(side[:, k]) if column.kind == "count" else side[:, k])
            for side in (x, y)
        )
        singles.append(marginal(column.name, column.kind, ours, theirs, matched, column.unit))
    return Gap(features, {name: readings[name] for name in titles(features)}, tuple(singles))


def pair_distances(rows: Tensor) -> Tensor:
    """Squared distances [N, N] of float64 rows [N, D], by the products of rows: D may be large."""
    centred = rows - rows.mean(0)
    norms = centred.square().sum(1)
    d2 = torch.addmm(norms[:, None] + norms[None], centred, centred.T, alpha=-2)
    # Differences of products leave rounding where rows are equal.
    d2[d2 < 1e-12 * float(norms.max())] = 0
    return d2


def common_scale(*sets: np.ndarray) -> Scale:
    """Mean and standard deviation of each column over all the rows together.

    Never the target's alone: its columns would then have deviation 1 and those of any other sample
    of its law would not, which a test with many columns takes for a difference (in trials with 30
    rows of 500 columns, in 80 % of them instead of 5 %).
    """
    rows = np.concatenate(sets).astype(np.float64)
    spread = rows.std(0)
    return Scale(rows.mean(0), np.where(spread > 0, spread, 1.0))


def _sample(features: np.ndarray, rng: np.random.Generator, rows: int) -> np.ndarray:
    """At most `rows` rows in random order, float64."""
    return features[rng.permutation(len(features))[:rows]].astype(np.float64)


def _check(x: np.ndarray, y: np.ndarray) -> None:
    if min(len(x), len(y)) < FEWEST:
        raise InputError(
            f"need at least {FEWEST} pictures on either side, found {len(x)} and {len(y)}"
        )
    for side, name in ((x, "generated"), (y, "target")):
        if not np.isfinite(side).all():
            raise InputError(f"features of {name} pictures hold values that are no numbers")
