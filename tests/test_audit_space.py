"""Boxes in space against depth and camera: what is wrong is found, what is right is not."""

from dataclasses import replace

import boxes
import numpy as np
import pytest

from datagen import labels, pipeline, recipe
from datagen.audit import audit_frame
from datagen.audit.coco import audit_image
from datagen.frame import Frame


@pytest.fixture(scope="module")
def frame(tmp_path_factory) -> Frame:
    loaded = recipe.load(boxes.write_recipe(tmp_path_factory.mktemp("r")))
    with pipeline.opened(loaded) as make_frame:
        return make_frame(0)[1]


def with_box(frame: Frame, **change) -> Frame:
    """The frame whose first thing has another box in space."""
    first, *others = frame.instances
    return replace(frame, instances=(replace(first, box3d=replace(first.box3d, **change)), *others))


def messages(frame: Frame) -> list[str]:
    found = audit_frame(frame, labels.annotate(frame))
    assert {one.code for one in found} <= {"box3d", "camera", "class-map"}
    return [one.message for one in found]


def test_a_frame_in_space_is_sound(frame):
    assert messages(frame) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": (4.0, 0.0, 1.5)}, "has the size"),
        ({"rotation_y": float("nan")}, "not finite"),
        ({"rotation_y": 4.0}, "not within -pi and pi"),
        ({"centre": (0.0, 1.0, -3.0)}, "3.00 m behind the camera"),
        ({"centre": (0.0, 1.0, 60.0)}, "pixels lie outside its box"),
    ],
)
def test_a_box_that_cannot_be_is_found(frame, change, told):
    (message,) = messages(with_box(frame, **change))
    assert told in message
    assert message.startswith("instance 1")


def test_a_box_behind_the_camera_may_belong_to_what_is_cut_off(frame):
    behind = with_box(frame, centre=(0.0, 1.0, -1.0), size=(40.0, 2.0, 1.0), rotation_y=1.57)
    first, *others = labels.annotate(behind)
    assert [f.code for f in audit_frame(behind, [first, *others])] == ["box3d"]
    cut = replace(first, truncation=0.5)
    assert [f.code for f in audit_frame(behind, [cut, *others])] == ["truncation"]


def test_a_little_may_stick_out_of_a_box(frame):
    x, y, z = frame.instances[0].box3d.centre
    assert messages(with_box(frame, centre=(x, y, z + 0.5))) == []


def test_a_label_whose_box_is_not_the_things_is_found(frame):
    first, *others = labels.annotate(frame)
    wrong = replace(first, box3d=replace(first.box3d, rotation_y=0.0))
    (finding,) = audit_frame(frame, [wrong, *others])
    assert "not the thing's" in finding.message


def test_stuff_stands_outside_all_masks_and_no_category_does(frame):
    free = np.argwhere(frame.instance_map == 0)[0]
    for number, count in ((0, 0), (4, 0), (1, 1), (5, 1)):
        classes = frame.class_map.copy()
        classes[tuple(free)] = number
        assert len(messages(replace(frame, class_map=classes))) == count, number


def test_stuff_under_a_mask_is_found(frame):
    classes = np.where(frame.instance_map == 1, 4, frame.class_map).astype(np.uint8)
    (message,) = messages(replace(frame, class_map=classes))
    assert "says otherwise" in message


def test_a_camera_of_another_picture_is_found(frame):
    (message,) = messages(replace(frame, camera=replace(frame.camera, width=50)))
    assert "50 x 48" in message


def stored(frame: Frame) -> tuple[dict, list[dict]]:
    image = {"id": 1, "file_name": "a.png", "width": frame.width, "height": frame.height}
    things = [
        {"id": k, "image_id": 1, **one.to_json()}
        for k, one in enumerate(labels.annotate(frame), start=1)
    ]
    return image | {"camera": frame.camera.to_json()}, things


def test_stored_boxes_and_cameras_are_checked_again(frame):
    image, things = stored(frame)
    assert audit_image(image, things, 3) == []
    for broken in (
        {"size": [1, 2]},
        {"alpha": 1.0},
        {"centre": [0, 1, None]},
        {"rotation_y": "left"},
        {"size": [-1, 2, 3]},
    ):
        wrong = {**things[0], "box3d": {**things[0]["box3d"], **broken}}
        assert [f.code for f in audit_image(image, [wrong, *things[1:]], 3)] == ["box3d"], broken
    for broken in ({"fx": 0.0}, {"pose": [1.0]}, {"cx": None}, {"width": 7}):
        wrong = image | {"camera": {**image["camera"], **broken}}
        assert [f.code for f in audit_image(wrong, things, 3)] == ["camera"], broken
