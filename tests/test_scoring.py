"""COCO's measures: what they are on cases done by hand, and both evaluators bit for bit."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structures import rng

from datagen.errors import InputError, MissingError
from datagen.labelled import ANY, Detections, Labelled, Picture, Thing
from datagen.scoring import fast, reference
from datagen.scoring.coco import BACKENDS, score
from datagen.scoring.given import Numbered, read_detections
from datagen.scoring.matching import LET_PASS, NOTHING, match
from datagen.scoring.slices import average_precision
from datagen.scoring.tables import box_mask, found_table, truth_table

SIDES = (1, 2, 16, 32, 64, 96, 100)  # px; 32 x 32 and 96 x 96 lie on COCO's borders of size
SIZE = 200  # px of a picture


def thing(category, box, *, area=None, ignored=False, mask=False, **facts):
    area = float(box[2] * box[3]) if area is None else area
    return Thing(
        category, box, area, box_mask(box, SIZE, SIZE) if mask else None, ignored, facts=facts
    )


def labelled(*pictures, categories=("car", "tree"), masks=False):
    """One picture for each list of things."""
    made = [
        Picture(f"{k}.png", Path(f"{k}.png"), SIZE, SIZE, tuple(things))
        for k, things in enumerate(pictures)
    ]
    return Labelled(Path("set"), "coco", categories, tuple(made), masks)


def found(*rows, masks=False):
    """Detections of one picture; rows: (category, box, score)."""
    boxes = [row[1] for row in rows]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([row[2] for row in rows], np.float32),
        np.array([row[0] for row in rows], np.int32),
        tuple(box_mask(box, SIZE, SIZE) for box in boxes) if masks else None,
    )


CAR, FAR, TREE = (10, 10, 40, 40), (120, 120, 40, 40), (70, 20, 20, 60)


# ------------------------------------------------------------------------------ cases by hand


def test_a_perfect_detector_has_an_ap_of_one():
    truth = labelled([thing(0, CAR), thing(0, FAR), thing(1, TREE)])
    made = score(truth, [found((0, CAR, 0.9), (0, FAR, 0.8), (1, TREE, 0.7))])
    assert made.AP == made.AP50 == made.AP75 == made.AR100 == pytest.approx(1)
    assert pytest.approx(0.75) == made.AR1  # one of two cars, and the tree
    assert made.APs is None
    assert made.APm == pytest.approx(1)
    assert made.per_category["tree"] == {"AP": pytest.approx(1), "AP50": pytest.approx(1)}


def test_a_false_alarm_that_is_surest_halves_the_precision():
    truth = labelled([thing(0, CAR)])
    made = score(truth, [found((0, FAR, 0.9), (0, CAR, 0.8))])
    assert pytest.approx(0.5) == made.AP50


def test_what_cannot_be_measured_is_none_and_goes_to_json_as_null():
    made = score(labelled([]), [found((0, CAR, 0.9))])
    assert made.to_json()["AP"] is None
    assert made.to_json()["per_category"]["car"] == {"AP": None, "AP50": None}


@pytest.mark.parametrize("ignored", [thing(0, FAR, ignored=True), thing(ANY, FAR, ignored=True)])
def test_what_is_ignored_is_neither_right_nor_wrong_to_find_once_or_twice(ignored):
    truth = labelled([thing(0, CAR), ignored])
    inside = (125, 125, 10, 10)  # with a small IoU, but wholly in the region
    made = score(truth, [found((0, FAR, 0.9), (0, inside, 0.85), (0, CAR, 0.8))])
    assert pytest.approx(1) == made.AP50


def test_a_region_of_any_category_is_so_for_all_of_them():
    truth = labelled([thing(0, CAR), thing(1, TREE), thing(ANY, FAR)])
    made = score(truth, [found((0, FAR, 0.9), (1, FAR, 0.9), (0, CAR, 0.5), (1, TREE, 0.5))])
    assert pytest.approx(1) == made.AP50


def test_masks_are_scored_as_masks():
    truth = labelled([thing(0, CAR, mask=True), thing(ANY, FAR, ignored=True)], masks=True)
    half = (10, 10, 40, 18)
    hits = found((0, FAR, 0.9), (0, half, 0.8), masks=True)
    assert pytest.approx(0) == score(truth, [hits], "segm").AP50
    assert pytest.approx(1) == score(truth, [found((0, CAR, 0.8), masks=True)], "segm").AP


def test_labels_or_detections_without_masks_are_refused_for_masks():
    with pytest.raises(InputError, match="labels have no masks; score boxes"):
        score(labelled([thing(0, CAR)]), [found()], "segm")
    truth = labelled([thing(0, CAR, mask=True)], masks=True)
    with pytest.raises(InputError, match="detections have no masks"):
        score(truth, [found((0, CAR, 0.5))], "segm")


def test_detections_of_another_number_of_pictures_are_refused():
    with pytest.raises(InputError, match="detections of 1 pictures, and 2 pictures"):
        score(labelled([], []), [found()])


def test_scoring_prints_nothing(capsys):
    for backend in BACKENDS:
        score(labelled([thing(0, CAR)]), [found((0, CAR, 0.5))], "bbox", backend)
    assert capsys.readouterr() == ("", "")


def test_the_fast_evaluator_that_is_not_there_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(MissingError, match=r"datagen\[fast-eval\].*--backend pycocotools"):
        score(labelled([]), [found()], "bbox", "faster-coco-eval")


# -------------------------------------------------------------------- the same bits, both ways


def assert_same(truth, hits, kind="bbox"):
    """Both evaluators, and the matching that slices use, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tables = truth_table(truth, kind), found_table(truth, hits, kind)
        ours, theirs = reference.arrays(*tables, kind), fast.arrays(*tables, kind)
        matches = match(truth, hits)
    for name, values in ours.items():
        np.testing.assert_array_equal(theirs[name], values, err_msg=name)
    if kind == "bbox":
        for k, name in enumerate(truth.categories):
            counts = (matches.category == k) & (matches.target != LET_PASS)
            right = matches.target[counts] >= 0
            again = average_precision(right, int((matches.wanted == k).sum()))
            reference_ap = score(truth, hits).per_category[name]["AP50"]
            assert again == (None if reference_ap is None else pytest.approx(reference_ap))


