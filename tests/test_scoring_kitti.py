"""KITTI's average precision: cases by hand, and a slow reading of the benchmark's definition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_scoring import found, labelled, thing

from datagen.dataset.export.to_kitti import HARDLY, OCCLUDED
from datagen.labelled import ANY
from datagen.scoring.kitti import DIFFICULTIES, is_judged, kitti, occlusion

NAMES = ("car", "van", "pedestrian", "person_sitting")
CAR, VAN, WALKER, SITTER = range(4)
LARGE, OTHER, THIRD = (0, 0, 80, 61), (100, 0, 80, 61), (0, 100, 80, 61)  # 60 px high to KITTI
SEEN = {"occluded": 0, "truncation": 0.0}


def car(box=LARGE, **facts):
    return thing(CAR, box, **{**SEEN, **facts})


def aps(truth, *hits, recalls="R40", name="car", **options):
    """easy, moderate, hard."""
    made = kitti(labelled(*truth, categories=NAMES), hits, **options)[recalls][name]
    return [made[key] for key in DIFFICULTIES]


# ------------------------------------------------------------------------------ cases by hand


def test_a_perfect_detector_has_an_ap_of_one_of_however_few_things():
    hits = found((CAR, LARGE, 0.9), (CAR, OTHER, 0.8))
    assert aps([[car(), car(OTHER)]], hits) == [1, 1, 1]
    assert aps([[car(), car(OTHER)]], hits, recalls="R11") == [1, 1, 1]


def test_half_of_the_things_found_gives_half_of_the_recalls():
    truth, hits = [[car(), car(OTHER)]], found((CAR, LARGE, 0.9))
    assert aps(truth, hits) == [0.5, 0.5, 0.5]  # of 1/40, 2/40, ... to 1
    assert aps(truth, hits, recalls="R11") == [pytest.approx(6 / 11)] * 3  # 0, 0.1, ... 0.5


def test_a_surer_false_alarm_lowers_the_precision_and_a_less_sure_one_does_not():
    truth = [[car()]]
    assert aps(truth, found((CAR, OTHER, 0.9), (CAR, LARGE, 0.8)))[0] == 0.5
    assert aps(truth, found((CAR, OTHER, 0.7), (CAR, LARGE, 0.8)))[0] == 1
    assert aps(truth, found((CAR, OTHER, 0.8), (CAR, LARGE, 0.8)))[0] == 0.5  # at one score


def test_the_second_detection_of_a_thing_is_wrong():
    truth = [[car(), car(THIRD)]]
    hits = found((CAR, LARGE, 0.9), (CAR, LARGE, 0.8), (CAR, THIRD, 0.7))
    assert aps(truth, hits)[0] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


@pytest.mark.parametrize(
    ("facts", "counts"),
    [
        ({"occluded": 0, "truncation": 0.15}, [True, True, True]),
        ({"occluded": 1, "truncation": 0.15}, [False, True, True]),
        ({"occluded": 0, "truncation": 0.16}, [False, True, True]),
        ({"occluded": 0, "truncation": 0.31}, [False, False, True]),
        ({"occluded": 2, "truncation": 0.5}, [False, False, True]),
        ({"occluded": 3, "truncation": 0.0}, [False, False, False]),
        ({"occluded": 0, "truncation": 0.51}, [False, False, False]),
    ],
)
def test_a_difficulty_asks_how_visible_and_how_whole_a_thing_is(facts, counts):
    hits = found((CAR, LARGE, 0.9), (CAR, OTHER, 0.8))
    alone = aps([[car(**facts)]], hits)
    assert [value is not None for value in alone] == counts
    # Where it does not count, to find it is no mistake.
    beside = aps([[car(**facts), car(OTHER)]], hits)
    assert beside == [1, 1, 1]


@pytest.mark.parametrize(
    ("height", "counts"),
    [
        (41, [True, True, True]),
        (40, [False, True, True]),
        (26, [False, True, True]),
        (25, [False] * 3),
    ],
)
def test_heights_are_from_the_centre_of_the_first_pixel_to_that_of_the_last(height, counts):
    alone = aps([[car((0, 0, 80, height))]], found((CAR, LARGE, 0.9)))
    assert [value is not None for value in alone] == counts


def test_detections_that_are_lower_than_the_difficulty_are_ignored():
    low = (100, 0, 80, 31)
    hits = found((CAR, low, 0.9), (CAR, LARGE, 0.8))
    assert aps([[car()]], hits) == [1, 0.5, 0.5]


def test_neighbouring_categories_are_neither_right_nor_wrong_one_way_only():
    van = thing(VAN, OTHER, **SEEN)
    assert aps([[car(), van]], found((CAR, OTHER, 0.9), (CAR, LARGE, 0.8)))[0] == 1
    sitter = thing(SITTER, OTHER, **SEEN)
    walker = thing(WALKER, LARGE, **SEEN)
    hits = found((WALKER, OTHER, 0.9), (WALKER, LARGE, 0.8))
    assert aps([[walker, sitter]], hits, name="pedestrian")[0] == 1
    assert aps([[car(), sitter]], found((CAR, OTHER, 0.9), (CAR, LARGE, 0.8)))[0] == 0.5
    hits = found((VAN, LARGE, 0.9), (VAN, OTHER, 0.8))
    assert aps([[car(), van]], hits, name="van")[0] == 0.5


def test_things_choose_in_the_order_of_the_labels_and_neighbours_with_them():
    van, own = thing(VAN, (0, 0, 80, 71), **SEEN), car((0, 20, 80, 71))
    hits = found((CAR, (0, 10, 80, 71), 0.9))  # on both
    assert aps([[own, van]], hits)[0] == 1
    assert aps([[van, own]], hits)[0] == 0


def test_detections_in_regions_without_labels_are_ignored_by_their_own_area():
    region = thing(ANY, (100, 0, 100, 100), ignored=True)
    inside, half, out = (110, 10, 50, 50), (80, 10, 45, 50), (70, 10, 45, 50)
    for box, ap in ((inside, 1), (half, 1), (out, 0.5)):
        hits = found((CAR, box, 0.9), (CAR, THIRD, 0.8))
        assert aps([[car(THIRD), region]], hits)[0] == ap, box


def test_a_thing_in_a_region_without_labels_is_still_found():
    region = thing(ANY, (0, 0, 200, 200), ignored=True)
    assert aps([[car(), region]], found((CAR, LARGE, 0.9))) == [1, 1, 1]


def test_officially_cars_have_to_overlap_more():
    shifted = (15, 0, 80, 61)  # an IoU of 64/94 by KITTI's boxes
    hits = found((CAR, shifted, 0.9))
    assert aps([[car()]], hits)[0] == 1
    assert aps([[car()]], hits, official=True)[0] == 0
    walker = thing(WALKER, LARGE, **SEEN)
    assert aps([[walker]], found((WALKER, shifted, 0.9)), name="pedestrian", official=True)[0] == 1


def test_nothing_found_is_zero_and_nothing_there_is_none():
    assert aps([[car()]], found()) == [0, 0, 0]
    assert aps([[]], found((CAR, LARGE, 0.9))) == [None, None, None]


def test_our_own_labels_are_as_occluded_as_their_export_says():
    def seen(visible, truncation=0.0):
        return occlusion(thing(CAR, LARGE, visible_fraction=visible, truncation=truncation))

    (clear, first), (partly, second) = OCCLUDED
    assert (seen(clear), seen(partly)) == (first, second) == (0, 1)
    assert (seen(clear - 0.01), seen(partly - 0.01), seen(HARDLY)) == (1, 2, 3)
    assert seen(0.4, truncation=0.5) == 0  # four fifths of what lies in the picture


def test_difficulties_are_told_only_where_occlusion_is_known_of_every_thing():
    assert is_judged(labelled([car(), thing(ANY, OTHER)], categories=NAMES))
    assert not is_judged(labelled([car(), thing(CAR, OTHER)], categories=NAMES))
    assert not is_judged(labelled([], categories=NAMES))


# ------------------------------------------------------------- the definition, read out slowly


def corners(box):
    return box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1


def area(c):
    return max(0.0, c[2] - c[0]) * max(0.0, c[3] - c[1])


def common(a, b):
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a, b):
    union = area(a) + area(b) - common(a, b)
    return common(a, b) / union if union else 0.0


def slow(truth, hits, category, level, least=0.5):
    """AP at 40 recalls: everything is matched anew for each score."""
    limits = DIFFICULTIES[level]
    neighbour = {"car": "van", "pedestrian": "person_sitting"}.get(truth.categories[category])
    points, total = [], 0
    for score in sorted({float(s) for one in hits for s in one.scores}, reverse=True) or [1.0]:
        right = wrong = total = 0
        for picture, one in zip(truth.pictures, hits, strict=True):
            left = []
            for box, s, c in zip(one.boxes.tolist(), one.scores, one.categories, strict=True):
                if c == category and s >= score:
                    place = corners(box)
                    left.append((float(s), place, place[3] - place[1] < limits.height))
            left.sort(key=lambda d: -d[0])
            wanted, ignored, regions = [], [], []
            for t in picture.things:
                if t.ignored or t.category == ANY:
                    regions += [t] if t.category in (ANY, category) else []
                elif t.category == category:
                    whole = t.facts["truncation"] <= limits.truncation
                    seen = t.facts["occluded"] <= limits.occluded
                    high = t.box[3] - 1 >= limits.height
                    (wanted if whole and seen and high else ignored).append(t)
                elif truth.categories[t.category] == neighbour:
                    ignored.append(t)
            total += len(wanted)
            own = [t for t in picture.things if t in wanted or t in ignored]
            for t in own:
                near = [d for d in left if iou(d[1], corners(t.box)) > least]
                high = [d for d in near if not d[2]]
                if high:
                    best = max(high, key=lambda d: iou(d[1], corners(t.box)))
                    right += t in wanted
                    left.remove(best)
                elif near:
                    left.remove(near[0])
            for _, place, low in left:
                inside = [common(place, corners(r.box)) > least * area(place) for r in regions]
                wrong += not low and not any(inside)
        if total and right + wrong:
            points.append((right / total, right / (right + wrong)))
    if not total:
        return None
    best = [max([p for r, p in points if r >= k / 40 - 1e-12], default=0.0) for k in range(1, 41)]
    return sum(best) / 40


places = st.tuples(
    st.integers(0, 60), st.integers(0, 60), st.sampled_from([30, 60]), st.sampled_from([20, 30, 60])
)
things = st.builds(
    lambda category, box, occluded, truncation, ignored: thing(
        category, box, ignored=ignored == 0, occluded=occluded, truncation=truncation
    ),
    st.sampled_from([ANY, CAR, CAR, CAR, VAN]),
    places,
    st.integers(0, 3),
    st.sampled_from([0.0, 0.2, 0.4, 0.6]),
    st.integers(0, 5),
)


@st.composite
def cases(draw):
    pictures = draw(st.lists(st.lists(things, max_size=4), max_size=3))
    hits = []
    for picture in pictures:
        near = st.sampled_from([one.box for one in picture]) if picture else places
        sure = st.sampled_from([0.2, 0.5, 0.6, 0.9])
        row = st.tuples(st.sampled_from([CAR, VAN]), st.one_of(near, places), sure)
        hits.append(found(*draw(st.lists(row, max_size=6))))
    return labelled(*pictures, categories=NAMES), hits


@settings(max_examples=150)
@given(cases())
def test_every_ap_is_what_the_definition_gives_when_read_out_slowly(case):
    truth, hits = case
    made = kitti(truth, hits)["R40"]
    for category in (CAR, VAN):
        for level in DIFFICULTIES:
            expected = slow(truth, hits, category, level)
            expected = None if expected is None else pytest.approx(expected)
            assert made[NAMES[category]][level] == expected, level
