"""What a run says at its end: sentences that follow from its numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
from structures import rng

from datagen.learning.arranging import settled
from datagen.learning.gap import gap
from datagen.learning.gap.measure import Column
from datagen.learning.statements import last_readings, statements
from datagen.rng import Stream, rng_for

NAMES = ("car", "tree", "all")


def counts(cars, trees, pictures=300, index=0):
    """Pictures with Poisson counts and a little of a network's noise."""
    generator = rng(index)
    things = np.column_stack([generator.poisson(m, pictures) for m in (cars, trees)])
    whole = np.column_stack([things, things.sum(1)])
    return (whole + generator.normal(0, 0.02, whole.shape)).astype(np.float32)


def comparison(prior, learned, target, columns=NAMES):
    gaps = {
        name: gap(
            rows, target, rng_for(0, 3, Stream.EVALUATE), features="counts",
            columns=[Column(column, "count") for column in columns],
        )
        for name, rows in (("prior", prior), ("learned", learned))
    }  # fmt: skip
    return SimpleNamespace(gaps=gaps, columns=columns, target=SimpleNamespace(features=target))


def said(found, kind):
    return " ".join(one.text for one in found if one.kind == kind)


def test_what_came_home_and_what_did_not():
    target = counts(5, 2, index=1)
    found = statements(
        comparison(counts(1, 9, index=2), counts(5, 4, index=3), target), {}, strangers=[]
    )
    assert "fell to" in said(found, "learned") and "car (" in said(found, "learned")
    assert "tree (" in said(found, "not learned") and "car (" not in said(found, "not learned")


def test_a_match_is_called_one():
    target = counts(5, 2, index=1)
    found = statements(comparison(counts(2, 6, index=2), counts(5, 2, index=3), target), {}, [])
    assert "cannot tell the learned pictures from the target's" in said(found, "learned")
    assert said(found, "not learned") == ""


def test_no_progress_is_said():
    target = counts(5, 2, index=1)
    found = statements(comparison(counts(2, 6, index=2), counts(2, 6, index=3), target), {}, [])
    assert "as far from the target as before" in said(found, "not learned")


def test_nothing_to_learn_is_said():
    target = counts(5, 2, index=1)
    found = statements(comparison(counts(5, 2, index=2), counts(5, 2, index=3), target), {}, [])
    assert "little that they could teach" in said(found, "unknown")


def test_few_pictures_are_named():
    target = counts(5, 2, 40, index=1)
    found = statements(comparison(counts(2, 6, index=2), counts(5, 2, index=3), target), {}, [])
    assert "With 40 target pictures" in said(found, "unknown")


@pytest.mark.parametrize(
    ("last", "strangers", "words"),
    [
        ({"features": {"accuracy_all": 0.2}}, [], "20%"),
        ({"reinforce": {"kernel_spread": 0.001}}, [], "matches means only"),
        ({"reinforce": {"rejected": 2.0}}, [], "learn.max_steps"),
        ({}, ["a.png"] * 60, "60 target pictures (20%)"),
    ],
)
def test_warnings_name_the_remedy(last, strangers, words):
    target = counts(5, 2, index=1)
    same = comparison(counts(2, 6, index=2), counts(5, 2, index=3), target)
    assert words in said(statements(same, last, strangers), "warning")
    assert said(statements(same, {}, []), "warning") == ""


def test_last_readings_are_means_of_the_last_twenty():
    records = [{"phase": "reinforce", "iteration": k, "rejected": float(k)} for k in range(1, 41)]
    assert last_readings(records)["reinforce"]["rejected"] == pytest.approx(30.5)


def test_what_keeps_apart_in_the_target_is_said():
    target = counts(5, 2, index=1)
    together = comparison(counts(2, 6, index=2), counts(5, 2, index=3), target)
    shares = {"as written": 0.15, "along x": 0.27, "evenly along x": 0.30, "along y": 0.14}
    found = statements(together, {}, [], settled({**shares, "evenly along y": 0.14}))
    assert "apart along x" in said(found, "learned")
    assert "1.9 to 1" in said(found, "learned")
    assert "along y" not in said(found, "learned")