boxes = st.tuples(
    st.integers(0, 100), st.integers(0, 100), st.sampled_from(SIDES), st.sampled_from(SIDES)
)
things = st.builds(
    lambda category, box, area, ignored: thing(
        category, box, area=area, ignored=ignored or category == ANY, mask=True
    ),
    st.integers(ANY, 1),
    boxes,
    st.sampled_from([None, 1.0, 1024.0, 9216.0, 1023.5]),
    st.booleans(),
)


@st.composite
def cases(draw):
    """Pictures and detections, many of them near the things, with many equal scores."""
    pictures = draw(st.lists(st.lists(things, max_size=5), max_size=4))
    hits = []
    for picture in pictures:
        near = [one.box for one in picture]
        places = st.one_of(boxes, st.sampled_from(near)) if near else boxes
        sure = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))
        rows = draw(st.lists(st.tuples(st.integers(0, 1), places, sure), max_size=8))
        hits.append(found(*rows, masks=True))
    return labelled(*pictures, masks=True), hits


@settings(max_examples=150)
@given(cases(), st.sampled_from(["bbox", "segm"]))
def test_both_evaluators_give_the_same_arrays(case, kind):
    assert_same(*case, kind)


def crowded(seed, count):
    """More detections of one category in a picture than COCO looks at."""
    draws = rng(seed)
    rows = []
    for _ in range(count):
        x, y = draws.integers(0, 150, 2).tolist()
        rows.append((0, (x, y, 40, 40), float(draws.choice([0.2, 0.5, draws.random()]))))
    return found(*rows)


