"""COCO files of any tool, and what more is known of our own datasets."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen import rle
from datagen.dataset import coco
from datagen.errors import InputError
from datagen.labelled import Labelled, Thing
from datagen.pipeline import generate
from datagen.reading import read
from datagen.recipe import load

SQUARE = [[10, 10, 20, 10, 20, 20, 10, 20]]


def label(**change: object) -> dict:
    plain = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 10, 10, 10], "area": 100}
    return plain | {"iscrowd": 0, "segmentation": SQUARE} | change


def dump(folder: Path, *labels: dict, **change: object) -> Path:
    """A COCO file with one picture of 40 x 30 px beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30)).save(folder / "a.png")
    data = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "categories": [{"id": 3, "name": "car"}, {"id": 0, "name": "cat"}],
        "annotations": list(labels),
    }
    (folder / "labels.json").write_text(json.dumps(data | change))
    return folder / "labels.json"


def only(labelled: Labelled) -> Thing:
    (thing,) = labelled.pictures[0].things
    return thing


def pixels(thing: Thing) -> np.ndarray:
    assert thing.mask is not None
    return rle.decode([thing.mask])[0].T


def test_polygons_and_run_lengths_of_every_form_give_the_same_mask(tmp_path):
    drawn = rle.of_segmentations([SQUARE], 30, 40)[0]
    plain = {"size": [30, 40], "counts": [310, 10, *[20, 10] * 9, 590 + 30]}
    inside = np.zeros((30, 40), bool)
    inside[10:20, 10:20] = True
    plain["counts"][-1] = 1200 - sum(plain["counts"][:-1])
    for segmentation in (SQUARE, drawn, plain):
        labelled = read(dump(tmp_path, label(segmentation=segmentation)))
        assert labelled.masks
        assert np.array_equal(pixels(only(labelled)).astype(bool), inside)


def test_labels_without_masks_are_boxes(tmp_path):
    for change in ({"segmentation": []}, {"segmentation": None}):
        labelled = read(dump(tmp_path, label(**change)))
        assert not labelled.masks and only(labelled).mask is None
    one = label()
    del one["segmentation"], one["area"], one["iscrowd"]
    assert only(read(dump(tmp_path, one))).area == 100


def test_a_mask_stands_in_for_a_missing_box_and_area(tmp_path):
    one = label()
    del one["bbox"], one["area"]
    thing = only(read(dump(tmp_path, one)))
    assert thing.box == (10, 10, 10, 10) and thing.area == 100


def test_categories_keep_their_order_whatever_their_ids(tmp_path):
    labelled = read(dump(tmp_path, label(category_id=0)))
    assert labelled.categories == ("car", "cat") and only(labelled).category == 1


def test_crowds_are_ignored_and_need_no_mask(tmp_path):
    for change in ({"iscrowd": 1}, {"ignore": 1, "segmentation": None}):
        labelled = read(dump(tmp_path, label(**change)))
        assert only(labelled).ignored and labelled.masks


def test_boxes_are_clipped_and_empty_ones_left_out_and_said(tmp_path):
    file = dump(
        tmp_path,
        label(bbox=[-5, 25, 10, 20], segmentation=[]),
        label(id=2, bbox=[3, 3, 0, 5], segmentation=[]),
        label(id=3, bbox=[40, 3, 9, 5], segmentation=[]),
    )
    labelled = read(file)
    assert only(labelled).box == (0, 25, 5, 5)
    assert [name for name, _ in labelled.rejected] == [
        "labels.json, annotation 2 of image 1",
        "labels.json, annotation 3 of image 1",
    ]


@pytest.mark.parametrize(
    "segmentation",
    [
        [[1, 1, 2, 2]],
        [[1, 1, 1e9, 2, 3, 3]],
        {"size": [30, 40], "counts": "~~"},
        {"size": [3, 4], "counts": [12]},
        {"size": [30, 40], "counts": [1]},
        "nothing",
    ],
)
def test_a_label_with_a_broken_mask_is_ignored_and_said(tmp_path, segmentation):
    labelled = read(dump(tmp_path, label(segmentation=segmentation)))
    assert only(labelled).ignored and only(labelled).mask is None and labelled.masks
    assert labelled.rejected[0][1].endswith("; the label is ignored")


def test_ids_of_labels_may_repeat_and_pictures_may_be_empty(tmp_path):
    assert len(read(dump(tmp_path, label(), label())).pictures[0].things) == 2
    assert read(dump(tmp_path)).pictures[0].things == ()


IMAGE = {"id": 1, "file_name": "a.png", "width": 40, "height": 30}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"annotations": [label(category_id=9)]}, "`category_id` 9"),
        ({"annotations": [label(image_id=9)]}, "`image_id` 9"),
        ({"annotations": [label(bbox=[1, 2, 3])]}, "annotation 1 .*four finite numbers"),
        ({"annotations": [label(bbox=[1, 2, 3, None])]}, "four finite numbers"),
        ({"annotations": [label(bbox=None, segmentation=None)]}, "four finite numbers"),
        ({"images": [IMAGE, IMAGE]}, "2 of its `images` have the id '1'"),
        ({"images": [IMAGE, {**IMAGE, "id": 2}]}, "have the file_name 'a.png'"),
        ({"categories": [{"id": 3, "name": "a"}] * 2}, "2 of its `categories` have the id '3'"),
        ({"categories": [{"id": k, "name": "a"} for k in (1, 2)]}, "have the name 'a'"),
        ({"images": [{**IMAGE, "file_name": "../a.png"}]}, "lies outside of the folder"),
        ({"images": [{**IMAGE, "file_name": "/etc/passwd"}]}, "lies outside of the folder"),
        ({"images": [{**IMAGE, "file_name": "a\nb.png"}]}, "cannot be shown .*; rename"),
        ({"images": [{**IMAGE, "file_name": 3}]}, "image 1 has no `file_name`; write it"),
        ({"images": [{**IMAGE, "width": -1}]}, "is -1 x 30 px"),
        ({"images": [{**IMAGE, "width": 32768, "height": 32768}]}, "at most 40 million"),
        ({"images": [{**IMAGE, "file_name": "b.png"}]}, "'b.png', are in none of .*labels|images"),
        ({"images": [{**IMAGE, "file_name": "a" * 300}]}, "File name too long"),
        ({"images": []}, "holds no pictures"),
    ],
)
def test_a_broken_file_is_refused_with_its_name(tmp_path, change, words):
    file = dump(tmp_path, **change)
    with pytest.raises(InputError, match=words) as told:
        read(file)
    assert str(file.parent) in str(told.value) and "\n" not in str(told.value)


