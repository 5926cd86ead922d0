import dataclasses
import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from layouts import ellipse, layouts, paint, rectangle
from pycocotools import mask as coco_mask

from datagen import labels, rle
from datagen.errors import AuditError, InputError
from datagen.frame import Instance, Layout, Silhouette
from datagen.rng import Stream, rng_for


def two_rectangles() -> Layout:
    """A car of 10 x 6 pixels; a house covers its right 4 columns."""
    return paint(40, 24, [(1, rectangle(5, 8, 10, 6)), (2, rectangle(11, 2, 20, 16))])


def test_a_covered_rectangle_has_the_visible_fraction_that_one_counts_by_hand():
    car, house = labels.annotate(two_rectangles())
    assert car.bbox == (5, 8, 6, 6)
    assert car.area == 36
    assert car.amodal_area == 60
    assert car.visible_fraction == 36 / 60
    assert car.amodal_bbox == (5, 8, 10, 6)
    assert car.occluder == 2
    assert (house.visible_fraction, house.occluder, house.area) == (1.0, None, 320)


def test_categories_and_paths_are_those_of_the_thing():
    car, house = labels.annotate(two_rectangles())
    assert (car.instance_id, car.category_id, car.category, car.path) == (1, 1, "car", "0.1")
    assert (house.instance_id, house.category_id, house.category) == (2, 2, "house")


def test_truncation_counts_the_pixels_beyond_the_border():
    layout = paint(40, 24, [(1, rectangle(-3, -2, 10, 6)), (1, rectangle(35, 20, 10, 8))])
    left, right = labels.annotate(layout)
    assert left.bbox == (0, 0, 7, 4)
    assert left.amodal_bbox == (-3, -2, 10, 6)
    assert left.truncation == (60 - 28) / 60
    assert left.visible_fraction == 28 / 60
    assert left.occluder is None
    assert right.truncation == (80 - 20) / 80


def test_the_occluder_is_the_one_that_hides_most_also_when_the_border_hides_more():
    layout = paint(
        40,
        24,
        [(1, rectangle(-20, 4, 40, 10)), (2, rectangle(0, 4, 3, 9)), (3, rectangle(9, 4, 9, 9))],
    )
    assert labels.annotate(layout)[0].occluder == 3


def test_something_unlabelled_in_front_is_no_occluder_but_hides():
    layout = paint(40, 24, [(1, rectangle(5, 5, 10, 10))])
    layout.instance_map[5:10, 5:15] = 0  # as a bridge without a category would
    (thing,) = labels.annotate(layout)
    assert thing.visible_fraction == 0.5
    assert thing.occluder is None


def test_what_cannot_be_seen_has_no_label():
    hidden = paint(40, 24, [(1, rectangle(5, 5, 4, 4)), (2, rectangle(4, 4, 9, 9))])
    outside = paint(40, 24, [(1, rectangle(60, 5, 4, 4))])
    assert [a.instance_id for a in labels.annotate(hidden)] == [2]
    assert labels.annotate(outside) == []
    assert labels.annotate(paint(8, 8, [])) == []


def test_a_silhouette_with_an_empty_margin_still_has_a_tight_amodal_box():
    mask = np.zeros((9, 11), bool)
    mask[2:5, 3:9] = True
    (thing,) = labels.annotate(paint(40, 24, [(1, Silhouette(4, 6, mask))]))
    assert thing.amodal_bbox == thing.bbox == (7, 8, 6, 3)


def test_labels_come_in_the_order_of_ids_whatever_the_order_of_the_table():
    layout = two_rectangles()
    turned = dataclasses.replace(layout, instances=layout.instances[::-1])
    assert labels.annotate(turned) == labels.annotate(layout)


def test_ids_may_have_gaps():
    layout = two_rectangles()
    first, second = layout.instances
    moved = dataclasses.replace(
        layout,
        instance_map=np.where(layout.instance_map == 2, 900, layout.instance_map).astype(np.int32),
        instances=(first, dataclasses.replace(second, id=900)),
    )
    assert [(a.instance_id, a.occluder) for a in labels.annotate(moved)] == [(1, 900), (900, None)]