ADVERSARIAL = {
    "no pictures": (labelled(), []),
    "no categories": (labelled([], categories=()), [found()]),
    "no truth at all": (labelled([], []), [found((0, CAR, 0.5)), found()]),
    "no detections at all": (labelled([thing(0, CAR)], []), [found(), found()]),
    "only ignored things": (labelled([thing(0, CAR, ignored=True)]), [found((0, CAR, 0.5))]),
    "a category that nobody has": (labelled([thing(0, CAR)]), [found((1, TREE, 0.5))]),
    "equal scores": (
        labelled([thing(0, CAR), thing(0, FAR)], [thing(0, TREE)]),
        [found((0, TREE, 0.5), (0, CAR, 0.5), (0, FAR, 0.5)), found((0, TREE, 0.5))],
    ),
    "two equal things on each other": (
        labelled([thing(0, CAR), thing(0, CAR)]),
        [found((0, CAR, 0.9), (0, CAR, 0.8), (0, CAR, 0.7))],
    ),
    "the surest alone is right": (
        labelled([thing(0, CAR)] + [thing(0, TREE)] * 300),
        [found((0, CAR, 0.9), (0, FAR, 0.8))],
    ),
    "the two surest are right": (
        labelled([thing(0, CAR), thing(0, FAR)] + [thing(0, TREE)] * 300),
        [found((0, CAR, 0.9), (0, FAR, 0.8), (0, (1, 1, 3, 3), 0.7))],
    ),
    "one pixel": (
        labelled([thing(0, (0, 0, 1, 1)), thing(0, (199, 199, 1, 1))]),
        [found((0, (0, 0, 1, 1), 0.5), (0, (198, 199, 2, 1), 0.4))],
    ),
    "areas on the borders": (
        labelled([thing(0, (0, 0, 32, 32)), thing(0, (50, 50, 96, 96))]),
        [found((0, (0, 0, 32, 32), 0.5), (0, (50, 50, 96, 96), 0.4), (0, (150, 0, 32, 32), 0.6))],
    ),
    "more than a hundred": (
        labelled([thing(0, CAR), thing(0, FAR)], [thing(0, CAR)]),
        [crowded(1, 130), crowded(2, 101)],
    ),
    "the hundred and first is right": (
        labelled([thing(0, CAR)]),
        [found(*[(0, FAR, 0.9)] * 100, (0, CAR, 0.5))],
    ),
    "the surest is on two things alike": (
        labelled([thing(0, (0, 0, 40, 40)), thing(0, (20, 0, 40, 40))]),
        [found((0, (10, 0, 40, 40), 0.9), (0, (0, 0, 40, 40), 0.8))],
    ),
    "a box without area": (labelled([thing(0, CAR)]), [found((0, (10, 10, 0, 0), 0.5))]),
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_both_evaluators_agree_where_it_is_hard(name):
    assert_same(*ADVERSARIAL[name])


def test_a_detector_of_many_pictures_is_scored_alike():
    draws, pictures, hits = rng(7), [], []
    for _ in range(40):
        boxes = [(*draws.integers(0, 150, 2).tolist(), 30, 40) for _ in range(6)]
        pictures.append([thing(k % 2, box) for k, box in enumerate(boxes)])
        shift = draws.integers(-9, 10, (6, 2)).tolist()
        hits.append(
            found(
                *(
                    (k % 2, (max(0, b[0] + dx), max(0, b[1] + dy), 30, 40), draws.random())
                    for k, (b, (dx, dy)) in enumerate(zip(boxes, shift, strict=True))
                )
            )
        )
    assert_same(labelled(*pictures), hits)


# -------------------------------------------------------------------------------- matching


def test_each_detection_says_what_it_found():
    truth = labelled([thing(0, CAR), thing(0, FAR, ignored=True), thing(1, TREE)])
    hits = found((0, CAR, 0.9), (0, CAR, 0.8), (0, FAR, 0.7), (1, TREE, 0.2), (0, TREE, 0.6))
    matches = match(truth, [hits])
    assert matches.score.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.2])
    assert matches.target.tolist() == [0, NOTHING, LET_PASS, NOTHING, 1]
    assert matches.found(0.5).tolist() == [True, False]


# -------------------------------------------------------------------------- files of detections


def write(path, text):
    path.write_text(text)
    return path


def test_a_list_of_coco_results_is_read_by_the_ids_of_its_dataset(tmp_path):
    truth = labelled([thing(0, CAR)], [])
    ids = Numbered({7: "0.png", 9: "1.png"}, {3: "tree", 5: "car"})
    rows = (
        '[{"image_id": 9, "category_id": 5, "bbox": [1, 2, 3, 4], "score": 0.25},'
        ' {"image_id": 9, "category_id": 3, "bbox": [1, 2, 3, 5], "score": 0.5}]'
    )
    made = read_detections(write(tmp_path / "r.json", rows), truth, ids)
    assert made.categories == ("tree", "car")
    assert len(made.found[0].scores) == 0
    assert made.found[1].categories.tolist() == [0, 1]  # the surest first
    assert made.found[1].masks is None
    other = write(tmp_path / "o.json", rows.replace('"image_id": 9', '"image_id": 8'))
    with pytest.raises(InputError, match="of image 8, category 5, which .* does not have; give"):
        read_detections(other, truth, ids)


