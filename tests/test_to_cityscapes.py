"""Cityscapes' files, decoded again and compared with the dataset's own passes and labels."""

import json
import math
from pathlib import Path

import boxes
import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import Cityscapes

from datagen import pipeline, recipe, rle
from datagen.dataset import coco
from datagen.dataset.export import export
from datagen.dataset.export.cityscapes_labels import COUNTED, LABELS, TRAIN_IDS, label_id
from datagen.dataset.export.to_cityscapes import camera_json
from datagen.errors import InputError
from datagen.frame import Pinhole

PASSES = ("class", "instance")
WANTED = {1: LABELS["car"], 2: LABELS["person"], 3: LABELS["vegetation"], 4: LABELS["road"]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cityscapes")
    return pipeline.generate(recipe.load(boxes.write_recipe(folder, PASSES)), folder / "d").out


@pytest.fixture(scope="module")
def cityscapes(dataset) -> Path:
    export(dataset, "cityscapes", dataset.parent / "c")
    return dataset.parent / "c"


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def truth(folder: Path, index: int, kind: str) -> np.ndarray:
    name = f"test-boxes_000000_{index:06d}_gtFine_{kind}.png"
    return picture(folder / "gtFine/train/test-boxes" / name)


def stored(dataset: Path, index: int, name: str) -> np.ndarray:
    (path,) = dataset.glob(f"shards/*/{index:08d}.{name}.png")
    return picture(path)


def test_label_ids_are_the_class_pass_under_other_numbers(dataset, cityscapes):
    for index in range(4):
        labels = truth(cityscapes, index, "labelIds")
        classes = stored(dataset, index, "class")
        assert labels.dtype == np.uint8
        for number in np.unique(classes):
            assert (labels[classes == number] == WANTED.get(number, 0)).all()
        trained = truth(cityscapes, index, "labelTrainIds")
        for number in np.unique(labels):
            assert (trained[labels == number] == TRAIN_IDS.get(number, 255)).all()
        assert {0, 255} <= set(np.unique(trained))


def test_instance_ids_hold_every_mask_exactly(dataset, cityscapes):
    data = coco.read(dataset)
    for image in data["images"]:
        index = image["id"] - 1
        codes, labels = (truth(cityscapes, index, kind) for kind in ("instanceIds", "labelIds"))
        things = stored(dataset, index, "instance")
        assert codes.dtype == np.uint16
        masks = {}
        for one in data["annotations"]:
            if one["image_id"] == image["id"]:
                masks[one["instance_id"]] = rle.decode([one["segmentation"]])[0].T.astype(bool)
                label = WANTED[one["category_id"]]
                (code,) = np.unique(codes[masks[one["instance_id"]]])
                assert code == (label * 1000 if label in COUNTED else label)
        seen = np.unique(things)
        assert set(seen[seen > 0]) == set(masks)
        uncounted = ~np.isin(labels, list(COUNTED))
        assert (codes[uncounted] == labels[uncounted]).all()


def test_things_of_one_label_are_counted_apart(dataset, tmp_path):
    export(dataset, "cityscapes", tmp_path / "c", merge={"pedestrian": "van", "tree": "car"})
    codes = np.unique(truth(tmp_path / "c", 0, "instanceIds"))
    assert codes.tolist() == [0, 7, 26000, 26001, 26002]


def test_the_reader_of_torchvision_takes_it(cityscapes):
    read = Cityscapes(
        str(cityscapes), split="train", mode="fine", target_type=["instance", "semantic"]
    )
    assert len(read) == 4
    image, (instances, labels) = read[1]
    assert image.size == (96, 48)
    assert np.array_equal(np.asarray(instances), picture(Path(read.targets[1][0])))
    assert np.array_equal(np.asarray(labels), picture(Path(read.targets[1][1])))


def test_images_and_splits_have_their_folders(dataset, tmp_path):
    export(dataset, "cityscapes", tmp_path / "c", splits={"train": 0.5, "val": 0.5}, link=True)
    found = sorted(p.name for p in (tmp_path / "c/leftImg8bit").glob("*/test-boxes/*"))
    assert found == [f"test-boxes_000000_{k:06d}_leftImg8bit.png" for k in range(4)]
    assert {p.name for p in (tmp_path / "c/gtFine").iterdir()} <= {"train", "val"}
    for name in json.loads((tmp_path / "c/cameras.json").read_text()):
        assert (tmp_path / "c" / name).stat().st_nlink > 1


def test_jpeg_images_become_the_png_that_the_format_asks_for(tmp_path):
    made = recipe.load(boxes.write_recipe(tmp_path, PASSES, 'count = 1\nimage_format = "jpg"'))
    out = pipeline.generate(made, tmp_path / "d").out
    export(out, "cityscapes", tmp_path / "c")
    (path,) = (tmp_path / "c").rglob("*_leftImg8bit.png")
    (source,) = out.rglob("*.jpg")
    assert np.array_equal(picture(path), picture(source))
    with Image.open(path) as image:
        assert image.format == "PNG"


def test_what_the_policy_leaves_out_is_unlabeled(dataset, tmp_path):
    export(dataset, "cityscapes", tmp_path / "c", min_pixels=10_000)
    things = stored(dataset, 0, "instance") > 0
    for kind, value in (("labelIds", 0), ("labelTrainIds", 255), ("instanceIds", 0)):
        assert (truth(tmp_path / "c", 0, kind)[things] == value).all()
    assert (truth(tmp_path / "c", 0, "labelIds") == LABELS["road"]).any()


def test_stuff_can_be_merged_before_it_is_named(dataset, tmp_path):
    export(dataset, "cityscapes", tmp_path / "c", merge={"road": "pavement"})
    labels = np.unique(truth(tmp_path / "c", 0, "labelIds"))
    assert LABELS["sidewalk"] in labels
    assert LABELS["road"] not in labels
    with pytest.raises(InputError, match="`car` would be things and stuff"):
        export(dataset, "cityscapes", tmp_path / "no", merge={"road": "car"})


def test_our_names_mean_labels_of_cityscapes():
    assert label_id("traffic_light") == label_id("Traffic Light") == 19
    assert label_id("cyclist") == LABELS["rider"]
    assert label_id("spaceship") == 0
    assert [TRAIN_IDS[LABELS[name]] for name in ("road", "sky", "bicycle")] == [0, 10, 18]


def test_the_camera_is_given_as_the_vehicle_has_it(cityscapes):
    path = cityscapes / "camera/train/test-boxes/test-boxes_000000_000002_camera.json"
    camera, seen = json.loads(path.read_text()), boxes.camera(96, 48)
    assert camera["intrinsic"] == {"fx": seen.fx, "fy": seen.fy, "u0": seen.cx, "v0": seen.cy}
    assert camera["extrinsic"] == {
        **dict.fromkeys(("baseline", "pitch", "roll", "x", "y", "yaw"), 0.0),
        "z": boxes.EYE,
    }


def turned(yaw: float, pitch: float, roll: float, place: tuple[float, float, float]) -> Pinhole:
    """A camera turned about the vehicle's axes: up, then left, then ahead."""

    def about(axis: int, angle: float) -> np.ndarray:
        c, s = math.cos(angle), math.sin(angle)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
        return turn

    axes = about(2, yaw) @ about(1, pitch) @ about(0, roll)  # columns: ahead, left, up
    to_scene = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    ahead, left, up = (to_scene @ axes).T
    rows = np.stack([-left, -up, ahead])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rows, -rows @ to_scene @ np.array(place)
    return Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0, pose=tuple(pose.ravel().tolist()))


def test_turned_cameras_have_the_angles_and_the_place_they_were_turned_by():
    camera = camera_json(turned(0.3, 0.1, -0.05, (1.7, 0.2, 1.3)))["extrinsic"]
    wanted = {"yaw": 0.3, "pitch": 0.1, "roll": -0.05, "x": 1.7, "y": 0.2, "z": 1.3}
    assert camera == pytest.approx(wanted | {"baseline": 0.0})


def test_a_dataset_without_passes_is_refused_with_the_remedy(tmp_path):
    out = pipeline.generate(
        recipe.load(boxes.write_recipe(tmp_path, ["class"])), tmp_path / "d"
    ).out
    with pytest.raises(InputError, match=r'no `instance` pass.*passes=\["class", "instance"\]'):
        export(out, "cityscapes", tmp_path / "c")