def test_an_annotation_is_plain_json():
    for annotation in labels.annotate(two_rectangles()):
        text = json.dumps(annotation.to_json(), allow_nan=False)
        back = json.loads(text)
        assert back == annotation.to_json()
        assert back["bbox"] == list(annotation.bbox)
        assert isinstance(back["segmentation"]["counts"], str)


def test_pixels_without_a_silhouette_are_refused():
    layout = two_rectangles()
    empty = Silhouette(0, 0, np.zeros((3, 3), bool))
    broken = (Instance(1, 1, "0.1", empty), layout.instances[1])
    with pytest.raises(AuditError, match=r"instance 1 \(0\.1\).*silhouette is empty"):
        labels.annotate(dataclasses.replace(layout, instances=broken))


def test_a_category_that_the_world_does_not_have_is_refused():
    layout = paint(20, 20, [(7, rectangle(3, 3, 4, 4))])
    with pytest.raises(AuditError, match="category 7"):
        labels.annotate(layout)


@settings(max_examples=150, deadline=None)
@given(layouts())
def test_masks_are_those_that_pycocotools_would_have_encoded(layout):
    for annotation in labels.annotate(layout):
        mask = layout.instance_map == annotation.instance_id
        expected = coco_mask.encode(np.asfortranarray(mask, np.uint8))
        assert annotation.segmentation["counts"] == expected["counts"].decode()
        assert annotation.segmentation["size"] == [layout.height, layout.width]
        assert annotation.area == mask.sum()
        rows, columns = np.nonzero(mask)
        x, y = columns.min(), rows.min()
        assert annotation.bbox == (x, y, columns.max() - x + 1, rows.max() - y + 1)


@settings(max_examples=100, deadline=None)
@given(layouts())
def test_fractions_agree_with_counting_on_a_canvas_that_holds_everything(layout):
    for annotation in labels.annotate(layout):
        shape = layout.instances[annotation.instance_id - 1].silhouette
        wide = Silhouette(shape.x + 64, shape.y + 64, shape.mask).inside(256, 256)
        inside = wide[64 : 64 + layout.height, 64 : 64 + layout.width]
        assert annotation.amodal_area == wide.sum()
        assert annotation.truncation == (wide.sum() - inside.sum()) / wide.sum()
        hidden = {i: int((layout.instance_map[inside] == i).sum()) for i in range(1, 10)}
        hidden.pop(annotation.instance_id)
        most = max(hidden.values())
        assert annotation.occluder == (
            next(i for i in hidden if hidden[i] == most) if most else None
        )


def test_the_amodal_mask_holds_the_hidden_pixels_but_ends_at_the_border():
    layout = paint(40, 24, [(1, rectangle(-3, 8, 10, 6)), (2, rectangle(2, 2, 20, 16))])
    mask = labels.amodal_rle(layout.instances[0], layout.height, layout.width)
    assert coco_mask.toBbox(mask).tolist() == [0, 8, 7, 6]
    assert isinstance(mask["counts"], str)


def test_annotating_many_things_does_not_cost_an_image_each():
    """A loop over full-size masks takes some 100 ms here; one pass takes about 4."""
    rng = rng_for(0, 0, Stream.SCENE)
    places = rng.integers(0, (900, 400), size=(100, 2)).tolist()
    layout = paint(1024, 512, [(1, ellipse(x, y, 60, 60)) for x, y in places])
    labels.annotate(layout)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        labels.annotate(layout)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.04


@settings(max_examples=200, deadline=None)
@given(layouts())
def test_the_length_of_a_string_is_the_number_of_its_pixels(layout):
    strings = [a.segmentation["counts"] for a in labels.annotate(layout)]
    assert rle.lengths(strings).tolist() == [layout.instance_map.size] * len(strings)


@pytest.mark.parametrize("text", ["", "0o", "zzzz", "o" * 1000, "é", " ", "oooooooooo0", "\x00"])
def test_a_broken_string_is_told_from_a_sound_one_beside_it(text):
    sound = rle.encode(np.eye(7, dtype=bool))["counts"]
    assert rle.lengths([sound, text, sound]).tolist() == [49, -1, 49]


def test_a_string_that_ends_early_is_never_decoded():
    """pycocotools would hand out whatever lies in memory."""
    short = {"size": [5, 7], "counts": "52305"}
    (result,) = rle.of_segmentations([short], 5, 7)
    assert isinstance(result, InputError)