def test_coco_results_of_masks_alone_have_the_boxes_of_their_masks(tmp_path):
    truth = labelled([thing(0, CAR, mask=True)], [], masks=True)
    one = {"image_id": 7, "category_id": 5, "score": 0.5}
    rows = [{**one, "segmentation": dict(box_mask(CAR, SIZE, SIZE))}]
    ids = Numbered({7: "0.png", 9: "1.png"}, {5: "car", 3: "tree"})
    made = read_detections(write(tmp_path / "r.json", json.dumps(rows)), truth, ids)
    assert made.found[0].boxes.tolist() == [list(CAR)]
    assert made.found[1].boxes.shape == (0, 4)
    assert [score(truth, made.found, kind).AP for kind in ("bbox", "segm")] == pytest.approx([1, 1])
    with pytest.raises(InputError, match="bbox"):
        read_detections(write(tmp_path / "r.json", json.dumps([one])), truth, ids)


def as_coco(**changes):
    """What `datagen predict` writes of two pictures, under ids of its own; lists with a change."""
    images = [
        {"id": k, "file_name": name, "width": SIZE, "height": SIZE}
        for k, name in ((5, "1.png"), (4, "0.png"), (6, "other.png"))
    ]
    label = {"id": 1, "image_id": 4, "category_id": 2, "bbox": [*CAR], "score": 0.5, "iscrowd": 0}
    corners = [10, 10, 50, 10, 50, 50, 10, 50]
    data = {
        "images": images,
        "annotations": [{**label, "segmentation": [corners]}],
        "categories": [{"id": 1, "name": "tree"}, {"id": 2, "name": "car"}],
    }
    for key, new in changes.items():
        data[key] = [] if new is None else [data[key][0] | new, *data[key][1:]]
    return json.dumps(data)


def test_a_coco_file_with_scores_is_read_by_the_names_in_it(tmp_path):
    truth = labelled([thing(0, CAR, mask=True)], [], masks=True)
    made = read_detections(write(tmp_path / "l.json", as_coco()), truth)
    assert made.categories == ("tree", "car")
    assert [len(one.scores) for one in made.found] == [1, 0]
    assert made.found[0].boxes.tolist() == [list(CAR)]
    assert made.found[0].categories.tolist() == [1]
    assert made.found[0].masks == (box_mask(CAR, SIZE, SIZE),)
    plain = write(tmp_path / "p.json", as_coco(annotations={"segmentation": []}))
    assert read_detections(plain, truth).found[0].masks is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": None}, r"has nothing about 2 of 2 pictures of set \(the first: 0.png\)"),
        ({"images": {"width": 40}}, "found in 1.png at 40 x 200 px, but its labels are for 200 x"),
        ({"annotations": {"score": None}}, "holds no detections, but labels without a `score`"),
        ({"annotations": {"category_id": 9}}, "category 9"),
        ({"annotations": {"bbox": [0, 0, -1, 5]}}, "not x, y, width, height"),
    ],
    ids=str,
)
def test_a_coco_file_that_does_not_fit_the_labels_is_refused(tmp_path, changes, words):
    truth = labelled([thing(0, CAR)], [])
    with pytest.raises(InputError, match=words):
        read_detections(write(tmp_path / "l.json", as_coco(**changes)), truth)


def ours(boxes="[[0, 0, 5, 5]]", scores="[0.5]", categories="[0]", masks="null"):
    row = f'"boxes": {boxes}, "scores": {scores}, "categories": {categories}, "masks": {masks}'
    return f'{{"categories": ["car"], "pictures": [{{"name": "0.png", {row}}}]}}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("{}", "holds no detections"),
        ("[]", "only a COCO dataset explains"),
        (ours(boxes="[[0, 0, NaN, 5]]"), "not finite"),
        (ours(boxes="[[0, 0, -1, 5]]"), "not x, y, width, height"),
        (ours(boxes='[["a", 0, 1, 5]]'), "holds no detections"),
        (ours(scores="[]"), "one score and category for each box"),
        (ours(categories="[1]"), "category's number"),
        (ours(masks="[]"), "one mask for each box"),
        (ours(masks='[{"size": [2, 2], "counts": "4"}]'), "mask size"),
        (ours(masks='[{"size": [200, 200], "counts": "4"}]'), "run lengths are broken"),
        (ours().replace("0.png", "other.png"), "nothing about 1 of 1 pictures"),
    ],
)
def test_broken_detections_are_refused_in_a_line_that_says_why(tmp_path, text, words):
    file = write(tmp_path / "d.json", text)
    with pytest.raises(InputError, match=words) as refused:
        read_detections(file, labelled([]))
    assert "d.json" in str(refused.value)
    assert "\n" not in str(refused.value)
