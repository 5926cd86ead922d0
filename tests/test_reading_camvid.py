"""CamVid's label maps as things: what is one, and what is rather ignored."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_reading import picture

from datagen import rle
from datagen.errors import InputError
from datagen.labelled import Labelled, Thing
from datagen.reading import load_image, read

CAR, PEDESTRIAN, CYCLIST, VOID = 8, 9, 10, 11


def street(folder: Path, *pieces: tuple[int, int, int, int, int], size=(480, 360)) -> Labelled:
    """One picture with rectangles (class, x, y, width, height), px."""
    classes = np.zeros(size[::-1], np.uint8)
    for value, x, y, w, h in pieces:
        classes[y : y + h, x : x + w] = value
    picture(folder / "train/a.png", *size)
    (folder / "trainannot").mkdir(exist_ok=True)
    Image.fromarray(classes).save(folder / "trainannot/a.png")
    return read(folder / "train")


def things(labelled: Labelled) -> tuple[Thing, ...]:
    return labelled.pictures[0].things


def test_every_piece_of_a_class_is_a_thing_with_its_mask(tmp_path):
    labelled = street(
        tmp_path, (CAR, 10, 20, 40, 30), (PEDESTRIAN, 100, 50, 10, 30), (CYCLIST, 200, 9, 12, 40)
    )
    assert labelled.categories == ("car", "pedestrian", "cyclist") and labelled.masks
    assert [t.category for t in things(labelled)] == [0, 1, 2]
    assert [t.box for t in things(labelled)] == [
        (10, 20, 40, 30), (100, 50, 10, 30), (200, 9, 12, 40)
    ]  # fmt: skip
    car = things(labelled)[0]
    assert not car.ignored and car.area == 1200 and car.mask is not None
    assert rle.decode([car.mask])[0].T[20:50, 10:50].all()


def test_pieces_that_meet_at_a_corner_are_one(tmp_path):
    labelled = street(tmp_path, (CAR, 10, 10, 20, 20), (CAR, 30, 30, 20, 20))
    assert len(things(labelled)) == 1


def test_small_pieces_are_ignored_by_their_share_of_the_picture(tmp_path):
    large, small = (CAR, 10, 10, 10, 10), (CAR, 50, 10, 11, 9)
    assert [t.ignored for t in things(street(tmp_path, large, small))] == [False, True]
    doubled = street(tmp_path, large, (CAR, 50, 10, 20, 20), size=(960, 720))
    assert [t.ignored for t in things(doubled)] == [True, False]


@pytest.mark.parametrize(
    "pieces",
    [
        [(CAR, 10, 10, 80, 30)],  # a row of cars
        [(CAR, 10, 10, 10, 40)],  # what a post leaves of one
        [(CAR, 10, 10, 40, 30), (CAR, 50, 10, 20, 6)],  # one farther behind the other
        [(CAR, 10 + 4 * k, 10, 4, 40 - 3 * k) for k in range(13)],  # a row that runs away
        [(PEDESTRIAN, 10, 10, 30, 40)],  # a group
        [(CYCLIST, 10, 10, 60, 40)],  # parked motorcycles
    ],
)
def test_what_looks_like_several_things_or_a_part_of_one_is_ignored(tmp_path, pieces):
    assert [t.ignored for t in things(street(tmp_path, *pieces))] == [True]


def test_a_border_with_void_says_nothing(tmp_path):
    labelled = street(tmp_path, (VOID, 0, 0, 100, 100), (CAR, 10, 10, 40, 30))
    assert [t.ignored for t in things(labelled)] == [False]


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (np.zeros((360, 480, 3), np.uint8), "its pixels are colours"),
        (np.zeros((36, 48), np.uint8), "has 48 x 36 px, its picture 480 x 360"),
        (np.full((360, 480), 12, np.uint8), "holds the class 12"),
    ],
)
def test_a_map_that_is_none_of_camvids_is_refused(tmp_path, classes, words):
    street(tmp_path)
    Image.fromarray(classes).save(tmp_path / "trainannot/a.png")
    with pytest.raises(InputError, match=words):
        read(tmp_path / "train")


def test_a_picture_without_a_map_cannot_be_used(tmp_path):
    street(tmp_path)
    picture(tmp_path / "train/b.png", 480, 360)
    with pytest.raises(InputError, match="b.png: it has no label map in trainannot"):
        read(tmp_path / "train")


def test_the_real_frames_give_the_numbers_of_the_page(shared_data):
    labelled = read(shared_data / "camvid/val")
    assert len(labelled.pictures) == 101 and not labelled.rejected
    kept = [t.category for p in labelled.pictures for t in p.things if not t.ignored]
    assert np.bincount(kept).tolist() == [93, 136, 200]
    assert load_image(labelled.pictures[0]).shape == (360, 480, 3)
