"""KITTI's files, read as its development kit reads them, against what the dataset says."""

import json
from collections.abc import Iterator
from pathlib import Path

import boxes
import numpy as np
import pytest
from layouts import paint, rectangle, write_dataset

from datagen import pipeline, recipe
from datagen.dataset import coco
from datagen.dataset.export import export
from datagen.dataset.export.to_kitti import occluded
from datagen.errors import InputError
from datagen.frame import Box3D, Pinhole


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kitti")
    return pipeline.generate(recipe.load(boxes.write_recipe(folder)), folder / "d").out


@pytest.fixture(scope="module")
def kitti(dataset) -> Path:
    export(dataset, "kitti", dataset.parent / "k")
    return dataset.parent / "k"


def read_labels(path: Path) -> list[tuple[str, list[float]]]:
    rows = [line.split() for line in path.read_text().splitlines()]
    assert all(len(row) == 15 for row in rows)
    return [(row[0], [float(v) for v in row[1:]]) for row in rows]


def read_calibration(path: Path) -> dict[str, np.ndarray]:
    pairs = (line.split(": ") for line in path.read_text().splitlines())
    return {key: np.array([float(v) for v in values.split()]) for key, values in pairs}


def images(dataset: Path) -> Iterator[tuple[dict, list[dict]]]:
    data = coco.read(dataset)
    for image in data["images"]:
        yield image, [one for one in data["annotations"] if one["image_id"] == image["id"]]


def corners(row: list[float]) -> np.ndarray:
    """The eight corners as KITTI's own tools compute them from a label."""
    h, w, length, x, y, z, turn = row[7:]
    box = np.array(
        [
            [length / 2, length / 2, -length / 2, -length / 2] * 2,
            [0.0] * 4 + [-h] * 4,
            [w / 2, -w / 2, -w / 2, w / 2] * 2,
        ]
    )
    c, s = np.cos(turn), np.sin(turn)
    around = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ box
    return around.T + np.array([x, y, z])


def test_every_label_is_what_the_dataset_says(dataset, kitti):
    types = {"car": "Car", "pedestrian": "Pedestrian"}  # a tree has none
    for image, things in images(dataset):
        rows = read_labels(kitti / f"training/label_2/{image['id'] - 1:06d}.txt")
        known = [one for one in things if one["category"] in types]
        assert [kind for kind, _ in rows] == [types[one["category"]] for one in known]
        for (_, row), one in zip(rows, known, strict=True):
            box = Box3D.from_json(one["box3d"])
            x, y, w, h = one["bbox"]
            assert row[0] == pytest.approx(one["truncation"], abs=5e-5)
            assert row[1] == occluded(one)
            assert row[2] == pytest.approx(box.alpha, abs=5.1e-5)
            assert row[3:7] == [x, y, x + w - 1, y + h - 1]
            assert row[7:10] == [box.size[2], box.size[1], box.size[0]]
            assert np.abs(corners(row) - box.corners()).max() < 1e-3


def test_the_calibration_projects_each_box_around_its_pixels(dataset, kitti):
    for image, _ in images(dataset):
        stem = f"{image['id'] - 1:06d}"
        matrices = read_calibration(kitti / f"training/calib/{stem}.txt")
        assert list(matrices) == [
            "P0",
            "P1",
            "P2",
            "P3",
            "R0_rect",
            "Tr_velo_to_cam",
            "Tr_imu_to_velo",
        ]
        p2, rectified = matrices["P2"].reshape(3, 4), matrices["R0_rect"].reshape(3, 3)
        for _, row in read_labels(kitti / f"training/label_2/{stem}.txt"):
            seen = p2[:, :3] @ rectified @ corners(row).T + p2[:, 3:]
            pixels = (seen[:2] / seen[2]).T
            left, top, right, bottom = row[3:7]
            low, high = pixels.min(axis=0), pixels.max(axis=0)
            assert (low <= (left + 0.5, top + 0.5)).all()
            assert (high >= (right - 0.5, bottom - 0.5)).all()
            if row[0] == 0 and row[1] == 0:
                assert np.abs(low - (left, top)).max() < 1.01
                assert np.abs(high - (right, bottom)).max() < 1.01


