"""Where a detector fails: slices by what is known, and what was taken for what."""

import numpy as np
import pytest
from test_scoring import CAR, FAR, TREE, found, labelled, thing

from datagen.labelled import ANY
from datagen.scoring.coco import score
from datagen.scoring.confusion import best_threshold, confusion
from datagen.scoring.matching import match
from datagen.scoring.slices import Origin, slices

NEAR = (60, 130, 40, 40)


def sliced(truth, *hits, threshold=0.0, **options):
    """(factor, label) -> slice."""
    made = slices(match(truth, hits), truth, threshold, **options)
    keys = [(one.factor, one.label) for one in made]
    assert len(keys) == len(set(keys))
    return dict(zip(keys, made, strict=True))


def test_in_a_slice_other_things_are_no_misses_and_finding_them_is_no_mistake():
    clear, hidden = thing(0, CAR, visible_fraction=1.0), thing(0, FAR, visible_fraction=0.2)
    made = sliced(labelled([clear, hidden]), found((0, CAR, 0.9)))
    good, bad = made["visible_fraction", "0.95-1"], made["visible_fraction", "0.1-0.4"]
    assert (good.things, good.AP50, good.recall) == (1, pytest.approx(1), 1)
    assert (bad.things, bad.AP50, bad.recall) == (1, 0, 0)
    assert (bad.low, bad.high) == (0.1, 0.4)


def test_false_alarms_count_in_every_slice_but_by_height_in_their_own():
    tall, low = thing(0, (0, 0, 30, 90), distance=5.0), thing(0, (50, 0, 30, 20), distance=15.0)
    hits = found((0, (150, 0, 30, 90), 0.95), (0, tall.box, 0.9), (0, low.box, 0.8))
    made = sliced(labelled([tall, low]), hits)
    assert pytest.approx(0.5) == made["distance", "0-10"].AP50
    assert pytest.approx(0.5) == made["distance", "10-20"].AP50
    assert pytest.approx(0.5) == made["height", "80-160"].AP50
    assert pytest.approx(1) == made["height", "16-25"].AP50


def test_the_normalised_ap_does_not_fall_with_the_size_of_a_slice():
    """Ten far things of a thousand, found as often as all others, with a hundred false alarms."""
    pictures, hits = [], []
    for k in range(100):
        boxes = [(20 * n, 0, 15, 15) for n in range(10)]
        far = 30.0 if k % 10 == 0 else 5.0
        pictures.append([thing(0, b, distance=far if n == 0 else 5.0) for n, b in enumerate(boxes)])
        rows = [(0, b, 0.5 + 0.001 * n) for n, b in enumerate(boxes)]
        hits.append(found((0, (0, 150, 15, 15), 0.9), *rows))
    made = sliced(labelled(*pictures), *hits)
    few, many = made["distance", "30-50"], made["distance", "0-10"]
    assert (few.things, many.things) == (10, 990)
    assert few.AP50 < 0.1 < many.AP50
    assert few.normalised == pytest.approx(many.normalised, abs=0.02)


def test_the_slices_of_a_factor_hold_every_thing_once():
    truth = labelled(
        [
            thing(0, CAR, visible_fraction=v, truncation=t)
            for v in (0, 0.1, 0.4, 0.95, 1)
            for t in (0, 1)
        ]
    )
    made = sliced(truth, found())
    for factor in ("visible_fraction", "truncation", "height", "crowding", "things"):
        assert sum(one.things for (name, _), one in made.items() if name == factor) == 10
    assert made["truncation", "0"].things == 5


def test_what_nobody_knows_makes_no_slice():
    made = sliced(labelled([thing(0, CAR)]), found((0, CAR, 0.5)))
    assert {factor for factor, _ in made} == {"height", "crowding", "things"}


def test_crowding_counts_the_other_boxes_that_overlap():
    touching = (CAR[0] + CAR[2], CAR[1], 10, 10)
    truth = labelled(
        [thing(0, CAR), thing(1, (20, 15, 40, 40)), thing(1, touching), thing(ANY, CAR)]
    )
    made = sliced(truth, found())
    # The one in the middle overlaps both; regions without labels are no things.
    counts = {label: one.things for (factor, label), one in made.items() if factor == "crowding"}
    assert counts == {"1": 2, "2": 1}


