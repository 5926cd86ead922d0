"""AP50 against the number of training pictures, and what more of them would bring.

The curve is AP50(n) = a - b n^-c with 0 <= a <= 1, b >= 0 and c in [0.05, 2]: a power law towards a
ceiling. An interval holds all values that the evaluations do not rule out, whatever a, b and c are
then (a profile of the squared error), so that what cannot be known makes it wide.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import lsq_linear, minimize_scalar
from scipy.stats import norm, t

from datagen.advising.evaluations import Evaluation

MORE = 10_000  # pictures
_FALLS = np.geomspace(0.05, 2.0, 80)  # c
_STEP = 0.001  # of AP50, in intervals
_WIDEST = 0.10  # of AP50; a wider interval is no answer
_LEAST_NOISE = 0.005  # of AP50: two trainings with other seeds never agree better
_ASTRAY = 0.02  # of AP50; points that lie farther from every curve lie on none
_NUMBERS = 40  # points of the drawn curve


@dataclass(frozen=True)
class Curve:
    """AP50(n) = a - b n^-c."""

    a: float
    b: float
    c: float

    def at(self, n: float) -> float:
        return self.a - self.b * n**-self.c


@dataclass(frozen=True)
class Points:
    """What was measured. `noise`: AP50 that two evaluations may differ by for no reason."""

    numbers: np.ndarray  # float64 [N], training pictures
    values: np.ndarray  # float64 [N], AP50 from 0 to 1
    noise: float  # one standard deviation


def budget(evaluations: Sequence[Evaluation], more: int = MORE) -> dict[str, Any]:
    """What the curve says, as plain data: `points`, and either `why` there is no curve, or the
    `curve`, the `gains` of more pictures, and the `band` that a figure shows."""
    known = [one for one in evaluations if one.trained_on and one.ap50 is not None]
    rows = sorted((one.trained_on or 0, one.ap50 or 0.0) for one in known)
    found: dict[str, Any] = {"points": [{"pictures": n, "AP50": value} for n, value in rows]}
    distinct = sorted({n for n, _ in rows})
    if len(distinct) < 3:
        numbers = " and ".join(f"{n:,}" for n in distinct) or "no known number of"
        return found | {
            "why": f"the evaluations are of {numbers} training pictures: a curve needs at least 3 "
            "different numbers; train on fewer and on more, evaluate on the same dataset, and name "
            "all evaluations"
        }
    points = Points(
        np.array([n for n, _ in rows], float), np.array([v for _, v in rows]), _noise(known)
    )
    curve, error = fit(points)
    if curve.b <= 0 or curve.at(distinct[-1] + more) - curve.at(distinct[-1]) < _STEP / 10:
        return found | {
            "why": "AP50 does not grow with the number of pictures here, so that no curve towards "
            "a ceiling can be told; look at other causes than the number of pictures"
        }
    apart = math.sqrt(error / len(rows))
    if apart > max(3 * points.noise, _ASTRAY):
        return found | {
            "why": f"the values lie {100 * apart:.1f} points from the nearest curve, far more than "
            "noise explains: something other than the number of pictures differs between these "
            "trainings, such as their steps or settings"
        }
    limit = error + _limit(points, error)
    steps = sorted({distinct[-1], more})
    return found | {
        "curve": {"a": curve.a, "b": curve.b, "c": curve.c, "noise": points.noise},
        "gains": [_gain(points, curve, limit, step) for step in steps],
        "band": _band(points, curve, limit, distinct[0], distinct[-1] + more),
    }


def _noise(evaluations: Sequence[Evaluation]) -> float:
    """As if AP50 were a share of the evaluated things: sqrt(p (1 - p) / things)."""
    p = float(np.mean([one.ap50 for one in evaluations if one.ap50 is not None]))
    things = max(one.things or one.pictures for one in evaluations)
    return max(math.sqrt(p * (1 - p) / max(1, things)), _LEAST_NOISE)


def fit(points: Points) -> tuple[Curve, float]:
    """The curve of least squared error, and that error."""
    scale = float(points.numbers.max())

    def best(c: float) -> tuple[Curve, float]:
        falling = (points.numbers / scale) ** -c  # near 1: a and b are of one size
        table = np.stack([np.ones_like(falling), -falling], axis=1)
        found = lsq_linear(table, points.values, bounds=([0.0, 0.0], [1.0, 10.0]))
        a, b = found.x.tolist()
        return Curve(a, b * scale**c, c), float(np.sum((table @ found.x - points.values) ** 2))

    start = min(range(len(_FALLS)), key=lambda k: best(_FALLS[k])[1])
    ends = _FALLS[max(0, start - 1)], _FALLS[min(len(_FALLS) - 1, start + 1)]
    refined = minimize_scalar(lambda c: best(c)[1], bounds=ends, method="bounded").x  # type: ignore[attr-defined]
    return min((best(float(c)) for c in (refined, _FALLS[start])), key=lambda pair: pair[1])


def _limit(points: Points, error: float) -> float:
    """How much more squared error a curve may have that is not ruled out at 95 %.

    The wider of two readings of the noise: the evaluated city's own, and the residuals'.
    """
    limit = (norm.ppf(0.975) * points.noise) ** 2
    free = len(points.numbers) - 3
    if free > 0:
        limit = max(limit, t.ppf(0.975, free) ** 2 * error / free)
    return float(limit)


def _gain(points: Points, curve: Curve, limit: float, more: int) -> dict[str, Any]:
    """What `more` pictures on top of the most that were tried would bring."""
    last = float(points.numbers.max())
    room = 1 - curve.at(last)
    low, high, open_ended = _interval(points, limit, last, last + more, -0.3, room)
    found = {"more": more, "pictures": int(last) + more, "low": low, "high": high}
    gain = curve.at(last + more) - curve.at(last)
    found["gain"] = None if open_ended or high - low > _WIDEST else gain
    return found


def _interval(
    points: Points, limit: float, old: float, new: float, lowest: float, highest: float
) -> tuple[float, float, bool]:
    """Least and largest AP50(new) - AP50(old) within the limit; whether an end was not reached."""
    gains = np.arange(lowest, highest + _STEP, _STEP)
    errors = np.full(len(gains), math.inf)
    for c in _FALLS:
        b = gains / (old**-c - new**-c)  # what makes this gain
        falling = points.numbers**-c
        a = np.clip(points.values.mean() + b * falling.mean(), 0.0, 1.0)
        predicted = a[:, None] - b[:, None] * falling
        errors = np.minimum(errors, ((predicted - points.values) ** 2).sum(axis=1))
    kept = np.flatnonzero(errors <= limit)
    if not len(kept):  # narrower than a step
        kept = np.array([int(errors.argmin())])
    ends = gains[kept[0]], gains[kept[-1]]
    return float(ends[0]), float(ends[1]), bool(kept[0] == 0 or kept[-1] == len(gains) - 1)


def _band(points: Points, curve: Curve, limit: float, first: int, last: int) -> dict[str, Any]:
    """The curve and its interval at numbers of pictures from `first` to `last`."""
    numbers = np.geomspace(first, last, _NUMBERS)
    low, high = zip(*(_values(points, limit, float(n)) for n in numbers), strict=True)
    middle = [curve.at(float(n)) for n in numbers]
    return {"pictures": numbers.tolist(), "AP50": middle, "low": [*low], "high": [*high]}


def _values(points: Points, limit: float, n: float) -> tuple[float, float]:
    """Least and largest AP50(n) within the limit."""
    values = np.arange(0.0, 1.0 + _STEP, _STEP)
    errors = np.full(len(values), math.inf)
    for c in _FALLS:
        apart = n**-c - points.numbers**-c  # AP50(n_i) = AP50(n) + b apart
        square = float(apart @ apart)
        b = ((points.values - values[:, None]) @ apart) / square if square > 0 else 0 * values
        b = np.minimum(b, (1 - values) * n**c)  # a ceiling of at most 1
        predicted = values[:, None] + b[:, None] * apart
        errors = np.minimum(errors, ((predicted - points.values) ** 2).sum(axis=1))
    kept = np.flatnonzero(errors <= limit)
    kept = kept if len(kept) else np.array([int(errors.argmin())])
    return float(values[kept[0]]), float(values[kept[-1]])