def test_numbers_that_no_float_holds_are_refused(tmp_path):
    file = dump(tmp_path, label(bbox=[1, 2, 3, 4]))
    text = file.read_text()
    for huge in ("1e999", "9" * 400, "NaN", "Infinity"):
        file.write_text(text.replace("[1, 2, 3, 4]", f"[1, 2, 3, {huge}]"))
        with pytest.raises(InputError, match="labels.json"):
            read(file)


def test_few_missing_pictures_are_left_out_and_many_are_refused(tmp_path):
    images = [{**IMAGE, "id": k, "file_name": f"{k}.png"} for k in range(20)]
    file = dump(tmp_path, label(), images=images)
    for k in range(19):
        Image.new("RGB", (40, 30)).save(tmp_path / f"{k}.png")
    labelled = read(file)
    assert len(labelled.pictures) == 19
    assert labelled.rejected == (("19.png", "the file is not there"),)
    for k in range(3, 9):
        (tmp_path / f"{k}.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"7 of 20 pictures .*3\.png: the file is empty"):
        read(file)


def test_pictures_are_found_where_coco_itself_puts_them(tmp_path):
    file = dump(tmp_path, label())
    (tmp_path / "annotations").mkdir()
    (tmp_path / "train2017").mkdir()
    moved = file.rename(tmp_path / "annotations/instances_train2017.json")
    (tmp_path / "a.png").rename(tmp_path / "train2017/a.png")
    assert read(moved).pictures[0].file == tmp_path / "train2017/a.png"
    assert read(tmp_path).folder == tmp_path / "train2017"
    (tmp_path / "annotations/instances_val2017.json").write_text("{}")
    with pytest.raises(InputError, match="holds 2 JSON files .*; give the one to read"):
        read(tmp_path)


def test_sides_that_the_file_does_not_tell_are_the_pictures_own(tmp_path):
    file = dump(tmp_path, label(), images=[{"id": 1, "file_name": "a.png"}])
    assert (read(file).pictures[0].width, read(file).pictures[0].height) == (40, 30)


# --------------------------------------------------------------------------------- our datasets


def test_our_datasets_tell_what_is_known_of_each_thing(tmp_path, write_recipe):
    generate(load(write_recipe()), tmp_path / "d")
    stored = coco.read(tmp_path / "d")
    labelled = read(tmp_path / "d")
    things = [thing for picture in labelled.pictures for thing in picture.things]
    assert labelled.masks and len(things) == len(stored["annotations"]) > 0
    for thing, one in zip(things, stored["annotations"], strict=True):
        assert thing.box == tuple(one["bbox"]) and thing.mask == one["segmentation"]
        assert thing.facts["visible_fraction"] == one["visible_fraction"]
        assert thing.facts["truncation"] == one["truncation"]
        assert thing.facts["path"] == one["path"]
        assert thing.facts.get("occluder") == (None if one["occluder"] is None else "car")


def test_the_distance_is_along_the_axis_of_the_camera(tmp_path):
    box = {"centre": [3, 1, 25.5], "size": [4, 2, 2], "rotation_y": 0, "alpha": 0}
    ours = {"info": {"contributor": coco.CONTRIBUTOR}}
    labelled = read(dump(tmp_path, **ours, annotations=[label(box3d=box)]))
    assert only(labelled).facts == {"distance": 25.5}
    labelled = read(dump(tmp_path, annotations=[label(box3d=box, truncation=0.5)]))
    assert only(labelled).facts == {}  # what these keys mean to other tools, nobody knows
    for broken in ({"box3d": {}}, {"truncation": 2}, {"visible_fraction": "half"}):
        with pytest.raises(InputError, match="annotation 1 of image 1"):
            read(dump(tmp_path, **ours, annotations=[label(**broken)]))


def test_an_unfinished_dataset_is_refused(tmp_path, write_recipe):
    generate(load(write_recipe()), tmp_path / "d")
    (tmp_path / "d/_COMPLETE").unlink()
    with pytest.raises(InputError, match="is not finished; run `datagen generate` with --resume"):
        read(tmp_path / "d")


def test_ten_thousand_labels_are_read_in_about_a_second(tmp_path):
    images = [{**IMAGE, "id": k, "file_name": f"{k}.png"} for k in range(1000)]
    labels = [label(id=k, image_id=k % 1000) for k in range(10_000)]
    file = dump(tmp_path, images=images, annotations=labels)
    for k in range(1000):
        (tmp_path / f"{k}.png").write_bytes(b"x")  # only its being there is looked at
    start = time.perf_counter()
    assert sum(len(p.things) for p in read(file).pictures) == 10_000
    assert time.perf_counter() - start < 10  # about 0.6 s alone on the machine