def test_recall_is_at_the_score_that_is_given():
    truth = labelled([thing(0, CAR), thing(0, FAR)])
    hits = found((0, CAR, 0.9), (0, FAR, 0.3))
    assert sliced(truth, hits, threshold=0.5)["things", "2-3"].recall == 0.5
    assert sliced(truth, hits, threshold=0.3)["things", "2-3"].recall == 1


def test_things_are_sliced_by_the_symbols_and_rules_that_made_them():
    truth = labelled(
        [thing(0, CAR, path="0.0"), thing(0, FAR, path="1.0"), thing(1, TREE, path="2")]
    )
    origins = [
        {
            "0.0": Origin("car", frozenset({"Scene", "Lane"}), frozenset({0, 1})),
            "1.0": Origin("car", frozenset({"Scene", "Kerb"}), frozenset({0, 2})),
            "2": Origin("tree", frozenset({"Scene"}), frozenset({0})),
        }
    ]
    rules = {1: "Side -> Lane", 2: "Side -> Kerb"}
    made = sliced(truth, found((0, CAR, 0.9)), origins=origins, rules=rules)
    things = {key: one.things for key, one in made.items() if key[0] in ("symbol", "under", "rule")}
    assert things == {
        ("symbol", "car"): 2,
        ("symbol", "tree"): 1,
        ("under", "Lane"): 1,
        ("under", "Kerb"): 1,
        ("rule", "Side -> Lane"): 1,
        ("rule", "Side -> Kerb"): 1,
    }
    assert made["rule", "Side -> Lane"].to_json()["rule"] == 1
    assert made["under", "Kerb"].recall == 0
    assert "rule" not in made["under", "Kerb"].to_json()


def test_a_slice_with_all_things_has_the_ap_of_the_whole():
    truth = labelled([thing(0, CAR), thing(1, TREE)], [thing(0, FAR), thing(0, NEAR)])
    hits = [
        found((0, CAR, 0.9), (1, FAR, 0.95), (1, TREE, 0.3)),
        found((0, NEAR, 0.2), (0, TREE, 0.5)),
    ]
    made = sliced(truth, *hits)
    assert pytest.approx(score(truth, hits).AP50) == made["things", "2-3"].AP50
    assert made["things", "2-3"].normalised == pytest.approx(score(truth, hits).AP50)


# ------------------------------------------------------------------- thresholds and confusion


def test_the_best_score_balances_what_is_missed_and_what_is_wrong():
    truth = labelled([thing(0, CAR), thing(0, FAR)])
    hits = found((0, CAR, 0.9), (0, FAR, 0.6), (0, TREE, 0.5), (0, NEAR, 0.4))
    threshold, f1 = best_threshold(match(truth, [hits]))
    assert threshold == pytest.approx(0.6)
    assert f1 == 1


def test_detections_of_one_score_are_kept_or_dropped_together():
    truth = labelled([thing(0, CAR)])
    hits = found((0, CAR, 0.5), (0, TREE, 0.5), (0, NEAR, 0.5))
    assert best_threshold(match(truth, [hits])) == (0.5, 0.5)


def test_nothing_right_has_no_good_score():
    assert best_threshold(match(labelled([thing(0, CAR)]), [found((0, TREE, 0.5))])) == (1.0, 0.0)
    assert best_threshold(match(labelled([]), [found()])) == (1.0, 0.0)


def test_confusion_tells_what_was_taken_for_what():
    truth = labelled(
        [thing(0, CAR), thing(1, TREE), thing(1, FAR), thing(0, NEAR, ignored=True)],
        [thing(0, CAR)],
    )
    hits = found(
        (0, CAR, 0.9), (0, TREE, 0.8), (0, NEAR, 0.9), (1, (0, 150, 9, 9), 0.7), (1, FAR, 0.1)
    )
    table = confusion(match(truth, [hits, found()]), 0.5)
    assert table.tolist() == [[1, 0, 1], [1, 0, 1], [0, 1, 0]]


def test_confusion_counts_every_thing_and_every_detection_once():
    truth = labelled([thing(0, CAR), thing(1, CAR), thing(1, TREE)])
    hits = found((1, CAR, 0.9), (1, CAR, 0.8), (0, TREE, 0.7))
    table = confusion(match(truth, [hits]), 0.0)
    assert table[:-1].sum() == 3
    assert table[:, :-1].sum() == 3
    assert np.array_equal(table, [[0, 1, 0], [1, 1, 0], [0, 0, 0]])
