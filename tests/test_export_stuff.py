"""Stuff and cameras in the exports that existed before them."""

import json
from pathlib import Path

import boxes
import numpy as np
import pytest
from PIL import Image

from datagen import pipeline, recipe, rle
from datagen.audit import audit_coco
from datagen.dataset import coco
from datagen.dataset.export import export


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stuff")
    return pipeline.generate(recipe.load(boxes.write_recipe(folder, ["class"])), folder / "d").out


def segment_ids(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        red, green, blue = np.moveaxis(np.asarray(image).astype(int), 2, 0)
    return red + 256 * green + 65536 * blue


def test_the_dataset_lists_its_stuff_beside_its_categories(dataset):
    data = coco.read(dataset)
    assert [one["name"] for one in data["categories"]] == ["car", "pedestrian", "tree"]
    assert data["info"]["stuff"] == [{"id": 4, "name": "road"}]
    assert audit_coco(dataset) == []
    assert pipeline.verify(dataset, rerender=0.5).findings == ()


def test_panoptic_segments_are_the_masks_and_the_class_pass(dataset, tmp_path):
    export(dataset, "panoptic", tmp_path / "p")
    data, panoptic = coco.read(dataset), json.loads((tmp_path / "p/panoptic.json").read_text())
    assert [(one["name"], one["isthing"]) for one in panoptic["categories"]] == [
        ("car", 1),
        ("pedestrian", 1),
        ("tree", 1),
        ("road", 0),
    ]
    for image, entry in zip(data["images"], panoptic["annotations"], strict=True):
        ids = segment_ids(tmp_path / "p/panoptic" / entry["file_name"])
        with Image.open((dataset / image["file_name"]).with_suffix(".class.png")) as stored:
            classes = np.asarray(stored)
        kinds = np.zeros(ids.max() + 1, int)
        for one in entry["segments_info"]:
            inside = ids == one["id"]
            kinds[one["id"]] = one["category_id"]
            rows, columns = np.nonzero(inside)
            x, y = columns.min(), rows.min()
            assert one["area"] == inside.sum()
            assert one["bbox"] == [x, y, columns.max() - x + 1, rows.max() - y + 1]
        assert np.array_equal(kinds[ids], classes)
        things = [one for one in data["annotations"] if one["image_id"] == image["id"]]
        assert len(entry["segments_info"]) == len(things) + 1
        for number, one in enumerate(things, start=1):
            assert np.array_equal(ids == number, rle.decode([one["segmentation"]])[0].T == 1)


def test_stuff_keeps_its_own_numbers_after_a_merge(dataset, tmp_path):
    export(dataset, "panoptic", tmp_path / "p", merge={"pedestrian": "thing", "car": "thing"})
    panoptic = json.loads((tmp_path / "p/panoptic.json").read_text())
    assert [(one["id"], one["name"]) for one in panoptic["categories"]] == [
        (1, "thing"),
        (2, "tree"),
        (3, "road"),
    ]
    assert {one["category_id"] for one in panoptic["annotations"][0]["segments_info"]} == {1, 2, 3}


def test_without_the_class_pass_panoptic_has_things_only(tmp_path):
    out = pipeline.generate(recipe.load(boxes.write_recipe(tmp_path)), tmp_path / "d").out
    export(out, "panoptic", tmp_path / "p")
    panoptic = json.loads((tmp_path / "p/panoptic.json").read_text())
    assert {one["isthing"] for one in panoptic["categories"]} == {1}


@pytest.mark.parametrize("format", ["coco", "coco-polygons", "yolo", "yolo-seg", "panoptic"])
def test_every_export_says_what_camera_saw_each_of_its_images(dataset, tmp_path, format):
    export(dataset, format, tmp_path / "e", splits={"train": 0.5, "val": 0.5})
    cameras = json.loads((tmp_path / "e/cameras.json").read_text())
    assert len(cameras) == 4
    for name, camera in cameras.items():
        assert (tmp_path / "e" / name).is_file(), name
        assert camera == boxes.camera(96, 48).to_json()


def test_boxes_in_space_travel_with_coco(dataset, tmp_path):
    export(dataset, "coco", tmp_path / "c", merge={"car": "vehicle"})
    before, after = coco.read(dataset), coco.read(tmp_path / "c")
    assert [one["box3d"] for one in after["annotations"]] == [
        one["box3d"] for one in before["annotations"]
    ]
    assert "stuff" not in after["info"]  # ids of the class pass, which does not travel


def test_what_other_tools_call_a_camera_is_let_be(dataset, tmp_path):
    (tmp_path / "theirs").mkdir()
    data = coco.read(dataset)
    data["info"] = {"stuff": "some", "contributor": "another tool"}
    for one in data["images"]:
        (tmp_path / "theirs" / one["file_name"].rpartition("/")[2]).write_bytes(b"x")
        one |= {"file_name": one["file_name"].rpartition("/")[2], "camera": "Nikon", "passes": 3}
    (tmp_path / "theirs/annotations.json").write_text(json.dumps(data))
    report = export(tmp_path / "theirs", "coco", tmp_path / "c")
    assert report.images == 4
    assert not (tmp_path / "c/cameras.json").exists()
