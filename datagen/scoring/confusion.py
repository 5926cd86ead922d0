"""What was taken for what, above the score where precision and recall balance best."""

from collections.abc import Mapping

import numpy as np

from datagen.scoring.matching import LET_PASS, NOTHING, Matches, choose, overlaps


def best_threshold(matches: Matches) -> tuple[float, float]:
    """(score, F1): where the harmonic mean of precision and recall over all things is highest.

    The lowest such score; (1, 0) when nothing right was found.
    """
    counts = matches.target != LET_PASS
    score, right = matches.score[counts], matches.target[counts] >= 0
    if not right.any():
        return 1.0, 0.0
    # Detections of one score come together.
    last = np.append(score[1:] != score[:-1], True)
    f1 = 2 * np.cumsum(right) / (np.arange(1, len(score) + 1) + len(matches.targets))
    f1 = np.where(last, f1, -1.0)
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    return float(score[best]), float(f1[best])


def confusion(matches: Matches, threshold: float) -> np.ndarray:
    """int [K + 1, K + 1]: what a thing is, what it was taken for; the last: nothing.

    First within each category, as scored; what is left over there goes to things of any other.
    """
    size = len(matches.categories)
    table = np.zeros((size + 1, size + 1), np.int64)
    sure = matches.score >= threshold
    right = sure & (matches.target >= 0)
    np.add.at(table, (matches.category[right], matches.category[right]), 1)
    left = ~matches.found(threshold)
    wrong = sure & (matches.target == NOTHING)
    rows = _by_picture(matches.picture, wrong)
    places = np.array([one.picture for one in matches.targets], np.intp)
    wanted = matches.wanted
    for number, theirs in _by_picture(places, left).items():
        mine = rows.get(number, np.zeros(0, np.intp))
        things = [matches.targets[k].thing for k in theirs]
        chosen = choose(overlaps(matches.box[mine], things), np.zeros(len(things), bool))
        for row, column in zip(mine.tolist(), chosen.tolist(), strict=True):
            if column >= 0:
                table[wanted[theirs[column]], matches.category[row]] += 1
                left[theirs[column]], wrong[row] = False, False
    table[:size, size] = np.bincount(wanted[left], minlength=size)
    table[size, :size] = np.bincount(matches.category[wrong], minlength=size)
    return table


def _by_picture(picture: np.ndarray, chosen: np.ndarray) -> Mapping[int, np.ndarray]:
    """Picture -> the chosen rows in it, in their order."""
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(picture[rows], kind="stable")]
    numbers, starts = np.unique(picture[order], return_index=True)
    return (
        dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)) if len(rows) else {}
    )
