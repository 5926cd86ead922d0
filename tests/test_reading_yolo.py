"""YOLO's folders and the files that name its classes."""

import pytest
from test_reading import names, picture, yolo

from datagen.errors import InputError
from datagen.reading import read
from datagen.reading.yolo_names import names_of


def yaml(tmp_path, text: str) -> dict[int, str]:
    (tmp_path / "data.yaml").write_text(text)
    return names_of(tmp_path / "data.yaml")


def test_boxes_are_shares_of_the_sides(tmp_path):
    (thing,) = read(yolo(tmp_path, "1 0.5 0.5 0.25 0.2")).pictures[0].things
    assert thing.box == (15, 12, 10, 6) and thing.area == 60 and thing.category == 1


def test_polygons_become_masks(tmp_path):
    labelled = read(yolo(tmp_path, "0 0.25 0.2 0.5 0.2 0.5 0.4 0.25 0.4"))
    (thing,) = labelled.pictures[0].things
    assert labelled.masks and thing.box == (10, 6, 10, 6) and thing.area == 60


def test_one_box_among_polygons_leaves_the_set_without_masks(tmp_path):
    labelled = read(yolo(tmp_path, "0 .2 .2 .5 .2 .5 .4", "0 .5 .5 .1 .1"))
    assert not labelled.masks and len(labelled.pictures[0].things) == 2


def test_a_picture_without_a_label_file_shows_nothing(tmp_path):
    folder = yolo(tmp_path, "0 .5 .5 .1 .1")
    picture(folder / "images/train/b.png")
    assert [len(p.things) for p in read(folder).pictures] == [1, 0]


def test_labels_of_other_pictures_are_refused(tmp_path):
    folder = yolo(tmp_path, "0 .5 .5 .1 .1")
    (folder / "labels/train/a.txt").rename(folder / "labels/train/b.txt")
    with pytest.raises(InputError, match="no text file that is named like a picture"):
        read(folder)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.1", "a.txt:1: has 4 numbers"),
        ("0 0.5 0.5 0.1 0.1 0.9", "results with scores are no labels"),
        ("7 0.5 0.5 0.1 0.1", "a.txt:1: class 7 is not in .*data.yaml"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5 is not in"),
        ("0 20 15 10 6", "20 is no share of a side"),
        ("car 0.5 0.5 0.1 0.1", "a.txt:1: not a number"),
        ("0 inf 0.5 0.1 0.1", "not finite"),
    ],
)
def test_a_broken_line_is_refused_with_its_place(tmp_path, line, words):
    with pytest.raises(InputError, match=words):
        read(yolo(tmp_path, line))


def test_a_box_outside_of_its_picture_is_left_out_and_said(tmp_path):
    labelled = read(yolo(tmp_path, "0 1.5 .5 .1 .1", "0 .5 .5 .1 .1"))
    assert len(labelled.pictures[0].things) == 1
    assert labelled.rejected == (("labels/a.txt:1", "its box has no pixel in the picture"),)


def test_a_split_in_a_folder_of_its_own_is_read_too(tmp_path):
    picture(tmp_path / "train/images/a.png")
    (tmp_path / "train/labels").mkdir()
    (tmp_path / "train/labels/a.txt").write_text("1 .5 .5 .1 .1\n")
    (tmp_path / "classes.txt").write_text("car\nbus\n")
    for place in (tmp_path, tmp_path / "train", tmp_path / "train/images"):
        assert names(read(place)) == ["bus"]


def test_splits_are_never_mixed(tmp_path):
    folder = yolo(tmp_path, "0 .5 .5 .1 .1")
    picture(folder / "images/val/c.png")
    (folder / "labels/val").mkdir()
    (folder / "labels/val/c.txt").write_text("0 .5 .5 .1 .1\n")
    with pytest.raises(InputError, match=r"2 sets of pictures \(images/train, images/val\)"):
        read(folder)
    assert [p.name for p in read(folder / "images/val").pictures] == ["c.png"]


@pytest.mark.parametrize(
    "text",
    [
        "nc: 2\nnames: [car, 'bus stop']\n",
        "names: ['car', \"bus stop\"]  # two\nnc: 2\n",
        "names: [car,\n  bus stop]\n",
        "names:\n- car\n- bus stop\n",
        "path: .\nnames:\n  # all\n  0: car\n\n  1: 'bus stop'  # red\nnc: 2\n",
        'names:\n  1: bus stop\n  0: "car"\n',
    ],
)
def test_names_are_read_from_every_usual_form_of_yaml(tmp_path, text):
    assert list(yaml(tmp_path, text).items()) == [(0, "car"), (1, "bus stop")]


@pytest.mark.parametrize(
    "text",
    [
        "nc: 2\n",
        "names: {0: car}\n",
        "names: !!python/object/apply:os.system [ls]\n",
        "a: &a [x]\nnames: *a\n",
        "names:\n  - &a car\n",
        "names:\n  0: {a: b}\n",
        "names: [car, [bus]]\n",
        "names: [car\n",
        "names:\n  0: car\n  0: bus\n",
        "names: [car, car]\n",
        'names: ["a\\n"]\n',
        "names: ['car]\n",
        "names: []\n",
        "names: [a]\nnames: [b]\n",
        "names:\n  car\n",
        "names: [a]\n" + "#" * (1 << 18),
    ],
)
def test_more_of_yaml_is_refused_and_nothing_is_run(tmp_path, text):
    with pytest.raises(InputError, match="data.yaml"):
        yaml(tmp_path, text)


def test_a_hostile_list_is_refused_at_once(tmp_path):
    yaml(tmp_path, "names: [" + "a, b" + " " * 100_000 + "]")
    with pytest.raises(InputError):
        yaml(tmp_path, "names: [" + " " * 200_000 + "'")


def test_numbers_of_classes_may_have_gaps(tmp_path):
    folder = yolo(tmp_path, "44 .5 .5 .1 .1")
    (folder / "data.yaml").write_text("names:\n  1: person\n  44: bottle\n")
    assert read(folder).categories == ("person", "bottle") and names(read(folder)) == ["bottle"]


def test_missing_names_are_asked_for(tmp_path):
    folder = yolo(tmp_path, "0 .5 .5 .1 .1")
    (folder / "data.yaml").unlink()
    with pytest.raises(InputError, match="no names of the classes .*write `classes.txt`"):
        read(folder)
    (folder / "classes.txt").write_text("car\n\nbus\n")
    with pytest.raises(InputError, match="classes.txt:2: is an empty line"):
        read(folder)


def test_real_polygons_of_coco_are_read(shared_data, tmp_path):
    real = shared_data / "coco"
    (tmp_path / "images").symlink_to(real / "images")
    (tmp_path / "labels").symlink_to(real / "instance_segmentation/labels")
    (tmp_path / "config.yaml").symlink_to(real / "instance_segmentation/config.yaml")
    labelled = read(tmp_path / "images/val2017")
    assert len(labelled.pictures) == 20 and labelled.masks and not labelled.rejected
    assert {"person", "chair", "bus"} <= set(names(labelled))
