"""Labelled folders of any tool: what is found in them, and what all readers have in common."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datagen.dataset.export import export
from datagen.errors import InputError
from datagen.labelled import ANY, Labelled
from datagen.pipeline import generate
from datagen.reading import digest, load_image, read
from datagen.recipe import load

LINE = "{} 0.25 1 -10 {} {} {} {} 1.5 1.6 3.9 1.0 1.5 {} 0.1"


def picture(path: Path, width: int = 40, height: int = 30, value: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path)
    return path


def kitti(folder: Path, *lines: str) -> Path:
    """One picture of 40 x 30 px with these labels."""
    picture(folder / "training/image_2/000000.png")
    (folder / "training/label_2").mkdir()
    (folder / "training/label_2/000000.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


def yolo(folder: Path, *lines: str) -> Path:
    picture(folder / "images/train/a.png")
    (folder / "labels/train").mkdir(parents=True)
    (folder / "labels/train/a.txt").write_text("".join(f"{line}\n" for line in lines))
    (folder / "data.yaml").write_text('names:\n  0: car\n  1: "traffic light"\n')
    return folder


def names(labelled: Labelled) -> list[str]:
    return [labelled.categories[t.category] for p in labelled.pictures for t in p.things]


@pytest.fixture
def dataset(tmp_path, write_recipe) -> Path:
    generate(load(write_recipe()), tmp_path / "dataset")
    return tmp_path / "dataset"


# ------------------------------------------------------------------------------- what is there


def test_the_look_of_a_folder_tells_whose_labels_it_holds(tmp_path, dataset):
    picture(tmp_path / "city/train/a.png")
    picture(tmp_path / "city/trainannot/a.png")
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(tmp_path / "city/trainannot/a.png")
    assert read(dataset).kind == "coco"
    assert read(dataset / "annotations.json").kind == "coco"
    assert read(kitti(tmp_path / "kitti")).kind == "kitti"
    assert read(tmp_path / "kitti/training").kind == "kitti"
    assert read(yolo(tmp_path / "yolo", "0 .5 .5 .1 .1")).kind == "yolo"
    assert read(tmp_path / "yolo/data.yaml").kind == "yolo"
    assert read(tmp_path / "city/train").kind == "camvid"


def test_a_folder_of_nothing_known_is_refused_with_what_can_be_read(tmp_path):
    picture(tmp_path / "photos/a.png")
    with pytest.raises(InputError, match=r"photos: no labelled pictures.*KITTI.*YOLO.*CamVid"):
        read(tmp_path / "photos")
    with pytest.raises(InputError, match="is a file that holds no list of labels"):
        read(tmp_path / "photos/a.png")
    with pytest.raises(InputError, match="is not there"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("kind", ["coco", "kitti", "yolo", "camvid"])
def test_a_folder_of_another_kind_than_was_said_is_refused(tmp_path, kind):
    picture(tmp_path / "photos/a.png")
    with pytest.raises(InputError, match="photos: "):
        read(tmp_path / "photos", kind)


def test_every_export_reads_like_its_dataset(tmp_path, dataset):
    whole = read(dataset)
    for form in ("coco", "coco-polygons", "yolo", "yolo-seg"):
        export(dataset, form, tmp_path / form)
        again = read(tmp_path / form)
        assert again.categories == whole.categories
        assert names(again) == names(whole)
        for one, other in zip(whole.pictures, again.pictures, strict=True):
            assert np.array_equal(load_image(one), load_image(other))
            for thing, twin in zip(one.things, other.things, strict=True):
                assert twin.box == pytest.approx(thing.box, abs=0.01), form
        assert again.masks == (form != "yolo")


def test_an_export_of_several_splits_is_never_read_as_one(tmp_path, dataset):
    export(dataset, "yolo", tmp_path / "yolo", splits={"train": 0.5, "val": 0.5})
    used = [p.name for p in (tmp_path / "yolo/images").iterdir() if any(p.iterdir())]
    if len(used) > 1:
        with pytest.raises(InputError, match="2 sets of pictures"):
            read(tmp_path / "yolo")
    for name in used:
        assert read(tmp_path / "yolo/images" / name).categories == ("car",)


# ------------------------------------------------------------------------------------- pictures


def test_pictures_are_read_as_they_are_stored_without_their_rotation(tmp_path):
    folder = kitti(tmp_path / "kitti")
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.full((30, 40, 3), 90, np.uint8))
    stored.save(folder / "training/image_2/000000.jpg", exif=exif)
    (folder / "training/image_2/000000.png").unlink()
    assert load_image(read(folder).pictures[0]).shape == (30, 40, 3)


def test_a_picture_of_another_size_than_its_labels_is_refused(tmp_path):
    one = read(kitti(tmp_path / "kitti")).pictures[0]
    picture(one.file, 30, 40)
    with pytest.raises(InputError, match=r"000000.png: has 30 x 40 px, but .* 40 x 30; give"):
        load_image(one)


@pytest.mark.parametrize("data", [b"", b"nothing", "cut"])
def test_a_damaged_picture_is_named(tmp_path, data):
    one = read(kitti(tmp_path / "kitti")).pictures[0]
    whole = one.file.read_bytes()
    one.file.write_bytes(whole[: len(whole) // 2] if data == "cut" else data)
    with pytest.raises(InputError, match=r"000000.png: .*; replace it"):
        load_image(one)
    one.file.unlink()
    with pytest.raises(InputError, match="000000.png: is not there"):
        load_image(one)


def test_a_picture_of_too_many_pixels_is_never_decoded(tmp_path):
    folder = kitti(tmp_path / "kitti")
    for side in (7000, 20_000):  # Pillow itself refuses the second one
        Image.new("1", (side, side)).save(folder / "training/image_2/000000.png")
        with pytest.raises(InputError, match=r"000000.png: .*at most 40 million px"):
            read(folder)


def test_odd_kinds_of_pictures_become_three_channels(tmp_path):
    folder = kitti(tmp_path / "kitti")
    file = folder / "training/image_2/000000.png"
    for mode, value in (("L", 7), ("P", 7), ("RGBA", (7, 7, 7, 255)), ("I;16", 7 << 8)):
        Image.new(mode, (40, 30), value).save(file)
        image = load_image(read(folder).pictures[0])
        assert image.shape == (30, 40, 3) and image.dtype == np.uint8
        assert mode == "P" or (image == 7).all()


# --------------------------------------------------------------------------------- fingerprints


def test_the_digest_is_of_labels_and_pixels_and_not_of_the_place(tmp_path):
    line = LINE.format("Car", 1, 2, 10, 12, 20)
    first = digest(read(kitti(tmp_path / "a", line)))
    assert first == digest(read(kitti(tmp_path / "b", line)))
    assert first != digest(read(kitti(tmp_path / "c", LINE.format("Car", 1, 2, 10, 13, 20))))
    picture(tmp_path / "b/training/image_2/000000.png", value=91)
    assert first != digest(read(tmp_path / "b"))


# ---------------------------------------------------------------------------------------- KITTI


def test_kitti_has_the_same_categories_whatever_is_met(tmp_path):
    labelled = read(kitti(tmp_path / "k", LINE.format("Bus", 1, 2, 10, 12, 20)))
    assert labelled.categories[:6] == (
        "car", "van", "truck", "pedestrian", "person_sitting", "cyclist"
    )  # fmt: skip
    assert names(labelled) == ["bus"] and len(labelled.categories) == 9


def test_kitti_boxes_name_their_outermost_pixels(tmp_path):
    (thing,) = read(kitti(tmp_path / "k", LINE.format("Car", 0, 2, 9, 11, 20))).pictures[0].things
    assert thing.box == (0, 2, 10, 10) and thing.area == 100
    assert thing.facts == {"truncation": 0.25, "occluded": 1, "distance": 20}


def test_dontcare_is_a_region_of_any_category_without_facts(tmp_path):
    line = "DontCare -1 -1 -10 5 5 9 9 -1 -1 -1 -1000 -1000 -1000 -10"
    (thing,) = read(kitti(tmp_path / "k", line)).pictures[0].things
    assert thing.category == ANY and thing.ignored and thing.facts == {}


def test_a_kitti_box_outside_of_its_picture_is_left_out_and_said(tmp_path):
    line = LINE.format("Car", 50, 2, 60, 11, 20)
    labelled = read(kitti(tmp_path / "k", line))
    assert labelled.pictures[0].things == ()
    assert labelled.rejected == (
        ("label_2/000000.txt:1", "the box of this car has no pixel in the picture"),
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (LINE.format("Car", 1, 2, 10, 12, 20) + " 0.9", "txt:1: has a score"),
        ("Car 0 0 0", "txt:1: has 4 columns"),
        (LINE.format("Car", 1, "two", 10, 12, 20), "txt:1: not a number"),
        (LINE.format("Car", 1, "nan", 10, 12, 20), "txt:1: a number is not finite"),
        (LINE.format("Car", 1, "1e999", 10, 12, 20), "txt:1: a number is not finite"),
    ],
)
def test_a_broken_line_of_kitti_is_refused_with_its_place(tmp_path, line, words):
    with pytest.raises(InputError, match=words):
        read(kitti(tmp_path / "k", line))


def test_kitti_pictures_without_labels_are_few_and_said_or_too_many(tmp_path):
    folder = kitti(tmp_path / "k", LINE.format("Car", 1, 2, 10, 12, 20))
    picture(folder / "training/image_2/000001.png")
    with pytest.raises(InputError, match=r"1 of 2 pictures cannot be used \(the first: image_2/0"):
        read(folder)
    for k in range(2, 12):
        picture(folder / f"training/image_2/{k:06d}.png")
        (folder / f"training/label_2/{k:06d}.txt").write_text("")
    labelled = read(folder)
    assert len(labelled.pictures) == 11
    assert labelled.rejected == (("image_2/000001.png", "it has no file in label_2"),)