def test_the_velodyne_counts_ahead_left_and_up_from_below_the_camera(dataset, kitti):
    image, _ = next(images(dataset))
    matrices = read_calibration(kitti / "training/calib/000000.txt")
    move = matrices["Tr_velo_to_cam"].reshape(3, 4)
    assert np.allclose(move @ (10, 2, 0, 1), (-2, boxes.EYE, 10))
    camera = Pinhole.from_json(image["camera"])
    assert np.allclose(move @ (10, 2, 1, 1), camera.to_camera(np.array([-2.0, 10, 1])))


def test_images_are_copied_as_they_are_and_splits_are_lists(dataset, tmp_path):
    export(dataset, "kitti", tmp_path / "k", splits={"train": 0.5, "val": 0.5})
    lists = [
        (tmp_path / f"k/ImageSets/{name}.txt").read_text().split() for name in ("train", "val")
    ]
    assert sorted(stem for one in lists for stem in one) == ["000000", "000001", "000002", "000003"]
    for image, _ in images(dataset):
        copy = tmp_path / f"k/training/image_2/{image['id'] - 1:06d}.png"
        assert copy.read_bytes() == (dataset / image["file_name"]).read_bytes()
    cameras = json.loads((tmp_path / "k/cameras.json").read_text())
    assert set(cameras) == {f"training/image_2/00000{k}.png" for k in range(4)}


def test_what_the_policy_leaves_out_is_marked_as_of_no_interest(dataset, tmp_path):
    export(dataset, "kitti", tmp_path / "k", min_pixels=10_000)
    for image, things in images(dataset):
        rows = read_labels(tmp_path / f"k/training/label_2/{image['id'] - 1:06d}.txt")
        assert {kind for kind, _ in rows} == {"DontCare"}
        assert len(rows) == sum(one["category"] != "tree" for one in things)
        for _, row in rows:
            assert row[:3] == [-1, -1, -10]
            assert row[7:] == [-1, -1, -1, -1000, -1000, -1000, -10]


def test_a_merge_comes_before_the_types(dataset, tmp_path):
    export(dataset, "kitti", tmp_path / "k", merge={"tree": "van", "car": "lorry"})
    kinds = {kind for kind, _ in read_labels(tmp_path / "k/training/label_2/000000.txt")}
    assert kinds == {"Van", "Pedestrian"}


@pytest.mark.parametrize(
    ("area", "number"), [(100, 0), (80, 0), (79, 1), (50, 1), (49, 2), (11, 2), (10, 3), (1, 3)]
)
def test_occlusion_counts_what_lies_inside_the_image(area, number):
    for truncation in (0.0, 0.3):
        whole = 100 / (1 - truncation)
        label = {"area": area, "amodal_area": whole, "truncation": truncation}
        assert occluded(label) == number


def test_a_flat_dataset_is_refused_in_one_line(tmp_path):
    flat = write_dataset(tmp_path / "flat", [paint(20, 20, [(1, rectangle(2, 2, 5, 5))])])
    with pytest.raises(InputError, match=r"has no camera.*renderer in 3D") as caught:
        export(flat, "kitti", tmp_path / "k")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "k").exists()


def test_things_without_a_box_in_space_and_distorted_cameras_are_refused(dataset, tmp_path):
    for name, change in (("box", "box3d"), ("lens", "distortion")):
        copy = tmp_path / name
        copy.mkdir()
        (copy / "shards").symlink_to(dataset / "shards")
        data = coco.read(dataset)
        for one in data["annotations"]:
            one.pop("box3d" if change == "box3d" else "none", None)
        for one in data["images"]:
            one["camera"]["distortion"] = [0.1, 0.0] if change == "distortion" else [0.0, 0.0]
            one["file_name"] = one["file_name"].rpartition("/")[2]
            (copy / one["file_name"]).write_bytes(b"")
        (copy / "annotations.json").write_text(json.dumps(data))
        told = "no box in space" if change == "box3d" else "distorted lens"
        with pytest.raises(InputError, match=told):
            export(copy, "kitti", tmp_path / f"{name}-out")
